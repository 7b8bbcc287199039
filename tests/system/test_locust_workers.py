"""Several Locust processes send one schedule: all of it, once, whoever of them is lost, leaves or freezes."""

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from floodmark.ledger import Outcome, read_entries, read_manifest, read_manifests
from floodmark.systems.ports import free_ports
from tests.system.locust_bench import Load, Page, Service, command, end, wait_for

pytestmark = pytest.mark.system

NS = 10**9


def master_port() -> tuple[object, ...]:
    (port,) = free_ports(1)
    return ("--master-port", port, "--master-bind-port", port)


def workers(load: Load) -> list[psutil.Process]:
    """The forked workers of a load, by the number that the load knows them by."""
    found = {}
    for child in psutil.Process(load.process.pid).children():
        for file in child.open_files():
            if name := re.search(r"entries-(\d+)\.ledger$", file.path):
                found[int(name[1])] = child
    return [found[number] for number in sorted(found)]


def all_write(load: Load, count: int) -> bool:
    return len(list(load.ledger.glob("entries-*.ledger"))) == count and load.progress().accepted > 100


def offered(load: Load) -> list[tuple[int, int, str]]:
    """Of every offered record: index, due time after the start, and the record but for what differs between runs."""
    manifest = read_manifest(load.ledger)
    found = []
    for entries in read_entries(load.ledger):
        made = manifest.traffic().records(int(entries.index[0]), entries.intended_ns // 1_000_000)
        values = [value.decode().replace(manifest.traffic_options.run_token, "") for value in made.values]
        bare = [re.sub(r",\d{13},", ",", value) for value in values]
        found += list(
            zip(entries.index.tolist(), (entries.intended_ns - manifest.start_ns).tolist(), bare, strict=True)
        )
    return found


def test_four_workers_send_what_one_process_sends(start: Callable[..., Load]) -> None:
    options = ("--headless", "--rate", 600, "--duration", "4s", "--warm-up", "1s", "--batch", 50, "--seed", 7)
    alone, together = start(*options), start(*options, "--processes", 4, *master_port())
    assert alone.wait() == 0, alone.log.read_text()
    assert together.wait() == 0, together.log.read_text()
    assert [load.outcomes() for load in (alone, together)] == [{Outcome.ACCEPTED: 3000}] * 2
    assert offered(together) == offered(alone)
    manifests = read_manifests(together.ledger)
    assert [one.worker for one in manifests] == [0, 1, 2, 3]
    progress = together.progress()
    assert (progress.finished, progress.accepted, progress.end_index) == (True, 3000, 3000)
    assert "accepted 3,000, failed 0, unknown 0, missed 0" in together.log.read_text()


def test_a_killed_workers_part_is_taken_over_within_five_seconds(start: Callable[..., Load]) -> None:
    load = start("--headless", "--rate", 400, "--duration", "14s", "--warm-up", "0s", "--processes", 4, *master_port())
    wait_for("records of all workers", lambda: all_write(load, 4))
    killed_ns = time.time_ns()
    workers(load)[2].kill()
    assert load.wait() == 3, load.log.read_text()
    outcomes, log = load.outcomes(), load.log.read_text()
    assert outcomes.total() == 400 * 14
    assert set(outcomes) <= {Outcome.ACCEPTED, Outcome.MISSED, Outcome.UNKNOWN}
    assert outcomes[Outcome.UNKNOWN] <= 400  # what was on its way, and what the ledger had not written yet
    missed_ns = np.concatenate([one.intended_ns[one.outcome == Outcome.MISSED] for one in read_entries(load.ledger)])
    assert len(missed_ns) > 100
    assert missed_ns.min() > killed_ns - NS // 2
    assert missed_ns.max() < killed_ns + 5 * NS
    progress = load.progress()
    assert progress.finished
    assert (progress.accepted, progress.unknown, progress.missed) == tuple(
        outcomes[one] for one in (Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.MISSED)
    )
    assert f"unknown {progress.unknown:,}, missed {progress.missed:,}" in log
    assert "worker 2" in log
    assert "is given up for lost" in log


def test_a_worker_that_is_told_to_end_hands_its_part_over_and_misses_nothing(start: Callable[..., Load]) -> None:
    load = start("--headless", "--rate", 400, "--duration", "8s", "--warm-up", "0s", "--processes", 3, *master_port())
    wait_for("records of all workers", lambda: all_write(load, 3))
    leaver = workers(load)[1]
    leaver.terminate()
    wait_for("the worker's end", lambda: not leaver.is_running() or leaver.status() == psutil.STATUS_ZOMBIE)
    assert load.process.poll() is None
    assert load.wait() == 0, load.log.read_text()
    assert load.outcomes() == {Outcome.ACCEPTED: 3200}
    assert len(read_manifest(load.ledger).shares.assignments) == 2


def test_a_worker_that_freezes_and_goes_on_sends_nothing_that_another_sends_too(start: Callable[..., Load]) -> None:
    load = start("--headless", "--rate", 400, "--duration", "14s", "--warm-up", "0s", "--processes", 3, *master_port())
    wait_for("records of all workers", lambda: all_write(load, 3))
    frozen = workers(load)[0]
    frozen.suspend()
    time.sleep(6)
    frozen.resume()
    code = load.wait()
    outcomes = load.outcomes()  # which fails when a record is in the stream twice
    assert outcomes.total() == 400 * 14
    assert outcomes[Outcome.ACCEPTED] > 400 * 14 * 0.9
    assert code == (3 if outcomes[Outcome.MISSED] else 0)
    assert "is given up for lost" in load.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_master_stops_everybody_cleanly(start: Callable[..., Load], how: signal.Signals) -> None:
    load = start("--headless", "--rate", 400, "--duration", "10m", "--warm-up", "0s", "--processes", 3, *master_port())
    wait_for("records of all workers", lambda: all_write(load, 3))
    children = workers(load)
    load.process.send_signal(how)
    assert load.wait() == 0, load.log.read_text()
    progress = load.progress()
    assert (progress.finished, progress.stopped_early, progress.void_reason) == (True, True, "")
    assert load.outcomes() == {Outcome.ACCEPTED: progress.offered}
    assert progress.offered == progress.end_index
    wait_for("the workers' end", lambda: not any(child.is_running() for child in children))
    assert "Traceback" not in load.log.read_text()


def test_ctrl_c_reaches_all_processes_at_once_and_loses_nothing(service: Service, tmp_path: Path) -> None:
    """As a terminal sends it: to the whole group."""
    stream, log = service.create(3), tmp_path / "locust.log"
    options = ("--headless", "--rate", 400, "--duration", "10m", "--warm-up", "0s", "--processes", 3, *master_port())
    argv = command(*options, "--endpoint", service.endpoint, "--stream", stream, "--ledger-dir", tmp_path / "ledger")
    with log.open("wb") as file:
        process = subprocess.Popen(argv, stdout=file, stderr=file, cwd=tmp_path, start_new_session=True)
    load = object.__new__(Load)
    load.service, load.folder, load.stream, load.log, load.process = service, tmp_path, stream, log, process
    try:
        wait_for("records of all workers", lambda: all_write(load, 3))
        os.killpg(process.pid, signal.SIGINT)
        assert load.wait() == 0, log.read_text()
    finally:
        end(process)
    progress = load.progress()
    assert progress.finished
    assert load.outcomes() == {Outcome.ACCEPTED: progress.offered}


def test_workers_end_with_a_master_that_is_killed(start: Callable[..., Load]) -> None:
    load = start("--headless", "--rate", 400, "--duration", "10m", "--warm-up", "0s", "--processes", 2, *master_port())
    wait_for("records of all workers", lambda: all_write(load, 2))
    children = workers(load)
    load.process.kill()
    load.wait()
    wait_for("the workers' end", lambda: not any(child.is_running() for child in children))
    outcomes, progress = load.outcomes(), load.progress()
    assert progress.finished
    assert outcomes.total() == progress.offered
    assert outcomes[Outcome.ACCEPTED] > 100


def test_what_voids_one_part_voids_the_load_and_is_said_once(start: Callable[..., Load]) -> None:
    load = start("--headless", "--rate", 400, "--duration", "10m", "--warm-up", "0s", "--processes", 3, *master_port())
    wait_for("records of all workers", lambda: all_write(load, 3))
    load.service.client.delete_stream(load.stream)
    assert load.wait() == 4, load.log.read_text()
    progress, log = load.progress(), load.log.read_text()
    assert "ResourceNotFoundException" in progress.void_reason
    assert progress.offered == progress.end_index == 240_000
    assert progress.accepted + progress.failed + progress.unknown + progress.missed == progress.offered
    assert log.count("the service refused the records: ResourceNotFoundException") <= 2
    assert re.search(r"worker [012](, [12])*: the service refused the records", log)


def figures(page: Page) -> dict[str, list[dict[str, object]]]:
    found = page.pool.request("GET", f"{page.address}/floodmark/report")
    return dict(json.loads(found.data))


def test_workers_follow_what_the_masters_page_asks_for(service: Service, tmp_path: Path) -> None:
    """A master and two workers as commands of their own; the page asks for something else than the command did."""
    (web_port,) = free_ports(1)
    port = master_port()
    stream = service.create(3)
    options = ("--endpoint", service.endpoint, "--stream", stream, "--ledger-dir", tmp_path / "ledger", "--rate", 5)
    commands = {
        "master": command("--master", "--web-port", web_port, *port, *options),
        "worker-1": command("--worker", *port),
        "worker-2": command("--worker", *port),
    }
    processes = []
    try:
        for name, argv in commands.items():
            with (tmp_path / f"{name}.log").open("wb") as log:
                processes.append(subprocess.Popen(argv, stdout=log, stderr=log, cwd=tmp_path))
        page = Page(web_port)
        wait_for("the web page", page.is_up)
        workers_ready = lambda: page.json("/worker-count")["worker_count"] == 2  # noqa: E731
        wait_for("both workers", workers_ready)
        load = object.__new__(Load)
        load.service, load.folder, load.stream = service, tmp_path, stream

        refused = page.start(rate="-5", duration="2s", warm_up="0s")
        assert refused["success"] is False

        form = {"rate": "300", "duration": "10m", "warm_up": "0s", "batch": "20", "profile": "constant"}
        assert page.start(**form)["success"] is True
        wait_for("records of both workers", lambda: all_write(load, 2))
        wait_for("both workers' figures", lambda: len(figures(page)["processes"]) == 3)
        wait_for("the shards' figures", lambda: len(figures(page)["shards"]) == 3)
        page.stop()
        wait_for("the stop", lambda: page.state() == "stopped")
        progress = load.progress()
        assert (progress.finished, progress.stopped_early) == (True, True)
        assert load.outcomes() == {Outcome.ACCEPTED: progress.offered}
        together = figures(page)["processes"][0]
        assert (together["name"], together["accepted"], together["missed"]) == ("all together", progress.offered, 0)
        assert sum(int(str(row["accepted"])) for row in figures(page)["shards"]) == progress.offered
        manifest = read_manifest(load.ledger)
        assert (manifest.profile.rate_records_per_second, manifest.shares.block_records) == (300, 20)

        wait_for("both workers again", workers_ready)
        assert page.start(rate="100", duration="2s", warm_up="0s")["success"] is True
        load.folder = tmp_path
        second = tmp_path / "ledger-2"
        wait_for("the second load", lambda: second.exists() and load.progress(second).finished)
        assert load.outcomes(second) == {Outcome.ACCEPTED: 200}
        wait_for("the end of the test", lambda: page.state() == "stopped")
    finally:
        for process in processes:
            end(process)
    logs = [(tmp_path / f"{name}.log").read_text() for name in commands]
    assert not any("Traceback" in log for log in logs), logs


def test_a_start_without_workers_is_refused_in_words(service: Service, tmp_path: Path) -> None:
    (web_port,) = free_ports(1)
    argv = command("--master", "--web-port", web_port, *master_port(), "--endpoint", service.endpoint)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*argv, "--stream", service.create(1)], stdout=log, stderr=log, cwd=tmp_path)
    try:
        page = Page(web_port)
        wait_for("the web page", page.is_up)
        refused = page.start(rate="5", duration="2s", warm_up="0s")
        assert refused["success"] is False
        assert "no worker is connected yet" in str(refused["message"])
    finally:
        end(process)


