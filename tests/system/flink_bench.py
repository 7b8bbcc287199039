"""What the tests of Flink jobs share: the figures of a job's operators, bad records and their dead letters."""

import base64
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import urllib3

from floodmark.systems.embedded import EmbeddedSystem
from simulators.traffic.bad_records import Role, faults_of

CUT_BYTES = 64 * 1024
WAIT_S = 60.0


def wait_until(is_so: Callable[[], bool], what: Callable[[], object]) -> None:
    """Wait until something is so; `what` tells how it stands if it does not get so."""
    deadline_s = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline_s, what()
        time.sleep(0.2)


def gauges(system: EmbeddedSystem, job_id: str, name: str, operator: str = "") -> list[int]:
    """A figure of every operator of a job of which the name begins with `operator`, by subtask."""
    exposed = urllib3.request("GET", system.cluster.metrics_addresses()["task-manager-1"]).data.decode()
    samples = re.findall(rf"^flink_taskmanager_job_task_operator_{name}{{(.*)}} (\S+)$", exposed, re.MULTILINE)
    return [
        int(float(value)) for labels, value in samples if job_id in labels and f'operator_name="{operator}' in labels
    ]


def late_records(system: EmbeddedSystem, job_id: str) -> int:
    """How many records a job has dropped for being late."""
    return sum(gauges(system, job_id, "numLateRecordsDropped"))


def bad_records(good: bytes, roles: Sequence[Role]) -> dict[bytes, str]:
    """A good record, broken in every way there is, each with the reason for which it must be refused."""
    broken = {fault.apply(good.split(b",")): fault.reason for fault in faults_of(roles)}
    return {record: reason for record, reason in broken.items() if record}  # the service takes none without data


def dead_letter(source: str, record: bytes, reason: str, arrival_ms: int) -> tuple[tuple[str, Any], ...]:
    """The dead letter of a record, in the form of `frozen`."""
    cut = record[:CUT_BYTES]
    try:
        record.decode()
        quoted = {"value": cut.decode(errors="ignore")}
    except UnicodeDecodeError:
        quoted = {"valueBase64": base64.b64encode(cut).decode()}
    document = {
        "source": source,
        "reason": reason,
        "truncated": len(record) > CUT_BYTES,
        "arrivalTime": arrival_ms,
        **quoted,
    }
    return frozen(document)


def frozen(document: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """A document in a form that can be counted."""
    return tuple(sorted(document.items()))


def assert_dead_letters(streams: Any, bad: dict[bytes, str]) -> None:
    """Whether every bad record of a job's input, and no other, has its dead letter."""
    arrivals_ms = streams.arrivals_ms()
    seen = Counter(frozen(one.document) for one in streams.outputs(streams.dead_letter, len(bad)))
    assert seen == Counter(
        dead_letter(streams.input, record, reason, arrivals_ms[record]) for record, reason in bad.items()
    )
