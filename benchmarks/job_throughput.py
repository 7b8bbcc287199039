"""What each job costs beside the cheapest one: `python benchmarks/job_throughput.py [--records N] [--repetitions N]`.

A backlog lies in three shards of the simulator, which has no quotas here; each job reads it from its beginning in one
slot, in turn, repetition by repetition. Measured between 20 % and 90 % of the backlog: records a second, and CPU time
of the TaskManager, with the Python workers that it starts, by record. Both are given as ratios to the pass-through job
of the same repetition, which does nothing but read and write. A last round samples the TaskManager's threads and says
which operator they were in most.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import urllib3
from own_cluster import OwnCluster, own_cluster
from thread_samples import ThreadSamples

from floodmark.scenarios import SCENARIOS, Scenario
from floodmark.systems.flink import wait_until_running

FLOODMARK = Path(sys.executable).with_name("floodmark")
FILL_RATE_RECORDS_PER_SECOND = 50_000
EVENT_TIME_SCALE = 20
"""So that a backlog that is filled in seconds spans minutes of event time, and windows close while it is read."""

FROM_SHARE, TO_SHARE = 0.2, 0.9
LOOK_EVERY_S = 0.1
DUMPS = 60
TIMEOUT_S = 300
END_TIMEOUT_S = 60
OPTIONS = (
    *("--start", "TRIM_HORIZON", "--parallelism", "1", "--checkpoint-interval", "60s"),
    *("--poll-interval", "1ms", "--watermark-delay", "60s"),
)
_READ = re.compile(r'_operator_numRecordsOut\{.*operator_name="Source:.*\} (\S+)')


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a job took from the TaskManager."""

    records_per_second: float
    cpu_us_a_record: float


@dataclass(frozen=True, kw_only=True)
class Case:
    """A job in one of its APIs."""

    scenario: Scenario
    api: str

    @property
    def name(self) -> str:
        """As in the table."""
        return f"{self.scenario.name}, {self.api}"


CASES = [Case(scenario=scenario, api=api) for scenario in SCENARIOS.values() for api in scenario.apis]
CEILING = next(case for case in CASES if case.name == "pass-through, sql")


def streams() -> dict[str, int]:
    """Three shards each, and one for dead letters."""
    names = {name for one in SCENARIOS.values() for name in (one.input_stream, one.output_stream)}
    return {**dict.fromkeys(sorted(names), 3), "dead-letter-stream": 1}


