"""A series of lines: the traffic of every kind whose records are columns of text."""

from collections.abc import Sequence

from simulators.traffic import DueTimes, Integers, RecordBatch
from simulators.traffic.bad_records import BadRecords, Role
from simulators.traffic.disorder import Disorder, Sources
from simulators.traffic.key_choice import parse_key_choice
from simulators.traffic.keys import key_maker
from simulators.traffic.lines import LineMaker, Lines, Stretch
from simulators.traffic.options import SeriesOptions
from simulators.traffic.rows import lines_of


class LineTraffic:
    """The series that options describe, of the lines that a maker makes. ValueError for keys by an unknown field.

    `roles` say what the columns hold, in order, so that they can be spoilt.
    """

    def __init__(
        self,
        options: SeriesOptions,
        maker: LineMaker,
        *,
        key_field: str,
        roles: Sequence[Role],
        due_times: DueTimes | None,
    ) -> None:
        choice = parse_key_choice(options.keys)
        self._key_field = choice.field or key_field
        if self._key_field not in maker.key_columns:
            raise ValueError(f"no keys by the field {self._key_field!r}: there are {', '.join(maker.key_columns)}")
        self._maker = maker
        self._lines = Lines(maker)
        self._disorder = Disorder(options, due_times)
        self._keys = key_maker(choice, options.seed)
        self._bad = BadRecords(seed=options.seed, share=options.bad_share, roles=roles) if options.bad_share else None

    def records(self, first_index: int, due_times_ms: Integers) -> RecordBatch:
        """The records `first_index …`, due at these times (epoch milliseconds)."""
        if len(due_times_ms) == 0:
            return RecordBatch(keys=[], values=[])
        sources = self._disorder.sources(first_index, due_times_ms)
        stretch = self._stretch(sources)
        self._maker.stamp(stretch.rows, stretch.hidden, self._disorder.event_times(sources))
        values = lines_of(stretch.rows)
        if self._bad:
            self._bad.spoil(sources, values)
        keys = self._keys.choose(sources, lambda: self._texts(sources))
        return RecordBatch(keys=keys.keys, values=values, explicit_hash_keys=keys.explicit_hash_keys)

    def _stretch(self, sources: Sources) -> Stretch:
        stretch, offsets = self._lines.stretch(sources.first_index, sources.count), sources.offsets
        if offsets is None:
            return stretch
        return Stretch(rows=stretch.rows[offsets], hidden=None if stretch.hidden is None else stretch.hidden[offsets])

    def _texts(self, sources: Sources) -> list[str]:
        texts = self._lines.texts(sources.first_index, sources.count, self._key_field)
        return texts if sources.offsets is None else [texts[offset] for offset in sources.offsets.tolist()]
