"""Calls and records in Locust's own statistics.

| type | name | what one request is |
|---|---|---|
| `PutRecords` | the stream | a call, with its response time; failed unless every record was accepted |
| `record` | accepted | an accepted record; its response time counts from when it was due |
| `record` | throttled | a record refused for a quota, once an answer; it is tried again |
| `record` | given up | a record that failed for good, or of which nobody knows whether it arrived |

The totals that Locust shows are those of the calls.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from locust.env import Environment
from locust.stats import StatsEntry, StatsError, bucket_response_time

from floodmark.producer import CallResult, Ending

RECORD = "record"


class CallFailedError(Exception):
    """Why a call is not a success, in words that are the same for calls that failed alike."""


def report(environment: Environment, stream: str, result: CallResult) -> None:
    """Count one call and its records. One event a call: at several microseconds each, one a record costs too much."""
    events: Any = environment.events
    events.request.fire(
        request_type="PutRecords",
        name=stream,
        response_time=result.latency_ms,
        response_length=result.size_bytes,
        exception=None if result.is_clean else CallFailedError(_why(result)),
        context={},
    )
    stats = environment.stats
    for milliseconds, count in _grouped(result.accepted_after_ms):
        _log_many(stats.get("accepted", RECORD), count, milliseconds)
    for name, count in (("throttled", result.throttled), ("given up", result.failed + result.unknown)):
        if count:
            _fail_many(environment, name, count, _why(result))


def _why(result: CallResult) -> str:
    ending = "records refused" if result.ending is Ending.ANSWERED else result.ending.value
    return f"{ending}: {result.detail}" if result.detail else ending


def _grouped(milliseconds: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    values, counts = np.unique(np.rint(milliseconds).astype(np.int64), return_counts=True)
    return list(zip(values.tolist(), counts.tolist(), strict=True))


def _log_many(entry: StatsEntry, count: int, milliseconds: int) -> None:
    """As many calls of `entry.log` with the same time as `count` says, for the price of one."""
    entry.log(milliseconds, 0)
    more = count - 1
    entry.num_requests += more
    entry.num_reqs_per_sec[int(entry.last_request_timestamp or 0)] += more
    entry.total_response_time += milliseconds * more
    entry.response_times[bucket_response_time(milliseconds)] += more


def _fail_many(environment: Environment, name: str, count: int, why: str) -> None:
    entry = environment.stats.get(name, RECORD)
    _log_many(entry, count, 0)
    entry.log_error(None)
    entry.num_failures += count - 1
    entry.num_fail_per_sec[int(entry.last_request_timestamp or 0)] += count - 1
    key = StatsError.create_key(RECORD, name, why)
    error = environment.stats.errors.setdefault(key, StatsError(RECORD, name, why))
    error.occurred()
    error.occurrences += count - 1