def fill(endpoint: str, kind: str, records: int) -> None:
    """Put a backlog of one kind."""
    command = [str(FLOODMARK), "produce", kind, "--records", str(records), "--rate", str(FILL_RATE_RECORDS_PER_SECOND)]
    command += ["--warm-up", "0s", "--duration", "1h", "--event-time-scale", str(EVENT_TIME_SCALE)]
    done = subprocess.run([*command, "--endpoint", endpoint], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the backlog of {kind} could not be put:\n{done.stderr[-2000:]}")


class Watch:
    """How many records the job has read, and what the TaskManager has used."""

    def __init__(self, system: OwnCluster) -> None:
        self._address = system.metrics_address
        self._process = psutil.Process(system.task_manager.pid)
        self._used_s: dict[int, float] = {}

    def records(self) -> float:
        """Read since the job began, by Flink's own count."""
        text = urllib3.request("GET", self._address, timeout=5).data.decode()
        return sum(float(one) for one in _READ.findall(text))

    def cpu_s(self) -> float:
        """User and system time, Python workers included, those that have ended as well."""
        for one in (self._process, *self._process.children(recursive=True)):
            try:
                times = one.cpu_times()
                self._used_s[one.pid] = times.user + times.system
            except psutil.NoSuchProcess:
                continue
        return sum(self._used_s.values())


def measure(system: OwnCluster, case: Case, records: int, *, look: Callable[[], None] = lambda: None) -> Cost:
    """Run one job over the backlog. `look` is called at every look in the measured part."""
    watch = Watch(system)
    options = ["--endpoint", system.endpoint, "--api", case.api, *OPTIONS]
    job = system.submitter.submit(case.scenario.job, options)
    wait_until_running(system.flink, job, timeout_s=60)
    first: tuple[float, float, float] | None = None
    deadline_s = time.monotonic() + TIMEOUT_S
    try:
        while True:
            seen = (watch.records(), watch.cpu_s(), time.monotonic())
            if first is None and seen[0] >= FROM_SHARE * records:
                first = seen
            if first is not None:
                look()
            if first is not None and seen[0] >= TO_SHARE * records:
                break
            if time.monotonic() > deadline_s:
                raise SystemExit(f"{case.name} has read {seen[0]:,.0f} of {records:,} records after {TIMEOUT_S} s")
            time.sleep(LOOK_EVERY_S)
    finally:
        end(system, job)
    count = seen[0] - first[0]
    if count <= 0:
        raise SystemExit(f"{case.name} read the backlog between two looks: give it more --records")
    return Cost(records_per_second=count / (seen[2] - first[2]), cpu_us_a_record=1e6 * (seen[1] - first[1]) / count)


def end(system: OwnCluster, job: str) -> None:
    """Cancel the job and wait for its slot."""
    system.flink.cancel(job)
    deadline_s = time.monotonic() + END_TIMEOUT_S
    while system.flink.overview().slots_available < 1:
        if time.monotonic() > deadline_s:
            raise SystemExit(f"the job {job} does not end within {END_TIMEOUT_S} s")
        time.sleep(0.2)


def sampled(system: OwnCluster, case: Case, records: int) -> dict[str, float]:
    """The shares of the operators, by thread dumps spread over the measured part."""
    samples = ThreadSamples(system.task_manager.pid, system.task_manager.record.log)
    taken = iter(range(DUMPS))

    def look() -> None:
        if next(taken, None) is not None:
            samples.take()

    measure(system, case, records, look=look)
    return samples.shares()


def row(case: Case, costs: list[Cost], ceiling: list[Cost], shares: dict[str, float]) -> str:
    """One line of the table."""
    rates = [one.records_per_second for one in costs]
    speeds = [one.records_per_second / top.records_per_second for one, top in zip(costs, ceiling, strict=True)]
    ratios = [one.cpu_us_a_record / top.cpu_us_a_record for one, top in zip(costs, ceiling, strict=True)]
    cpu_us = [one.cpu_us_a_record for one in costs]
    where = " · ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:3]) or "–"
    return (
        f"| {case.name} | {statistics.median(rates):,.0f} | {spread(speeds)} | {statistics.median(cpu_us):.1f} "
        f"| {spread(ratios)} | {where} |"
    )


def spread(values: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def main() -> None:
    """Measure all jobs, or those that are named, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenarios", nargs="*", help="which (all of them); pass-through is measured in any case")
    parser.add_argument("--records", type=int, default=1_000_000, help="size of the backlog (1,000,000)")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    cases = [case for case in CASES if not options.scenarios or case.scenario.name in options.scenarios]
    cases = [CEILING, *(case for case in cases if case != CEILING)]
    costs: dict[str, list[Cost]] = {case.name: [] for case in cases}
    with own_cluster(streams(), slots=1, quotas="off") as system:
        for kind in sorted({case.scenario.kind for case in cases}):
            fill(system.endpoint, kind, options.records)
        measure(system, CEILING, options.records)  # warms Java up; the first run is like no other
        for _ in range(options.repetitions):
            for case in cases:
                costs[case.name].append(measure(system, case, options.records))
                print(f"{case.name}: {costs[case.name][-1]}", file=sys.stderr, flush=True)
        shares = {case.name: sampled(system, case, options.records) for case in cases}
    print("| job | records/s | × pass-through | CPU µs a record | × pass-through | its threads were in |")
    print("|---|---:|---:|---:|---:|---|")
    for case in cases:
        print(row(case, costs[case.name], costs[CEILING.name], shares[case.name]))


if __name__ == "__main__":
    main()
