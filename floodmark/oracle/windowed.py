"""What the oracles have in common whose jobs count records in windows of 5 seconds, one after the other."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic

from floodmark.oracle import (
    CONTROL_PREFIXES,
    AcceptedRecords,
    Destination,
    ExpectedOutput,
    LateRecords,
    MalformedOutputError,
    OracleSettings,
    ReadOutput,
)
from floodmark.oracle.admission import Admission
from floodmark.oracle.content import Content
from floodmark.oracle.control import is_closing
from floodmark.oracle.dead_letters import read_dead_letter
from floodmark.oracle.documents import integer_of, key_of, read_document, require_names
from floodmark.oracle.grammar import Grammar, LineT, Refusal
from floodmark.oracle.late_count import LateCount
from floodmark.oracle.survey import survey
from floodmark.oracle.watermarks import Watermarks

WINDOW_MS = 5_000
"""Windows begin at the multiples of this since the epoch."""

Group = tuple[str, ...]
Place = tuple[int, Group]
"""Where a window begins, and whose it is."""


class WindowedOracle(ABC, Generic[LineT]):
    """Keeps one window for each output: memory grows with the number of outputs, not with that of the records."""

    judges = True
    surveys = True

    _count_name: str
    """What the output calls the number of records."""

    _names: frozenset[str]

    def __init__(self, settings: OracleSettings, grammar: Grammar[LineT]) -> None:
        self._settings = settings
        self._grammar = grammar
        self._admission = Admission(grammar, settings)
        self._watermarks = Watermarks(settings)
        self._late = LateCount()
        self._windows: dict[Place, Content] = {}
        self._control: set[Place] = set()

    @abstractmethod
    def _group(self, line: LineT) -> Group:
        """Whose window a record belongs to."""

    @abstractmethod
    def _group_of(self, output: dict[str, Any]) -> Group:
        """Whose window an output is about."""

    def _cents(self, line: LineT) -> int:  # noqa: ARG002 for those that sum nothing
        return 0

    def _problem(self, output: dict[str, Any], window: Content) -> str | None:
        """What is wrong with what an output says of a window."""
        count = integer_of(output, self._count_name)
        if window.allows_count(count):
            return None
        return f"{self._count_name} is {count}, and {window.count_wording()} records are in that window"

    @property
    def late(self) -> LateRecords:
        return self._late.late

    def control(self, values: Sequence[bytes]) -> None:
        for value in values:
            line = self._grammar.read(value)
            if isinstance(line, Refusal):
                continue
            self._control.add((window_start(line.event_time_ms), self._group(line)))
            # Closing records come after all others were read: they make none of them late.
            if not is_closing(value):
                self._watermarks.take_canary(line.event_time_ms)

    def survey(self, records: AcceptedRecords) -> None:
        survey(self._admission, records, self._watermarks)

    def expect(self, records: AcceptedRecords) -> Iterator[ExpectedOutput]:
        bounds = self._watermarks.between(records)
        for judged, least_ms, most_ms in zip(self._admission.judge(records), *bounds, strict=True):
            if judged.reason:
                yield from judged.dead_letters()
            if judged.line is None:
                continue
            start_ms = window_start(judged.line.event_time_ms)
            least, most = self._late.admit(judged, start_ms + WINDOW_MS - 1, least_ms, most_ms)
            if most:
                place = (start_ms, self._group(judged.line))
                window = self._windows.get(place)
                if window is None:
                    window = self._windows[place] = Content(judged.record)
                window.take(judged.record, self._cents(judged.line), least, most)

    def finish(self) -> Iterator[ExpectedOutput]:
        for place, window in self._windows.items():
            if self._is_control(place):
                continue
            end_ms = place[0] + WINDOW_MS
            knowable_ms = self._settings.wall_ms(end_ms + self._settings.watermark_delay_ms)
            yield window.leads_to(_key(place), knowable_ms=knowable_ms, certain=window.count > 0)

    def read(self, destination: Destination, value: bytes) -> ReadOutput:
        if destination == "dead_letter":
            return read_dead_letter(value, self._settings.input_stream)
        output = read_document(value)
        require_names(output, self._names)
        start_ms, end_ms = integer_of(output, "windowStart"), integer_of(output, "windowEnd")
        if start_ms % WINDOW_MS or end_ms != start_ms + WINDOW_MS:
            raise MalformedOutputError(f"there is no window from {start_ms} to {end_ms}")
        place = (start_ms, self._group_of(output))
        read = ReadOutput(key=_key(place), input_arrival_ms=None, control=self._is_control(place))
        window = self._windows.get(place)
        if window and not read.control and (problem := self._problem(output, window)):
            raise MalformedOutputError(problem)
        return read

    def _is_control(self, place: Place) -> bool:
        return place in self._control or any(name.startswith(CONTROL_PREFIXES) for name in place[1])


def window_start(event_time_ms: int) -> int:
    """Where the window of an event time begins."""
    return event_time_ms - event_time_ms % WINDOW_MS


def _key(place: Place) -> str:
    start_ms, group = place
    return key_of(*group, str(start_ms), str(start_ms + WINDOW_MS))
