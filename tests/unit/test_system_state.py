"""What is recorded of a running system, and what is refused before anything is started."""

import fcntl
import os
import sys
from pathlib import Path

import pytest

from floodmark.config import TrialConfig
from floodmark.errors import ConfigurationError, EnvironmentFailedError, ProcessFailedError
from floodmark.progress import SilentProgress
from floodmark.systems import embedded
from floodmark.systems.embedded import BrokenPartError, EmbeddedSystem, SystemSettings, SystemState
from floodmark.systems.ports import free_ports
from floodmark.systems.process import OwnedProcess, ProcessIdentity, ProcessRecord, ProcessSpec
from floodmark.trial import trial

STACK_TRACE = """\
org.apache.flink.util.FlinkException: Could not create the component.
\tat org.apache.flink.Component.create(Component.java:291)
Caused by: java.net.BindException: Could not start rest endpoint on any port in port range 8081
\tat org.apache.flink.Endpoint.start(Endpoint.java:291)
\t... 2 more
"""


@pytest.fixture
def state(tmp_path: Path) -> SystemState:
    """A system whose only process is this one."""
    mine = ProcessIdentity.of(os.getpid())
    return SystemState(
        folder=tmp_path,
        kinesis_endpoint="http://127.0.0.1:4567",
        flink_address="http://127.0.0.1:8081",
        slots=4,
        metrics_addresses={},
        processes=(ProcessRecord(name="simulator", process=mine, leash=mine, log=tmp_path / "log"),),
    )


def test_a_part_that_has_ended_is_named(state: SystemState) -> None:
    state.check()
    record = state.processes[0]
    gone = record.model_copy(update={"process": ProcessIdentity(pid=os.getpid(), started_s=0)})
    with pytest.raises(BrokenPartError, match="simulator ended by itself"):
        state.model_copy(update={"processes": (gone,)}).check()


def test_a_system_that_is_still_starting_is_not_borrowed(state: SystemState, monkeypatch: pytest.MonkeyPatch) -> None:
    starting = state.model_copy(update={"kinesis_endpoint": ""})
    monkeypatch.setattr(trial, "read_state", lambda folder: starting)
    with (
        pytest.raises(EnvironmentFailedError, match="still starting"),
        trial.borrowed_system(TrialConfig(scenario="abnormal-orders")),
    ):
        pass


def test_two_systems_are_not_started_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "system"
    with (tmp_path / "system.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(EnvironmentFailedError, match="another `floodmark up` is starting"):
            embedded.bring_up(folder, SystemSettings(), SilentProgress())
    assert not folder.exists()


def test_a_failed_trial_says_where_its_files_are_if_it_left_any(tmp_path: Path) -> None:
    empty, used = tmp_path / "empty", tmp_path / "used"
    for folder in (empty, used):
        folder.mkdir()
    (used / "config.json").touch()
    for folder, notes in ((empty, []), (used, [f"what there is of the trial is in {used}"])):
        with pytest.raises(EnvironmentFailedError) as caught, trial.saying_what_is_left(folder):
            raise EnvironmentFailedError("broken")
        assert getattr(caught.value, "__notes__", []) == notes
    assert not empty.exists()


def test_one_run_at_a_time_has_a_system(state: SystemState) -> None:
    with (
        state.borrowed(),
        pytest.raises(EnvironmentFailedError, match="another run is using"),
        state.borrowed(),
    ):
        pass
    with state.borrowed():
        pass


def test_one_port_for_two_parts_is_refused(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with pytest.raises(ConfigurationError, match=f"port {port} is wanted for the simulator and for Flink"):
        EmbeddedSystem(tmp_path / "system", SystemSettings(kinesis_port=port, flink_port=port))
    assert not (tmp_path / "system").exists()


def test_of_a_java_program_only_the_root_cause_is_quoted(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", f"print({STACK_TRACE!r})")
    with OwnedProcess(ProcessSpec(name="Flink", argv=argv, log=tmp_path / "log", directory=tmp_path)) as process:
        process.wait(30)
        failure = embedded._failure(process, "ended by itself")
    assert isinstance(failure, ProcessFailedError)
    assert failure.message == (
        "Flink ended by itself: BindException: Could not start rest endpoint on any port in port range 8081"
    )
    assert str(tmp_path / "log") in failure.remedy
