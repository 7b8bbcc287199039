"""Starting and stopping the simulator as a process."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3

pytestmark = pytest.mark.system


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulators.kinesis", *options], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(start_simulator: Callable[..., Any], number: signal.Signals) -> None:
    one = start_simulator("--streams", "a:1")
    with urllib3.PoolManager(retries=False) as pool:
        assert pool.request("GET", f"{one.url}/healthz").data == b"ok\n"
        one.process.send_signal(number)
        assert one.process.wait(20) == 0
    assert "Traceback" not in one.log.read_text()
    assert not one.log.with_name("port").exists()
    assert not one.log.with_name("tls-port").exists()
    for port in (one.port, one.tls_port):
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            pass


def test_it_ends_in_time_although_a_client_never_finishes_its_request(start_simulator: Callable[..., Any]) -> None:
    one = start_simulator()
    with socket.create_connection(("127.0.0.1", one.port)) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        time.sleep(0.2)
        one.process.terminate()
        assert one.process.wait(20) == 0


def test_streams_named_at_the_start_are_there_and_the_url_is_told(start_simulator: Callable[..., Any]) -> None:
    one = start_simulator("--streams", "order-stream:3,alert-stream:2", "--transition-ms", "60000")
    client = one.client()
    assert client.list_streams()["StreamNames"] == ["alert-stream", "order-stream"]
    summary = client.describe_stream_summary(StreamName="order-stream")["StreamDescriptionSummary"]
    assert (summary["OpenShardCount"], summary["StreamStatus"]) == (3, "ACTIVE")
    client.create_stream(StreamName="later", ShardCount=1)
    later = client.describe_stream_summary(StreamName="later")["StreamDescriptionSummary"]
    assert later["StreamStatus"] == "CREATING"
    client.close()
    said = [one.url, f"https://127.0.0.1:{one.tls_port}", f"clients trust {one.certificate.authority}"]
    assert one.log.read_text().splitlines() == said


def test_two_simulators_never_share_a_port(start_simulator: Callable[..., Any]) -> None:
    one = start_simulator()
    second = run("--port", str(one.port))
    assert second.returncode == 4
    assert second.stderr.splitlines()[0] == f"error: port {one.port} on 127.0.0.1 is in use by another process"
    assert "--port" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--streams", "order-stream"), "'order-stream' is not a stream"),
        (("--streams", "order-stream:0"), "'order-stream:0' is not a stream"),
        (("--streams", "order stream:1"), "'order stream:1' is not a stream"),
        (("--streams", "a:1,a:2"), "the stream a is named twice"),
        (("--streams", "a:20001"), "cannot be made: This request would exceed the shard limit"),
        (("--quotas", "/no/such/file"), "the quota file /no/such/file cannot be read"),
        (("--port", "70000"), "70000 is not in the range"),
        (("--latency", "constant:5"), "--latency: '5' is no duration"),
        (("--propagation-polling", "2m"), "--propagation-polling 2m is not between 0s and a minute"),
        (("--fault", "throtle"), "did you mean throttle?"),
        (("--faults", "/no/such/file"), "the fault file /no/such/file cannot be read"),
        (("--prot", "1"), "No such option"),
    ],
)
def test_wrong_options_are_one_error_and_code_2(options: tuple[str, ...], message: str) -> None:
    result = run("--port", "0", *options)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_file_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    result = run("--port", "0", "--port-file", str(tmp_path / "missing" / "port"))
    assert result.returncode == 4
    assert "cannot write the port file" in result.stderr
    assert "Traceback" not in result.stderr
