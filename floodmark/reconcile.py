"""Holds what came out of the job against what the oracle says must have come: a comparison of multisets.

Equal keys are the same output. One that came more often than it may is a duplicate, one that came less often than it
must is lost, and whatever the oracle does not know, or whose arrival stamp is impossible, is unexpected. Where several
records lead to equal outputs, the arrival stamps tell which of them came: that one came twice does not make up for
another that is missing. Records of the harness itself are in no count. Only expected outputs are kept in memory, at
some 300 bytes each.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from floodmark.oracle import SEPARATOR, Destination, ExpectedOutput, MalformedOutputError, Oracle, ReadOutput
from floodmark.outputs import Observed
from floodmark.pairing import Span, count_pairs
from floodmark.run import Outputs

EXAMPLES_MAX = 20
EXAMPLE_CHARACTERS_MAX = 300

UNSTAMPED = -1

_NONE = -1


class Example(BaseModel):
    """One output that was lost, doubled or unexpected: what it was and what is wrong with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stream: str
    output: str
    problem: str


class Examples(BaseModel):
    """The first few of each kind, for a person who looks for the cause."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lost: list[Example] = []
    duplicated: list[Example] = []
    unexpected: list[Example] = []


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchedOutputs:
    """Stamps of the outputs that came of a known record, the first time that they came; epoch milliseconds.

    Dead letters are not among them: a job refuses a record at once, whatever it holds its outputs back for.

    `knowable_ms` is the moment from which event time let the output be known; `input_arrival_ms` is UNSTAMPED where
    outputs carry no arrival.
    """

    intended_ms: npt.NDArray[np.int64]
    knowable_ms: npt.NDArray[np.int64]
    input_arrival_ms: npt.NDArray[np.int64]
    output_arrival_ms: npt.NDArray[np.int64]
    seen_ms: npt.NDArray[np.int64]
    sent_ms: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reconciliation:
    """What the comparison found."""

    outputs: Outputs
    examples: Examples
    matched: MatchedOutputs


def _column() -> "array[int]":
    return array("q")


@dataclass(slots=True)
class _Columns:
    """One row an expected output. Rows with the same key form a chain; its first row holds what belongs to the key."""

    index: "array[int]" = field(default_factory=_column)
    intended_ms: "array[int]" = field(default_factory=_column)
    knowable_ms: "array[int]" = field(default_factory=_column)
    sent_ms: "array[int]" = field(default_factory=_column)
    acknowledged_ms: "array[int]" = field(default_factory=_column)
    input_arrival_ms: "array[int]" = field(default_factory=_column)
    output_arrival_ms: "array[int]" = field(default_factory=_column)
    seen_ms: "array[int]" = field(default_factory=_column)
    following: "array[int]" = field(default_factory=_column)
    is_dead_letter: "array[int]" = field(default_factory=_column)
    # The rest counts in the first row of a chain only.
    last: "array[int]" = field(default_factory=_column)
    unassigned: "array[int]" = field(default_factory=_column)
    sent_ms_min: "array[int]" = field(default_factory=_column)
    acknowledged_ms_max: "array[int]" = field(default_factory=_column)
    least: "array[int]" = field(default_factory=_column)
    most: "array[int]" = field(default_factory=_column)
    observed: "array[int]" = field(default_factory=_column)


class Reconciler:
    """Takes every expected output first, then every observed one.

    `clock_tolerance_ms` is how far the clocks of the generator and of the service may disagree: an arrival stamp
    that lies further before the sending of its record is impossible.
    """

    def __init__(
        self, oracle: Oracle, *, output_stream: str, dead_letter_stream: str, clock_tolerance_ms: int = 0
    ) -> None:
        self.oracle = oracle
        self._destinations: dict[str, Destination] = {output_stream: "output", dead_letter_stream: "dead_letter"}
        self._streams = {destination: stream for stream, destination in self._destinations.items()}
        self._clock_tolerance_ms = clock_tolerance_ms
        self._first_rows: dict[Destination, dict[str, int]] = {"output": {}, "dead_letter": {}}
        self._columns = _Columns()
        self._arrivals_ms: dict[int, list[int]] = {}
        self._unexpected: list[Example] = []
        self._counts = {"observed": 0, "unexpected": 0, "dead_letters": 0}

    def expect(self, expected: Iterable[ExpectedOutput]) -> None:
        """Remember outputs that must or may come."""
        for one in expected:
            row = self._append(one)
            first = self._first_rows[one.destination].setdefault(one.key, row)
            columns = self._columns
            columns.least[first] += one.least
            columns.most[first] += one.most
            if first != row:
                columns.following[columns.last[first]] = row
                columns.last[first] = row
                columns.sent_ms_min[first] = min(columns.sent_ms_min[first], one.arrival_ms_min)
                columns.acknowledged_ms_max[first] = max(columns.acknowledged_ms_max[first], one.arrival_ms_max)
                if columns.unassigned[first] == _NONE:
                    columns.unassigned[first] = row

    def _append(self, one: ExpectedOutput) -> int:
        columns = self._columns
        row = len(columns.index)
        columns.index.append(one.record_index)
        columns.intended_ms.append(one.intended_ms)
        columns.knowable_ms.append(one.knowable_ms)
        columns.is_dead_letter.append(one.destination == "dead_letter")
        for sent in (columns.sent_ms, columns.sent_ms_min):
            sent.append(one.arrival_ms_min)
        for acknowledged in (columns.acknowledged_ms, columns.acknowledged_ms_max):
            acknowledged.append(one.arrival_ms_max)
        for stamps in (columns.input_arrival_ms, columns.output_arrival_ms, columns.seen_ms, columns.following):
            stamps.append(_NONE)
        columns.last.append(row)
        columns.unassigned.append(row)
        for counts in (columns.least, columns.most, columns.observed):
            counts.append(0)
        return row

    def observe(self, outputs: Iterable[Observed]) -> None:
        """Compare outputs that were seen, in the order in which they were seen."""
        for output in outputs:
            if not self.oracle.judges:
                self._count(output)
                continue
            destination = self._destinations.get(output.stream)
            if destination is None:
                self._reject(output, "nobody expects anything in this stream")
                continue
            try:
                read = self.oracle.read(destination, output.value)
            except MalformedOutputError as error:
                self._reject(output, str(error))
                continue
            if not read.control:
                self._compare(destination, output, read)

    def _compare(self, destination: Destination, output: Observed, read: ReadOutput) -> None:
        first = self._first_rows[destination].get(read.key)
        if first is None:
            self._reject(output, "no accepted record leads to this output")
            return
        if read.input_arrival_ms is not None and not self._is_possible(first, output, read.input_arrival_ms):
            return
        columns = self._columns
        row = columns.unassigned[first]
        self._count(output)
        columns.observed[first] += 1
        if row != _NONE:
            columns.unassigned[first] = columns.following[row]
            columns.input_arrival_ms[row] = UNSTAMPED if read.input_arrival_ms is None else read.input_arrival_ms
            columns.output_arrival_ms[row] = output.arrival_ms
            columns.seen_ms[row] = output.seen_ms

    def _is_possible(self, first: int, output: Observed, arrival_ms: int) -> bool:
        """Whether a record can have arrived then; if not, the output is rejected."""
        columns = self._columns
        sent_ms, acknowledged_ms = columns.sent_ms_min[first], columns.acknowledged_ms_max[first]
        tolerance_ms = self._clock_tolerance_ms
        last_ms = min(acknowledged_ms + tolerance_ms, output.arrival_ms)
        if not sent_ms - tolerance_ms <= arrival_ms <= last_ms:
            self._reject(
                output,
                f"arrivalTime is {arrival_ms}, but the record was sent at {sent_ms} and acknowledged at "
                f"{acknowledged_ms}, and its output arrived at {output.arrival_ms}",
            )
            return False
        if columns.following[first] != _NONE:
            self._arrivals_ms.setdefault(first, []).append(arrival_ms)
        return True

    def _count(self, output: Observed) -> None:
        self._counts["observed"] += 1
        if self._destinations.get(output.stream) == "dead_letter":
            self._counts["dead_letters"] += 1

    def _reject(self, output: Observed, problem: str) -> None:
        self._count(output)
        self._counts["unexpected"] += 1
        if len(self._unexpected) < EXAMPLES_MAX:
            text = output.value[: 4 * EXAMPLE_CHARACTERS_MAX].decode("utf-8", errors="backslashreplace")
            self._unexpected.append(_example(output.stream, text, problem))

    def result(self) -> Reconciliation:
        """What the comparison found so far."""
        # Copies, since an array cannot grow while numpy looks at it.
        least, most, observed = (
            np.array(column, np.int64) for column in (self._columns.least, self._columns.most, self._columns.observed)
        )
        missing = np.maximum(least - observed, 0)
        surplus = np.maximum(observed - most, 0)
        self._tell_apart(missing, surplus)
        return Reconciliation(
            outputs=Outputs(
                expected=int(least.sum()),
                observed=self._counts["observed"],
                lost=int(missing.sum()),
                duplicated=int(surplus.sum()),
                unexpected=self._counts["unexpected"],
                dead_letters=self._counts["dead_letters"],
                judged=self.oracle.judges,
            ),
            examples=self._examples(missing, surplus),
            matched=self._matched(),
        )

    def _tell_apart(self, missing: npt.NDArray[np.int64], surplus: npt.NDArray[np.int64]) -> None:
        """Correct the counts of outputs that are equal but for the arrivals of their records."""
        columns, tolerance_ms = self._columns, self._clock_tolerance_ms
        for first, arrivals_ms in self._arrivals_ms.items():
            rows = list(self._chain(first))
            if columns.least[first] != len(rows) or columns.most[first] != len(rows):
                continue  # some may come any number of times, or not at all, and so make up for anything
            spans = [
                Span(columns.sent_ms[row] - tolerance_ms, columns.acknowledged_ms[row] + tolerance_ms) for row in rows
            ]
            pairs = count_pairs(spans, arrivals_ms)
            missing[first], surplus[first] = len(rows) - pairs, len(arrivals_ms) - pairs

    def _chain(self, first: int) -> Iterator[int]:
        row = first
        while row != _NONE:
            yield row
            row = self._columns.following[row]

    def _examples(self, missing: npt.NDArray[np.int64], surplus: npt.NDArray[np.int64]) -> Examples:
        wanted = {*np.flatnonzero(missing)[:EXAMPLES_MAX].tolist(), *np.flatnonzero(surplus)[:EXAMPLES_MAX].tolist()}
        lost: list[Example] = []
        duplicated: list[Example] = []
        for destination, rows in self._first_rows.items():
            for key, row in rows.items():
                if row in wanted:
                    stream, output = self._streams[destination], key.replace(SEPARATOR, ", ")
                    if missing[row]:
                        lost.append(_example(stream, output, self._problem(row, self._columns.least[row])))
                    if surplus[row]:
                        duplicated.append(_example(stream, output, self._problem(row, self._columns.most[row])))
        return Examples(lost=lost, duplicated=duplicated, unexpected=list(self._unexpected))

    def _problem(self, row: int, expected: int) -> str:
        observed = self._columns.observed[row]
        which = f", some of them of the same of its {expected} records" if observed == expected else ""
        return f"record {self._columns.index[row]}: came {observed} times{which}, expected {expected}"

    def _matched(self) -> MatchedOutputs:
        is_dead_letter = np.array(self._columns.is_dead_letter, np.bool_)
        came = (np.array(self._columns.output_arrival_ms, np.int64) != _NONE) & ~is_dead_letter

        def chosen(column: "array[int]") -> npt.NDArray[np.int64]:
            stamps: npt.NDArray[np.int64] = np.array(column, np.int64)[came]
            return stamps

        return MatchedOutputs(
            intended_ms=chosen(self._columns.intended_ms),
            knowable_ms=chosen(self._columns.knowable_ms),
            sent_ms=chosen(self._columns.sent_ms),
            input_arrival_ms=chosen(self._columns.input_arrival_ms),
            output_arrival_ms=chosen(self._columns.output_arrival_ms),
            seen_ms=chosen(self._columns.seen_ms),
        )


def _example(stream: str, output: str, problem: str) -> Example:
    return Example(stream=stream, output=_bounded(output), problem=_bounded(problem))


def _bounded(text: str) -> str:
    """Short, and fit to be written: JSON may smuggle in halves of characters, which UTF-8 does not have."""
    return text[:EXAMPLE_CHARACTERS_MAX].encode("utf-8", errors="backslashreplace").decode("utf-8")