@pytest.mark.parametrize("kind", ["trades", "temperatures", "clicks"])
def test_every_kind_has_its_load_test(start: Callable[..., Load], kind: str) -> None:
    load = start("--headless", "--rate", 100, "--duration", "1s", "--warm-up", "0s", locustfile=kind)
    assert load.wait() == 0, load.log.read_text()
    counted: Counter[int] = Counter(np.concatenate([one.outcome for one in read_entries(load.ledger)]).tolist())
    assert counted == {Outcome.ACCEPTED: 100}
    assert read_manifest(load.ledger).traffic_options.kind == kind


def test_a_worker_that_joins_late_has_no_part_and_disturbs_nothing(start: Callable[..., Load]) -> None:
    port = master_port()
    load = start("--headless", "--rate", 400, "--duration", "8s", "--warm-up", "0s", "--processes", 2, *port)
    wait_for("records of all workers", lambda: all_write(load, 2))
    log = load.folder / "late.log"
    with log.open("wb") as file:
        late = subprocess.Popen(command("--worker", *port), stdout=file, stderr=file, cwd=load.folder)
    try:
        assert load.wait() == 0, load.log.read_text()
        assert late.wait(20) == 0, log.read_text()
    finally:
        end(late)
    assert load.outcomes() == {Outcome.ACCEPTED: 3200}
    assert "3 workers connected" in load.log.read_text()
    assert "it gets a part in the next" in load.log.read_text()
    assert "Traceback" not in load.log.read_text() + log.read_text()


def test_an_interrupt_while_the_master_waits_for_workers_ends_everything(start: Callable[..., Load]) -> None:
    port = master_port()
    load = start("--headless", "--master", "--expect-workers", 2, *port)
    log = load.folder / "worker.log"
    with log.open("wb") as file:
        worker = subprocess.Popen(command("--worker", *port), stdout=file, stderr=file, cwd=load.folder)
    try:
        wait_for("the wait", lambda: "1 of 2 connected" in load.log.read_text())
        load.process.send_signal(signal.SIGINT)
        assert load.wait() == 130, load.log.read_text()
        assert "Traceback" not in load.log.read_text()
    finally:
        end(worker)


def test_workers_that_cannot_begin_say_why_on_the_master(start: Callable[..., Load], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    options = ("--ledger-dir", tmp_path / "file" / "ledger", "--rate", 100, "--processes", 2)
    load = start("--headless", *options, *master_port())
    assert load.wait() == 4, load.log.read_text()
    log = load.log.read_text()
    assert re.search(r"worker 0, 1: \S*/file/ledger could not be written: Not a directory", log)
    assert log.count("Not a directory") == 1
    assert "Traceback" not in log
