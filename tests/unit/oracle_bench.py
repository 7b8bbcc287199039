"""What tests of oracles need: accepted records, and a whole comparison in one call."""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from floodmark.oracle import AcceptedRecords, LateRecords, Oracle, OracleSettings
from floodmark.oracle.catalogue import find_oracle
from floodmark.outputs import Observed
from floodmark.reconcile import Reconciler
from floodmark.run import Outputs

NOW_MS = 1_700_000_000_000
"""A moment at which a window begins."""

Column = int | Sequence[int]


def make_oracle(scenario: str, **settings: Any) -> Oracle:
    """A fresh one, with these settings."""
    oracle = find_oracle(scenario, OracleSettings(input_stream="in", **{"event_time_origin_ms": NOW_MS, **settings}))
    assert oracle
    return oracle


def accepted(
    values: Sequence[bytes],
    *,
    due_ms: Column = NOW_MS,
    sent_ms: Column | None = None,
    acknowledged_ms: Column | None = None,
    times: tuple[Column, Column] = (1, 1),
    shards: Column = 0,
    first_index: int = 0,
) -> AcceptedRecords:
    """Records that were sent when they were due and acknowledged at once, unless it is said otherwise."""

    def column(numbers: Column) -> Any:
        return np.broadcast_to(np.array(numbers, np.int64), (len(values),)).copy()

    sent_ms = due_ms if sent_ms is None else sent_ms
    return AcceptedRecords(
        indices=np.arange(first_index, first_index + len(values), dtype=np.int64),
        values=list(values),
        intended_ms=column(due_ms),
        arrival_ms_min=column(sent_ms),
        arrival_ms_max=column(sent_ms if acknowledged_ms is None else acknowledged_ms),
        least=column(times[0]),
        most=column(times[1]),
        shards=column(shards),
    )


def compare(
    oracle: Oracle,
    pieces: Sequence[AcceptedRecords],
    outputs: Iterable[tuple[str, bytes]],
    *,
    seen_ms: int = 2 * NOW_MS,
) -> Outputs:
    """What a comparison finds: `outputs` are (destination, value), all of them seen long after everything."""
    reconciler = Reconciler(oracle, output_stream="output", dead_letter_stream="dead_letter")
    if oracle.surveys:
        for piece in pieces:
            oracle.survey(piece)
    for piece in pieces:
        reconciler.expect(oracle.expect(piece))
    reconciler.expect(oracle.finish())
    reconciler.observe(
        Observed(stream=stream, shard="s", sequence="1", arrival_ms=seen_ms, seen_ms=seen_ms, value=value)
        for stream, value in outputs
    )
    return reconciler.result().outputs


def counts(found: Outputs) -> tuple[int, int, int, int]:
    """Expected, lost, duplicated, unexpected."""
    return found.expected, found.lost, found.duplicated, found.unexpected


def late_of(oracle: Oracle) -> tuple[int, int]:
    """Certain, in doubt."""
    late: LateRecords = oracle.late
    return late.certain, late.in_doubt


def document(**fields: Any) -> bytes:
    """JSON as a job writes it, decimals as plain numbers."""
    parts = [
        f"{json.dumps(name)}: {f'{value:f}' if isinstance(value, Decimal) else json.dumps(value)}"
        for name, value in fields.items()
    ]
    return f"{{{', '.join(parts)}}}".encode()
