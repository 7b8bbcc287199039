"""Starting and stopping the simulator as a process."""

import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
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


def test_it_does_not_go_on_without_its_housekeeping() -> None:
    broken = """
from simulators.kinesis.command import main
from simulators.kinesis.faults.faults import Faults
calls = []
def refresh(self, now_ms):
    calls.append(now_ms)
    if len(calls) == 3:
        raise RuntimeError("out of order")
Faults.refresh = refresh
main(["--port", "0"])
"""
    ended = subprocess.run([sys.executable, "-c", broken], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 4
    assert "error: the simulator's housekeeping ended: out of order" in ended.stderr


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


def test_the_port_for_tls_is_shared_no_more_than_the_other(start_simulator: Callable[..., Any], tmp_path: Path) -> None:
    one = start_simulator()
    second = run("--port", "0", "--tls-port", str(one.tls_port), "--tls-folder", str(tmp_path))
    assert second.returncode == 4
    assert second.stderr.splitlines()[0] == f"error: port {one.tls_port} on 127.0.0.1 is in use by another process"
    assert "--tls-port" in second.stderr


def test_it_listens_on_ipv6(start_simulator: Callable[..., Any]) -> None:
    one = start_simulator("--host", "::1")
    context = ssl.create_default_context(cafile=str(one.certificate.authority))
    with urllib3.PoolManager(retries=False, ssl_context=context) as pool:
        assert pool.request("GET", f"http://[::1]:{one.port}/healthz").data == b"ok\n"
        assert pool.request("GET", f"https://[::1]:{one.tls_port}/healthz").data == b"ok\n"
    assert one.log.read_text().splitlines()[0] == f"http://[::1]:{one.port}"


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a" * 64])
def test_a_host_that_is_none_of_this_machine_is_one_error(host: str) -> None:
    result = run("--port", "0", "--host", host)
    assert result.returncode == 4
    assert host in result.stderr
    assert "Traceback" not in result.stderr


def test_a_signal_that_comes_early_ends_it_as_well(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "simulators.kinesis", "--port", "0"], stderr=subprocess.PIPE)
    with process:
        # From the moment on in which it listens it ends cleanly, whatever else is not ready.
        while not any(one.status == psutil.CONN_LISTEN for one in psutil.Process(process.pid).net_connections()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read().decode() == ""
        assert process.wait(20) == 0


def test_a_port_file_that_was_left_behind_is_not_taken_for_ours(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    port_file.write_text("1\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators.kinesis", "--port", "0", "--port-file", str(port_file)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url == f"http://127.0.0.1:{int(port_file.read_text())}"
        process.terminate()
        assert process.wait(20) == 0
    assert not port_file.exists()


def test_few_open_files_are_told_and_do_not_make_it_deaf(tmp_path: Path) -> None:
    """With the files of 300 connections it takes what it can, lets the others wait, and serves them later."""
    port_file = tmp_path / "port"
    command = f"ulimit -n 300 && exec {sys.executable} -m simulators.kinesis --port 0 --port-file {port_file}"
    process = subprocess.Popen(["/bin/sh", "-c", command], stderr=subprocess.PIPE, text=True)
    with process:
        while not port_file.exists():
            assert process.poll() is None
            time.sleep(0.05)
        port = int(port_file.read_text())
        idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(400)]
        waiting = urllib3.HTTPConnectionPool("127.0.0.1", port, retries=False, timeout=10)
        with pytest.raises(urllib3.exceptions.HTTPError):
            waiting.request("GET", "/healthz", timeout=0.5)
        cpu_s = _cpu_s(process.pid)
        time.sleep(0.5)
        assert _cpu_s(process.pid) - cpu_s < 0.2
        for connection in idle:
            connection.close()
        assert waiting.request("GET", "/healthz").data == b"ok\n"
        waiting.close()
        process.terminate()
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(20) == 0
    assert said.startswith("only 300 files may be open at once, so no more than 172 connections are served at once")


def _cpu_s(process_id: int) -> float:
    times = psutil.Process(process_id).cpu_times()
    return float(times.user + times.system)


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
        (("--tls-port-file", "port"), "there is no TLS without a port for it"),
        (("--tls-names", "kinesis"), "there is no TLS without a port for it"),
        (("--tls-port", "0", "--tls-names", "no host"), "'no host' is no host name or address"),
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
