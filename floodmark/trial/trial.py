"""One trial: start what is needed, load it, watch it, and leave a run directory that says what happened."""

import contextlib
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from floodmark import paths, store
from floodmark.analysis import analyse
from floodmark.checkpoints import CheckpointCollector
from floodmark.clock import Clock, SystemClock
from floodmark.config import TrialConfig
from floodmark.environment import describe_environment
from floodmark.errors import ConfigurationError, EnvironmentFailedError, FloodmarkError
from floodmark.ledger import read_manifest
from floodmark.probe import Probe
from floodmark.progress import Phase, Progress
from floodmark.report import render
from floodmark.run import Run
from floodmark.scenarios import DEAD_LETTER_STREAM, Scenario
from floodmark.sources.exposition import Endpoint
from floodmark.sources.flink import JobFigures
from floodmark.systems.embedded import BrokenPartError, EmbeddedSystem, SystemSettings, SystemState, read_state
from floodmark.systems.flink import JOB_MANAGER, FlinkInstallation, FlinkLayout, FlinkRun, RestFlinkClient
from floodmark.systems.kinesis import BotoKinesisClient
from floodmark.systems.simulator import is_simulator
from floodmark.trial.canary import ControlRecords
from floodmark.trial.generator import start_generator
from floodmark.trial.job import TestedJob, cancel_leftovers, job_name, job_options, running_job
from floodmark.trial.load import Load
from floodmark.trial.reading import Reading
from floodmark.trial.streams import prepare_streams
from floodmark.trial.watch import watch_parts

FREE_BYTES_MIN = 512 * 1024**2
CANARY_TIMEOUT_S = 60.0
CHECKPOINT_POLL_INTERVAL_S = 2.0
FIGURES_TIMEOUT_S = 5.0
"""For the few figures that are asked for once; what is sampled each second gives up sooner."""

QUIET_S = 1.0
"""Outputs that the sink had to put back may come after the last canary's answer; the drain ends when none has come
for this long."""

CONFIG_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutcome:
    """What a trial leaves: its result and where everything about it lies."""

    run: Run
    directory: Path
    report: Path


def run_trial(
    config: TrialConfig, scenario: Scenario, *, parent: Path, command: str, progress: Progress
) -> TrialOutcome:
    """Carry out one trial and judge it. `command` is what the user typed, for the report.

    Raises FloodmarkError if the trial could not be carried out; a trial that was, and failed, is a Run that says so.
    """
    clock = SystemClock()
    store.require_free_space(parent, FREE_BYTES_MIN)
    with borrowed_system(config) as borrowed:
        directory = store.create_run_directory(parent, scenario.name, clock, random.Random())  # noqa: S311 no secret
        with saying_what_is_left(directory):
            with contextlib.nullcontext(borrowed) if borrowed else own_system(config, directory, progress) as system:
                stage = Stage(config=config, scenario=scenario, directory=directory, system=system, clock=clock)
                stage.write_settings(command)
                notes = stage.carry_out(progress)
            store.write_json(directory / store.NOTES, notes)
            return conclude(directory, progress)


def conclude(directory: Path, progress: Progress) -> TrialOutcome:
    """Judge what a trial has left in its run directory, and draw the report."""
    with progress.phase("report") as phase:
        phase.update(note="holding every output against the oracle")
        run = analyse(directory)
        phase.update(note="drawing")
        report = render(directory)
    return TrialOutcome(run=run, directory=directory, report=report)


@contextmanager
def saying_what_is_left(directory: Path) -> Iterator[None]:
    """Add to an error where the files of the trial are, which may explain it; a folder without any goes."""
    try:
        yield
    except FloodmarkError as error:
        with contextlib.suppress(OSError):
            directory.rmdir()
        if directory.exists():
            error.add_note(f"what there is of the trial is in {directory}")
        raise


@contextmanager
def borrowed_system(config: TrialConfig) -> Iterator[SystemState | None]:
    """The system that `floodmark up` left running, for this trial alone; None if the trial needs one of its own."""
    running = read_state(paths.system()) if config.endpoint == "embedded" else None
    if running is None or running.missing():
        yield None
        return
    if not running.is_complete:
        raise EnvironmentFailedError(
            "the embedded system is still starting, or its start was cut off",
            "wait for `floodmark up`; if it has been killed, `floodmark down` clears what it left",
        )
    if running.slots < config.parallelism:
        raise ConfigurationError(
            f"the embedded system is up with {running.slots} task slots, and parallelism is {config.parallelism}",
            f"`floodmark down`, then `floodmark up --slots {config.parallelism}`",
        )
    with running.borrowed():
        yield running


