"""Records that repeat an earlier one, and event times: on another scale than due times, late, out of order."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulators.traffic import DueTimes, Integers
from simulators.traffic.draws import draw, is_below, pick_below
from simulators.traffic.options import SeriesOptions

_FIRST = np.zeros(1, np.int64)
_REPEATS = 102
_LAGS = 103


@dataclass(frozen=True, slots=True)
class Sources:
    """Which record stands at each place, and when it was due: itself, or the earlier one that it repeats.

    All of them lie within `count` records from `first_index` on. `offsets` say where, unless they are just these.
    """

    first_index: int
    count: int
    due_times_ms: Integers
    offsets: Integers | None = None

    def draw(self, seed: int, series: int) -> npt.NDArray[np.uint64]:
        """Four draws a record, see `draws.draw`."""
        drawn = draw(seed, series, self.first_index, self.count)
        return drawn if self.offsets is None else drawn[self.offsets]

    @property
    def indices(self) -> Integers:
        """Of the records that stand there."""
        if self.offsets is None:
            return np.arange(self.first_index, self.first_index + self.count)
        return self.first_index + self.offsets


class Disorder:
    """Decides by index.

    ValueError if nobody says when records are due, and that of others must be known: of those that are repeated, or of
    the first, from which event time runs on a scale of its own.
    """

    def __init__(self, options: SeriesOptions, due_times: DueTimes | None) -> None:
        if options.duplicate_share and due_times is None:
            raise ValueError("a repeat of an earlier record has its event time: due times are needed to make it")
        if options.event_time_scale != 1 and due_times is None:
            raise ValueError("event time is scaled from the first record on: due times are needed to know when it is")
        self._options = options
        self._due_times = due_times
        self._origin_ms = int(due_times(_FIRST)[0]) if due_times and options.event_time_scale != 1 else 0
        self._lags = options.late_share > 0 or (options.out_of_order_share > 0 and options.out_of_order_ms > 0)

    def sources(self, first_index: int, due_times_ms: Integers) -> Sources:
        """Which records stand at these places."""
        count = len(due_times_ms)
        if not self._options.duplicate_share or not count:
            return Sources(first_index, count, due_times_ms)
        indices = self._originals(first_index, count)
        repeats = np.flatnonzero(indices != np.arange(first_index, first_index + count))
        due_times_ms = due_times_ms.copy()
        if len(repeats) and self._due_times:
            due_times_ms[repeats] = self._due_times(indices[repeats])
        first = int(indices.min())
        return Sources(first, int(indices.max()) - first + 1, due_times_ms, indices - first)

    def event_times(self, sources: Sources) -> Integers:
        """Due times on the scale of event time, less what late and disordered records lie behind."""
        options = self._options
        undisturbed_ms = self._scaled(sources.due_times_ms)
        if not self._lags:
            return undisturbed_ms
        drawn = sources.draw(options.seed, _LAGS)
        behind = np.where(
            is_below(drawn[:, 1], options.out_of_order_share),
            pick_below(drawn[:, 2], options.out_of_order_ms + 1),
            0,
        )
        behind[is_below(drawn[:, 0], options.late_share)] = options.late_by_ms
        event_times_ms: Integers = undisturbed_ms - behind
        return event_times_ms

    def _scaled(self, due_times_ms: Integers) -> Integers:
        scale = self._options.event_time_scale
        if scale == 1:
            return due_times_ms
        scaled_ms: Integers = np.rint((due_times_ms - self._origin_ms) * scale).astype(np.int64)
        return self._origin_ms + scaled_ms

    def _originals(self, first_index: int, count: int) -> Integers:
        """The index of the record at each place: for a repeat, an earlier one that is itself no repeat.

        Where there is none such within reach, the record repeats nothing.
        """
        options = self._options
        start = max(0, first_index - options.duplicate_within)
        drawn = draw(options.seed, _REPEATS, start, first_index + count - start)
        places = np.arange(start, first_index + count)
        is_repeat = is_below(drawn[:, 0], options.duplicate_share)
        latest_original = np.maximum.accumulate(np.where(is_repeat, -1, places))
        wanted = places - 1 - pick_below(drawn[:, 1], options.duplicate_within)
        found = latest_original[np.maximum(wanted - start, 0)]
        can = is_repeat & (wanted >= 0) & (found >= 0) & (places - found <= options.duplicate_within)
        originals: Integers = np.where(can, found, places)[first_index - start :]
        return originals
