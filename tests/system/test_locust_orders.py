"""`locust -f loadtests/orders.py` as people use it: real processes, the simulator's real quotas, and a true ledger."""

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from floodmark.ledger import LedgerFollower, Outcome, read_entries, read_manifest
from floodmark.systems.ports import free_ports
from tests.system.locust_bench import Load, Page, Service, run, serving, statistics, wait_for

pytestmark = pytest.mark.system


def test_a_load_keeps_its_schedule_and_the_ledger_is_what_the_stream_holds(
    start: Callable[..., Load], tmp_path: Path
) -> None:
    load = start("--headless", "--rate", 300, "--duration", "3s", "--warm-up", "1s", "--csv", tmp_path / "stats")
    assert load.wait() == 0, load.log.read_text()
    assert load.outcomes() == {Outcome.ACCEPTED: 1200}
    manifest, progress = read_manifest(load.ledger), load.progress()
    assert (progress.finished, progress.void_reason, progress.accepted, progress.backlog) == (True, "", 1200, 0)
    assert manifest.load_end_ns - manifest.load_start_ns == 3_000_000_000
    assert (manifest.stream, manifest.endpoint, manifest.workers) == (load.stream, load.service.endpoint, 1)
    (entries,) = read_entries(load.ledger)
    assert np.abs(entries.intended_ns - manifest.start_ns - np.arange(1200) * 10**9 // 300).max() <= 1
    rows = statistics(tmp_path / "stats")
    calls = len(np.unique(entries.sent_ns))
    assert (rows[load.stream]["Request Count"], rows[load.stream]["Failure Count"]) == (str(calls), "0")
    assert (rows["accepted"]["Request Count"], rows["accepted"]["Failure Count"]) == ("1200", "0")
    assert rows["Aggregated"]["Request Count"] == str(calls)
    assert "accepted 1,200, failed 0, unknown 0, missed 0" in load.log.read_text()


def test_more_senders_send_nothing_more(start: Callable[..., Load]) -> None:
    load = start("--headless", "--rate", 200, "--duration", "2s", "--warm-up", "0s", "--senders", 40, "--batch", 5)
    assert load.wait() == 0
    assert load.outcomes() == {Outcome.ACCEPTED: 400}


def test_throttled_records_are_failures_of_calls_and_are_accounted_for(
    start: Callable[..., Load], tmp_path: Path
) -> None:
    """One shard takes a thousand a second; 1,600 are offered for 4 s, and tried again for 1 s at most."""
    options = ("--rate", 1600, "--duration", "4s", "--warm-up", "0s", "--retry-deadline", "1s")
    load = start("--headless", *options, "--csv", tmp_path / "stats", shards=1)
    assert load.wait() == 1
    outcomes, progress = load.outcomes(), load.progress()
    assert set(outcomes) == {Outcome.ACCEPTED, Outcome.FAILED}
    assert outcomes.total() == 6400
    assert outcomes[Outcome.FAILED] > 100
    assert (progress.accepted, progress.failed) == (outcomes[Outcome.ACCEPTED], outcomes[Outcome.FAILED])
    rows = statistics(tmp_path / "stats")
    assert int(rows[load.stream]["Failure Count"]) > 0
    assert rows["accepted"]["Request Count"] == str(progress.accepted)
    assert rows["throttled"]["Failure Count"] == str(progress.throttled)
    assert rows["given up"]["Failure Count"] == str(progress.failed)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_load_cleanly(start: Callable[..., Load], how: signal.Signals) -> None:
    load = start("--headless", "--rate", 400, "--duration", "10m", "--warm-up", "0s")
    wait_for("some records", lambda: load.progress().accepted > 300)
    load.process.send_signal(how)
    assert load.wait() == 0, load.log.read_text()
    progress = load.progress()
    assert (progress.finished, progress.stopped_early, progress.void_reason) == (True, True, "")
    assert load.outcomes() == {Outcome.ACCEPTED: progress.offered}
    assert "Traceback" not in load.log.read_text()


def test_a_killed_load_leaves_a_ledger_that_tells_what_it_knows(start: Callable[..., Load]) -> None:
    load = start("--headless", "--rate", 400, "--duration", "10m", "--warm-up", "0s")
    wait_for("some records", lambda: load.progress().accepted > 300)
    load.process.kill()
    load.wait()
    outcomes = load.outcomes()
    assert set(outcomes) <= {Outcome.ACCEPTED, Outcome.UNKNOWN}
    assert outcomes[Outcome.ACCEPTED] > 300
    assert not load.progress().finished


def test_a_stream_that_is_deleted_ends_the_load_with_one_error(start: Callable[..., Load]) -> None:
    load = start("--headless", "--rate", 400, "--duration", "10m", "--warm-up", "0s")
    wait_for("some records", lambda: load.progress().accepted > 100)
    load.service.client.delete_stream(load.stream)
    assert load.wait() == 4
    progress = load.progress()
    assert progress.failed > 0
    assert progress.missed > 0
    assert progress.accepted + progress.failed + progress.unknown + progress.missed == progress.offered == 240_000
    assert "ResourceNotFoundException" in progress.void_reason
    log = load.log.read_text()
    assert log.count("the service refused the records: ResourceNotFoundException") == 1
    assert "Traceback" not in log


def test_a_service_that_dies_is_counted_and_named(start: Callable[..., Load], tmp_path: Path) -> None:
    limits = ("--retry-deadline", "1s", "--backlog-limit", "60s", "--drain", "2s")
    with serving(tmp_path / "service") as mortal:
        load = start("--headless", "--rate", 200, "--duration", "5s", "--warm-up", "0s", *limits, at=mortal)
        wait_for("some records", lambda: load.progress().accepted > 100)
        mortal.process.kill()
        mortal.process.wait()
        assert load.wait() == 1, load.log.read_text()
    progress = load.progress()
    assert progress.failed > 0
    assert progress.accepted + progress.failed + progress.unknown == progress.offered == 1000
    assert "unavailable: no connection: Connection refused" in load.log.read_text()


def test_a_service_that_hangs_voids_the_load(start: Callable[..., Load], tmp_path: Path) -> None:
    limits = ("--backlog-limit", "1s", "--drain", "1s")
    with serving(tmp_path / "service") as frozen:
        load = start("--headless", "--rate", 200, "--duration", "10m", "--warm-up", "0s", *limits, at=frozen)
        wait_for("some records", lambda: load.progress().accepted > 100)
        frozen.process.send_signal(signal.SIGSTOP)
        try:
            assert load.wait() == 3, load.log.read_text()
        finally:
            frozen.process.send_signal(signal.SIGCONT)
    progress = load.progress()
    assert progress.unknown > 0
    assert progress.missed > 100_000
    assert progress.accepted + progress.unknown + progress.missed == progress.offered == 120_000
    assert "late, more than the limit of 1 s" in progress.void_reason
    assert "the load is void: records were sent" in load.log.read_text()


def test_the_web_page_starts_stops_and_starts_again(start: Callable[..., Load]) -> None:
    (port,) = free_ports(1)
    load = start("--web-port", port)
    page = Page(port)
    wait_for("the web page", page.is_up)
    html = page.pool.request("GET", page.address).data.decode()
    assert set(re.findall(r'"(rate|duration|abnormal_ratio|linger_ms)": \{', html)) == {
        *("rate", "duration", "abnormal_ratio", "linger_ms")
    }

    refused = page.start(rate="-5", duration="2s", warm_up="0s")
    assert refused["success"] is False
    assert "--rate is '-5'" in str(refused["message"])
    assert not load.ledger.exists()

    assert page.start(rate="200", duration="10m", warm_up="0s", profile="constant")["success"] is True
    wait_for("some records", lambda: load.progress().accepted > 100)
    page.stop()
    wait_for("the stop", lambda: page.state() == "stopped")
    progress = load.progress()
    assert (progress.finished, progress.stopped_early) == (True, True)

    assert page.start(rate="100", duration="2s", warm_up="0s", profile="ramp")["success"] is True
    second = load.folder / "ledger-2"
    wait_for("the second load's end", lambda: LedgerFollower(second).poll().finished)
    wait_for("the end of the test", lambda: page.state() == "stopped")
    load.process.terminate()
    assert load.wait() == 0, load.log.read_text()
    assert load.outcomes() == {Outcome.ACCEPTED: progress.offered}
    assert load.outcomes(second) == {Outcome.ACCEPTED: 110}  # from 10 to 100 records/s within 2 s
    assert "Traceback" not in load.log.read_text()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--rate", "0"], 2, "--rate is '0'"),
        (["--duration", "5"], 2, "--duration: '5' is no duration"),
        (["--profile", "stairs"], 2, "'stairs'"),
        (["--endpoint", "http://192.0.2.1:4567"], 2, "not on this machine"),
        (["--processes", "2", "--ordered"], 2, "--ordered means nothing"),
        (["--processes", "2", "--rate", "0"], 2, "--rate is '0'"),
        (["--stream", "no-such-stream"], 4, "there is no stream no-such-stream"),
        (["--endpoint", "http://127.0.0.1:1"], 4, "`floodmark up` starts an endpoint"),
    ],
)
def test_what_is_wrong_is_said_once_before_anything_starts(
    service: Service, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    defaults = [] if "--endpoint" in options else ["--endpoint", service.endpoint]
    done = run(*defaults, *options, "--ledger-dir", tmp_path / "ledger")
    assert done.returncode == code
    assert done.stderr.count("error: ") == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "ledger").exists()


def test_a_ledger_is_never_overwritten(service: Service, tmp_path: Path) -> None:
    (tmp_path / "manifest-0.json").write_text("{}")
    done = run("--endpoint", service.endpoint, "--stream", service.create(1), "--ledger-dir", tmp_path)
    assert done.returncode == 2
    assert "already holds a ledger" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["manifest-0.json"]


def test_the_endpoint_is_the_embedded_one_unless_named(service: Service, tmp_path: Path) -> None:
    home = {"FLOODMARK_HOME": str(tmp_path)}
    done = run(environment=home)
    assert done.returncode == 4
    assert "`floodmark up` starts one" in done.stderr
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "system.json").write_text(json.dumps({"kinesis_endpoint": service.endpoint}))
    load = ["--stream", service.create(1), "--rate", 50, "--duration", "1s", "--warm-up", "0s"]
    done = run(*load, environment={**home, "FLOODMARK_RUNS": str(tmp_path / "runs")})
    assert done.returncode == 0, done.stderr
    (ledger,) = (tmp_path / "runs" / "locust").glob("*-orders-*/ledger")
    assert LedgerFollower(ledger).poll().accepted == 50