@contextmanager
def own_system(config: TrialConfig, directory: Path, progress: Progress) -> Iterator[SystemState]:
    """A system of the trial's own in its run directory, stopped at the end."""
    folder = directory / "system"
    endpoint = None if config.endpoint == "embedded" else config.endpoint
    try:
        with EmbeddedSystem(folder, SystemSettings(slots=config.parallelism, kinesis_endpoint=endpoint)) as system:
            system.start(progress)
            yield system.state()
    finally:
        keep_logs_only(folder)


def keep_logs_only(folder: Path) -> None:
    """Remove what only a running system needs; the logs may explain a result, so they stay."""
    for part in ("lib", "plugins", "tmp", "checkpoints", "savepoints"):
        shutil.rmtree(folder / "flink" / part, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What one trial is carried out with."""

    config: TrialConfig
    scenario: Scenario
    directory: Path
    system: SystemState
    clock: Clock

    @property
    def is_ours(self) -> bool:
        """Whether the Kinesis service is the embedded simulator."""
        return self.config.endpoint == "embedded"

    @property
    def ledger(self) -> Path:
        """Where the generator writes what it did."""
        return self.directory / store.LEDGER

    @cached_property
    def installation(self) -> FlinkInstallation:
        """Flink, looked for once: its jars are checked by their checksums."""
        return FlinkInstallation.find()

    def write_settings(self, command: str) -> None:
        """Write `config.json` and `environment.json`, before anything happens that they would explain."""
        settings = {"format_version": CONFIG_FORMAT_VERSION, "run_id": self.directory.name, "command": command}
        settings |= self.config.model_dump(mode="json")
        settings |= {
            "endpoint_kind": "simulator" if is_simulator(self.system.kinesis_endpoint) else "emulator",
            "input_stream": self.scenario.input_stream,
            "output_stream": self.scenario.output_stream,
            "dead_letter_stream": DEAD_LETTER_STREAM,
        }
        store.write_json(self.directory / store.CONFIG, settings)
        environment = describe_environment(
            project=paths.PROJECT, jars=paths.jars(), java_home=self.installation.java_home
        )
        store.write_json(self.directory / store.ENVIRONMENT, environment)

    def carry_out(self, progress: Progress) -> dict[str, Any]:
        """Submit the job, load it, drain it; returns what the analysis must know beside the files."""
        with ExitStack() as stack:
            kinesis = BotoKinesisClient(endpoint=self.system.kinesis_endpoint, region=self.config.region)
            stack.callback(kinesis.close)
            flink = RestFlinkClient(self.system.flink_address)
            with progress.phase("job") as phase:
                cancel_leftovers(flink)
                job = stack.enter_context(self._job(kinesis, flink, phase))
            probe = Probe(kinesis, [self.scenario.output_stream, DEAD_LETTER_STREAM], self.directory / store.OUTPUTS)
            probe.start()
            stack.callback(probe.stop)
            control = ControlRecords(
                client=kinesis,
                scenario=self.scenario,
                run_token=self.directory.name[-4:],
                ledger=self.ledger,
                clock=self.clock,
                watermark_delay_ms=self.config.watermark_delay_ms,
            )
            with progress.phase("canary") as phase:
                phase.update(note="until the job has answered from every shard")
                self._await_answers(control, probe, job, timeout_s=CANARY_TIMEOUT_S)
            checkpoints, reading = CheckpointCollector(flink, job.job_id), self._reading(job)
            exit_code, broken_part = self._load(probe, checkpoints, progress)
            with progress.phase("drain") as phase:
                drained = "" if broken_part else self._drain(control, probe, job, reading, phase)
            probe.stop()
            checkpoints.poll()
            store.write_json(self.directory / store.CHECKPOINTS, checkpoints.document())
            return {
                "generator_exit_code": exit_code,
                "job_state": job.state(),
                "job_failure": job.failure(),
                "broken_part": broken_part or self._broken_part() or None,
                "probe_error": (probe.error.message if probe.error else drained) or None,
                "late_records_dropped": reading.late_records_dropped,
                "drain_end_ms": self.clock.now_ns() // 1_000_000,
            }

    def _broken_part(self) -> str:
        try:
            self.system.check()
        except BrokenPartError as error:
            return error.message
        return ""

    @contextmanager
    def _job(self, kinesis: BotoKinesisClient, flink: RestFlinkClient, phase: Phase) -> Iterator[TestedJob]:
        config, scenario = self.config, self.scenario
        phase.update(note="making the streams")
        wanted = {
            scenario.input_stream: config.shards,
            scenario.output_stream: config.output_shards,
            DEAD_LETTER_STREAM: 1,
        }
        prepare_streams(kinesis, wanted, ours=self.is_ours)
        phase.update(note=f"submitting {scenario.job.name}")
        layout = FlinkLayout(directory=self.system.folder / "flink", installation=self.installation)
        options = job_options(
            config, scenario, endpoint=self.system.kinesis_endpoint, job_name=job_name(self.directory.name)
        )
        submitter = FlinkRun(layout=layout, address=self.system.flink_address)
        with running_job(flink, submitter, scenario, options, check=self.system.check) as job:
            phase.update(note=f"{scenario.job.name} runs at parallelism {config.parallelism}")
            yield job

    def _await_answers(self, control: ControlRecords, probe: Probe, job: TestedJob, *, timeout_s: float) -> None:
        def seen() -> list[bytes]:
            if probe.error:
                raise probe.error
            return [one.value for one in probe.take_recent() if one.stream == self.scenario.output_stream]

        control.wait_until_answered(seen, timeout_s=timeout_s, check=lambda: self._check(job))

    def _check(self, job: TestedJob) -> None:
        """Raise what makes waiting for the job pointless."""
        self.system.check()
        job.check()

    def _load(self, probe: Probe, checkpoints: CheckpointCollector, progress: Progress) -> tuple[int | None, str]:
        """The generator's exit code, and which part of the system broke meanwhile: then the load is ended at once."""
        generator = start_generator(
            self.config,
            self.scenario,
            endpoint=self.system.kinesis_endpoint,
            ledger=self.ledger,
            log=self.directory / "system" / "logs" / "generator.log",
        )
        looked_s = 0.0

        def watch() -> str:
            nonlocal looked_s
            self.system.check()
            if time.monotonic() - looked_s >= CHECKPOINT_POLL_INTERVAL_S:
                looked_s = time.monotonic()
                checkpoints.poll()
            return f"outputs {probe.progress.observed[self.scenario.output_stream]:,}"

        with generator, watch_parts(self.system, generator, self.directory / store.TIME_SERIES):
            load = Load(config=self.config, generator=generator, ledger=self.ledger, clock=self.clock, watch=watch)
            try:
                return load.follow(progress), ""
            except BrokenPartError as error:
                generator.stop()
                return generator.wait(0), error.message

    def _reading(self, job: TestedJob) -> Reading:
        addresses = self.system.metrics_addresses
        endpoints = [
            Endpoint(url=address, timeout_s=FIGURES_TIMEOUT_S)
            for name, address in addresses.items()
            if name != JOB_MANAGER
        ]
        return Reading(JobFigures(job_id=job.job_id, endpoints=endpoints), self.scenario.input_stream)

    def _drain(self, control: ControlRecords, probe: Probe, job: TestedJob, reading: Reading, phase: Phase) -> str:
        """Move event time on, wait until all that was sent has been answered; returns why that failed, or nothing."""
        try:
            if self.scenario.held_back:
                phase.update(note="until the job has read everything")
                reading.finish(timeout_s=self.config.drain_timeout_s, check=lambda: self._check(job))
            phase.update(note="until everything sent has been answered")
            control.close(read_manifest(self.ledger).event_time_end_ms)
            self._await_answers(control, probe, job, timeout_s=self.config.drain_timeout_s)
        except EnvironmentFailedError as error:
            return f"the drain did not end: {error.message}"
        deadline_s = time.monotonic() + self.config.drain_timeout_s
        while time.monotonic() < deadline_s:
            last_ms = probe.progress.last_arrival_ms or 0
            if self.clock.now_ns() // 1_000_000 - last_ms >= QUIET_S * 1000:
                break
            time.sleep(0.1)
        return ""
