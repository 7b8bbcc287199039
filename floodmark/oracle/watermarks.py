"""Between which bounds the job's watermark lies when it processes a record, whatever the order in which it reads.

Flink's watermark is the largest event time of the good records that a subtask has read, less the delay; an operator's
is the smallest of its subtasks, those left out that have read nothing for the idle timeout. What is known of a record
is when it arrived; the job reads it some time later, and no two of these times differ by more than the slack.
"""

import numpy as np
import numpy.typing as npt

from floodmark.oracle import AcceptedRecords, OracleSettings
from floodmark.oracle.running_maximum import NOTHING, Integers, RunningMaximum

STRETCH_MS = 100
"""Times of arrival are rounded to this, to the side on which less is said to be certain."""

_UNBOUNDED = -NOTHING
_NO_SHARD = -1


class Watermarks:
    """Takes all records first (`take`), then gives the bounds for each (`between`).

    Memory grows with the duration of the run and the number of shards, not with the number of records.
    """

    def __init__(self, settings: OracleSettings) -> None:
        self._settings = settings
        self._canary_ms = NOTHING
        self._largest_ms = NOTHING
        self._first_arrival_ms = _UNBOUNDED
        self._may_have_come = RunningMaximum()
        self._have_come: dict[int, RunningMaximum] = {}
        self._last_arrival: dict[int, RunningMaximum] = {}
        self._least: tuple[Integers, Integers] | None = None

    def take_canary(self, event_time_ms: int) -> None:
        """A good record that came before all others."""
        # It may make a record late whose event time lies far behind, so it counts for the upper bound. For the lower
        # one it does not: it is not known when it arrived.
        self._canary_ms = max(self._canary_ms, event_time_ms)

    def take(self, records: AcceptedRecords, event_times_ms: Integers, certain: npt.NDArray[np.bool_]) -> None:
        """Records, their event times (negative for those that cannot move event time), and which are good for sure."""
        assert self._least is None, "all records come before the first question"
        if len(records.values) == 0:
            return
        good = event_times_ms >= 0
        self._largest_ms = max(self._largest_ms, int(event_times_ms.max()))
        self._first_arrival_ms = min(self._first_arrival_ms, int(records.arrival_ms_min.min()))
        began = records.arrival_ms_min // STRETCH_MS
        ended = -(-records.arrival_ms_max // STRETCH_MS)
        self._may_have_come.add(began[good], event_times_ms[good])
        dependable = good & certain & (records.least > 0)
        for shard in np.unique(records.shards).tolist():
            mine = records.shards == shard
            # Bad records too: a subtask that reads them is not idle.
            self._last_arrival.setdefault(shard, RunningMaximum()).add(began[mine], records.arrival_ms_max[mine])
            if shard != _NO_SHARD:
                there = mine & dependable
                self._have_come.setdefault(shard, RunningMaximum()).add(ended[there], event_times_ms[there])

    def between(self, records: AcceptedRecords) -> tuple[list[int], list[int]]:
        """For each record the least and the largest value that the watermark can have when it is processed."""
        delay_ms, slack_ms = self._settings.watermark_delay_ms, self._settings.reading_slack_ms
        if slack_ms is None:
            come = np.full(len(records.values), self._largest_ms, np.int64)
        else:
            come = self._may_have_come.at((records.arrival_ms_max + slack_ms) // STRETCH_MS)
        most = np.maximum(come, self._canary_ms) - delay_ms
        return self.least_at(records.arrival_ms_min).tolist(), most.tolist()

    def least_at(self, arrival_ms_min: Integers) -> Integers:
        """The least value that the watermark can have when a record is processed that arrived then at the earliest."""
        slack_ms = self._settings.reading_slack_ms
        if slack_ms is None:
            return np.full(len(arrival_ms_min), NOTHING, np.int64)
        stretches, least = self._least_by_time(slack_ms)
        place = np.searchsorted(stretches, (arrival_ms_min - slack_ms) // STRETCH_MS, side="right")
        found: Integers = least[place]
        return found

    def _least_by_time(self, slack_ms: int) -> tuple[Integers, Integers]:
        """(stretches, watermarks): before the first stretch the first watermark is the least, then the next, and so on.

        A watermark never falls, so the least one at a moment is the largest of those up to it.
        """
        if self._least is None:
            parts = [maximum.stretches for maximum in self._have_come.values()]
            stretches = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)
            least = self._least_over_shards(stretches, slack_ms)
            rising = np.maximum.accumulate(np.concatenate([[NOTHING], least]))
            self._least = stretches, rising
        return self._least

    def _least_over_shards(self, stretches: Integers, slack_ms: int) -> Integers:
        """The watermark by which all that had come by each stretch has been read, before anything that comes later.

        When that is so, what came within the slack after it may have been read as well, and no more.
        """
        settings = self._settings
        if settings.idle_timeout_ms <= 0:  # nothing is ever left out, not even a subtask without a shard
            return np.full(len(stretches), NOTHING, np.int64)
        times_ms = stretches * STRETCH_MS
        # At first, subtasks that got nothing but canaries, or nothing at all, are not idle yet.
        settled = times_ms >= self._first_arrival_ms + settings.idle_timeout_ms + slack_ms
        latest = (times_ms + slack_ms) // STRETCH_MS
        awake_since = times_ms - settings.idle_timeout_ms - slack_ms
        nowhere = self._last_arrival.get(_NO_SHARD, RunningMaximum())
        # What came nobody knows where may have kept any shard awake.
        all_awake = nowhere.at(latest) > awake_since
        least = np.full(len(stretches), _UNBOUNDED, np.int64)
        for shard, maximum in self._have_come.items():
            awake = (self._last_arrival[shard].at(latest) > awake_since) | all_awake
            least = np.where(awake, np.minimum(least, maximum.at(stretches)), least)
        known: Integers = np.where(settled & (least < _UNBOUNDED), least - settings.watermark_delay_ms, NOTHING)
        return known
