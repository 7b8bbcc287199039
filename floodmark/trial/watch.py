"""Which parts of a trial are looked at once a second while the load runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from floodmark.sampler import Sampler, Source
from floodmark.sources.exposition import Endpoint
from floodmark.sources.flink import FlinkSource
from floodmark.sources.kinesis import KinesisSource
from floodmark.sources.machine import HiccupSource, MachineSource
from floodmark.sources.processes import ProcessSource
from floodmark.systems.embedded import SystemState
from floodmark.systems.process import OwnedProcess, ProcessRecord
from floodmark.systems.simulator import is_simulator
from floodmark.timeseries import Sample, TimeSeriesWriter


@contextmanager
def watch_parts(system: SystemState, generator: OwnedProcess, path: Path) -> Iterator[Sampler]:
    """Sample every part until the context ends, into the time series at `path`.

    EnvironmentFailedError at the end if the file could not be written.
    """
    with HiccupSource() as hiccups, Sampler(_sources(system, generator, hiccups), TimeSeriesWriter(path)) as sampler:
        yield sampler


def _sources(system: SystemState, generator: OwnedProcess, hiccups: HiccupSource) -> dict[str, Source]:
    sources: dict[str, Source] = {"machine": MachineSource(), "hiccups": hiccups}
    for record in system.processes:
        sources[f"{record.name} process"] = _process(record)
    sources["generator process"] = _WhileRunning(generator)
    harness = psutil.Process(os.getpid())
    sources["harness process"] = ProcessSource(name="harness", find=lambda: harness, with_children=False)
    for name, address in system.metrics_addresses.items():
        sources[f"{name} metrics"] = FlinkSource(name=name, endpoint=Endpoint(url=address))
    if is_simulator(system.kinesis_endpoint):
        sources["simulator metrics"] = KinesisSource(endpoint=Endpoint(url=f"{system.kinesis_endpoint}/metrics"))
    return sources


class _WhileRunning:
    """A process whose end is expected: having ended, it leaves no gap."""

    def __init__(self, process: OwnedProcess) -> None:
        self._process = process
        self._source = _process(process.record)

    def sample(self, now_ms: int) -> list[Sample]:
        return self._source.sample(now_ms) if self._process.is_running() else []


def _process(record: ProcessRecord) -> ProcessSource:
    return ProcessSource(name=record.name, find=record.process.process)
