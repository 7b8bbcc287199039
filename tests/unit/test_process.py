"""Whatever starts a process stops it, however the owner ends."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from floodmark.errors import ProcessFailedError
from floodmark.systems.process import OwnedProcess, ProcessIdentity, ProcessSpec, log_tail

SLEEPER = (sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(300)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('awake', flush=True); time.sleep(300)",
)
PARENT_OF_ONE = (
    sys.executable,
    "-c",
    """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]).pid, flush=True)
time.sleep(300)
""",
)


def spec(tmp_path: Path, argv: tuple[str, ...]) -> ProcessSpec:
    return ProcessSpec(name="sleeper", argv=argv, log=tmp_path / "logs" / "sleeper.log", directory=tmp_path)


def wait_for_log(log: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if text := log_tail(log):
            return text
        time.sleep(0.02)
    raise AssertionError("nothing was logged")


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.02)
                continue
        return True
    return False


def test_stop_ends_the_process(tmp_path: Path) -> None:
    process = OwnedProcess(spec(tmp_path, SLEEPER))
    assert wait_for_log(process.spec.log) == "awake"
    assert process.is_running()
    process.stop()
    assert not process.is_running()
    assert gone(process.pid)
    process.stop()


def test_a_stubborn_process_is_killed_after_the_grace_period(tmp_path: Path) -> None:
    process = OwnedProcess(spec(tmp_path, STUBBORN), grace_s=0.2)
    wait_for_log(process.spec.log)
    process.stop()
    assert gone(process.pid)
    assert process.wait() == 128 + signal.SIGKILL


def test_what_the_process_started_ends_with_it(tmp_path: Path) -> None:
    process = OwnedProcess(spec(tmp_path, PARENT_OF_ONE))
    grandchild = int(wait_for_log(process.spec.log))
    process.stop()
    assert gone(grandchild)


def test_a_killed_owner_leaves_nothing_running(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from floodmark.systems.process import OwnedProcess, ProcessSpec
        folder = Path({str(tmp_path)!r})
        process = OwnedProcess(
            ProcessSpec(name="sleeper", argv={SLEEPER!r}, log=folder / "log", directory=folder)
        )
        print(process.pid, process.record.leash.pid, flush=True)
        time.sleep(300)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, leash = map(int, owner.stdout.readline().split())
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert gone(pid)
        assert gone(leash)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's own")
def test_a_killed_leash_takes_the_process_with_it(tmp_path: Path) -> None:
    process = OwnedProcess(spec(tmp_path, SLEEPER))
    wait_for_log(process.spec.log)
    os.kill(process.record.leash.pid, signal.SIGKILL)
    assert gone(process.pid)
    process.stop()


def test_a_detached_process_is_found_again_by_its_record(tmp_path: Path) -> None:
    process = OwnedProcess(spec(tmp_path, SLEEPER), detached=True)
    try:
        record = type(process.record).model_validate_json(process.record.model_dump_json())
        assert record.is_running()
    finally:
        record.stop()
    assert gone(process.pid)
    assert not record.is_running()
    process.stop()


def test_an_id_that_somebody_else_has_by_now_is_nobody_of_ours() -> None:
    mine = ProcessIdentity.of(os.getpid())
    assert mine.process() is not None
    assert ProcessIdentity(pid=mine.pid, started_s=mine.started_s - 100).process() is None


def test_a_clock_that_is_set_changes_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = ProcessIdentity.of(os.getpid())
    boot_time_s = psutil.boot_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: boot_time_s + 3600)
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_time_s + 3600)
    assert mine.process() is not None


def test_a_nicer_process_yields(tmp_path: Path) -> None:
    niceness = ("-c", "import os; print(os.nice(0) - int(os.environ['OWNER']))")
    nicer = ProcessSpec(
        name="nicer",
        argv=(sys.executable, *niceness),
        log=tmp_path / "log",
        directory=tmp_path,
        environment={"OWNER": str(os.nice(0))},
        niceness=3,
    )
    with OwnedProcess(nicer) as process:
        assert process.wait(30) == 0
    assert log_tail(nicer.log) == "3"


def test_a_missing_program_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailedError, match=r"sleeper could not be started: .*No such file"):
        OwnedProcess(spec(tmp_path, ("/nowhere/program",)))


def test_a_failure_quotes_the_end_of_the_log(tmp_path: Path) -> None:
    with OwnedProcess(spec(tmp_path, (sys.executable, "-c", "raise SystemExit('port taken')"))) as process:
        assert process.wait(30) == 1
        assert "| port taken" in str(process.failure("ended by itself"))
