"""However the job interleaves the shards, the oracle accepts what comes out, and counts what was late."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.oracle import ANY_NUMBER, AcceptedRecords, Oracle
from floodmark.run import Outputs
from tests.property.flink_like import Operator, Read, play
from tests.property.plain_jobs import JOBS, Output
from tests.unit.oracle_bench import NOW_MS, accepted, compare, counts, document, late_of, make_oracle

START_MS = NOW_MS + 30_000
HELD_BACK = ("order-count", "live-sales", "clickstream", "trade-risk")
MAX_FUTURE_MS = 2_000


class Row(NamedTuple):
    """One record, as drawn."""

    gap_ms: int
    behind_ms: int
    shard: int
    sent_to_arrival_ms: int
    arrival_to_answer_ms: int
    reading_percent: int
    knowing_percent: int
    fate: str
    cents: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of the job, and of how it reads."""

    scenario: str
    delay_ms: int
    idle_ms: int
    slack_ms: int
    parallelism: int
    canary_behind_ms: int
    is_slack_known: bool
    trouble: float
    """Which share of records in steady traffic has another fate than to be there."""


FATES = ["bad", "bad", "somewhere", "unknown-0", "unknown-1", "unknown-2"]
"""Refused; taken in, but nobody knows by which shard; there so many times, but nobody knows whether it is there."""

ROWS = st.builds(
    Row,
    gap_ms=st.sampled_from([0, 1, 50, 50, 700, 700, 2_500, 2_500, 9_000, 200_000]),
    behind_ms=st.one_of(st.just(0), st.integers(-5_000, 12_000), st.sampled_from([60_000, 300_000, 600_000])),
    shard=st.integers(0, 2),
    sent_to_arrival_ms=st.integers(0, 300),
    arrival_to_answer_ms=st.integers(0, 300),
    reading_percent=st.integers(0, 100),
    knowing_percent=st.integers(0, 100),
    fate=st.sampled_from(["there"] * 6 + FATES),
    cents=st.sampled_from([1_000_000, 1_000_000, 1_000_001, 1_250_000, 1, 5_000_000]),
    name=st.sampled_from("aab"),
)
SETTINGS = st.builds(
    Settings,
    scenario=st.sampled_from([*HELD_BACK, "trade-risk"]),
    delay_ms=st.sampled_from([0, 100, 1_000, 5_000]),
    idle_ms=st.sampled_from([500, 3_000]),
    slack_ms=st.sampled_from([1, 200, 300, 2_000]),
    parallelism=st.integers(1, 4),
    canary_behind_ms=st.sampled_from([0, 2_000, 10**9]),
    is_slack_known=st.sampled_from([True] * 7 + [False]),
    trouble=st.sampled_from([0, 0.03, 0.3]),
)


def line(scenario: str, number: int, row: Row, event_time_ms: int) -> bytes:
    amount = f"{row.cents // 100}.{row.cents % 100:02}"
    match scenario:
        case "clickstream":
            text = f"u-{number},/{row.name},{event_time_ms}"
        case "trade-risk":
            text = f"t-{number},{row.name},{amount},{event_time_ms}"
        case _:
            text = f"o-{number},{amount},{row.name},{event_time_ms}" + (",c" if row.cents % 2 else "")
    return text.encode()


@dataclass
class Record:
    """One record of the load, with all that really happens to it."""

    value: bytes
    due_ms: int
    arrival_ms: int
    acknowledged_ms: int
    row: Row
    reads: list[Read]
    is_refused: bool
    is_bad: bool


def make_records(rows: list[Row], how: Settings) -> list[Record]:
    records = []
    due_ms = START_MS
    for number, row in enumerate(rows):
        due_ms += row.gap_ms
        event_time_ms = due_ms - row.behind_ms
        is_bad = row.fate == "bad"
        value = b"bad" if is_bad else line(how.scenario, number, row, event_time_ms)
        arrival_ms = due_ms + row.sent_to_arrival_ms
        is_refused = not is_bad and event_time_ms > arrival_ms + MAX_FUTURE_MS
        close_ms = event_time_ms if how.scenario == "trade-risk" else event_time_ms // 5_000 * 5_000 + 4_999
        # A lag below the slack, and the watermark after it below the slack as well.
        read_ms = arrival_ms + (how.slack_ms - 1) * row.reading_percent // 100
        known_ms = read_ms + (arrival_ms + how.slack_ms - 1 - read_ms) * row.knowing_percent // 100
        times = int(row.fate[-1]) if row.fate.startswith("unknown") else 1
        read = Read(
            index=number,
            shard=row.shard,
            event_time_ms=None if is_bad or is_refused else event_time_ms,
            close_ms=None if is_bad or is_refused else close_ms,
            read_ms=read_ms,
            known_ms=known_ms,
        )
        records.append(
            Record(
                value,
                due_ms,
                arrival_ms,
                arrival_ms + row.arrival_to_answer_ms,
                row,
                [read] * times,
                is_refused,
                is_bad,
            )
        )
    return records


def as_accepted(records: list[Record]) -> AcceptedRecords:
    """What the ledger knows of them."""
    is_unknown = [record.row.fate.startswith("unknown") for record in records]
    return accepted(
        [record.value for record in records],
        due_ms=[record.due_ms for record in records],
        acknowledged_ms=[
            10**9 + START_MS if unknown else record.acknowledged_ms
            for record, unknown in zip(records, is_unknown, strict=True)
        ],
        times=([0 if unknown else 1 for unknown in is_unknown], [ANY_NUMBER if one else 1 for one in is_unknown]),
        shards=[-1 if record.row.fate[0] in "su" else record.row.shard for record in records],
    )


def in_reading_order(records: list[Record]) -> list[Read]:
    """In each shard, records are read in the order of their arrival: none before the one that came before it."""
    found: list[Read] = []
    last_ms = dict.fromkeys(range(3), 0)
    for record in sorted(records, key=lambda one: one.arrival_ms):
        for read in record.reads:
            read_ms = max(read.read_ms, last_ms[read.shard])
            last_ms[read.shard] = read_ms
            found.append(
                Read(**{**{name: getattr(read, name) for name in Read.__dataclass_fields__}, "read_ms": read_ms})
            )
    return [
        read if read.known_ms >= read.read_ms else Read(**{**vars(read), "known_ms": read.read_ms}) for read in found
    ]


def outputs_of(how: Settings, records: list[Record], operator: Operator) -> list[Output]:
    inputs = [(records[index].value, records[index].arrival_ms) for index in operator.counted]
    outputs = [("output", value) for value in JOBS[how.scenario](inputs)]
    for record in records:
        if record.is_bad or record.is_refused:
            letter = document(
                source="in",
                reason="columns" if record.is_bad else "future-time",
                value=record.value.decode(),
                truncated=False,
                arrivalTime=record.arrival_ms,
            )
            outputs += [("dead_letter", letter)] * len(record.reads)
    return outputs


def run(rows: list[Row], how: Settings) -> tuple[Oracle, Outputs, Operator]:
    """The oracle, what the comparison found, and what really happened."""
    records = make_records(rows, how)
    operator = play(
        in_reading_order(records),
        parallelism=how.parallelism,
        delay_ms=how.delay_ms,
        idle_ms=how.idle_ms,
        canary_ms=START_MS - how.canary_behind_ms,
        start_ms=START_MS - 1,
    )
    oracle = make_oracle(
        how.scenario,
        watermark_delay_ms=how.delay_ms,
        idle_timeout_ms=how.idle_ms,
        reading_slack_ms=how.slack_ms if how.is_slack_known else None,
        max_future_ms=MAX_FUTURE_MS,
    )
    canary = rows[0]._replace(name="canary-1") if rows else None
    if canary:
        oracle.control([line(how.scenario, 0, canary, START_MS - how.canary_behind_ms).replace(b"o-0", b"canary-1")])
    pieces = [as_accepted(records[:5]), as_accepted(records[5:6]), as_accepted(records[6:])]
    return oracle, compare(oracle, pieces, outputs_of(how, records, operator)), operator


def dense_rows(randomness: random.Random, how: Settings) -> list[Row]:
    """Steady traffic in which shards fall silent by turns and records lie about as far behind as they may."""
    rows = []
    edge_ms = how.delay_ms + how.slack_ms
    behind: list[Callable[[], int]] = [
        lambda: 0,
        lambda: 0,
        lambda: how.delay_ms,
        lambda: edge_ms,
        lambda: randomness.randrange(how.delay_ms, edge_ms + 500),
        lambda: randomness.randrange(2 * edge_ms + 5_000),
        lambda: -MAX_FUTURE_MS - randomness.randrange(40),
    ]
    awake, reading = [0, 1, 2], [0, 0, 0]
    for number in range(randomness.randrange(20, 120)):
        if number % 20 == 0:
            awake = randomness.sample(range(3), randomness.randrange(1, 4))
            reading = [randomness.choice([0, 100]) for _ in range(3)]
        is_troubled = randomness.random() < how.trouble
        shard = randomness.choice(range(3) if is_troubled else awake)
        rows.append(
            Row(
                gap_ms=randomness.choice([1, 30, 100, 250, 600]),
                behind_ms=randomness.choice(behind)(),
                shard=shard,
                sent_to_arrival_ms=randomness.randrange(20),
                arrival_to_answer_ms=randomness.randrange(20),
                reading_percent=reading[shard],
                knowing_percent=randomness.choice([0, 0, 100]),
                fate=randomness.choice(FATES) if is_troubled else "there",
                cents=randomness.choice([1_000_000, 1_000_001, 1_250_000, 1]),
                name=randomness.choice("aaab"),
            )
        )
    return rows


@settings(deadline=None, max_examples=150)
@given(st.lists(ROWS, max_size=30), SETTINGS)
def test_what_really_comes_out_is_accepted(rows: list[Row], how: Settings) -> None:
    require_agreement(*run(rows, how))


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32), SETTINGS)
def test_what_really_comes_out_of_steady_traffic_is_accepted(seed: int, how: Settings) -> None:
    require_agreement(*run(dense_rows(random.Random(seed), how), how))


def require_agreement(oracle: Oracle, found: Outputs, operator: Operator) -> None:
    _, lost, duplicated, unexpected = counts(found)
    assert (lost, duplicated, unexpected) == (0, 0, 0)
    certain, in_doubt = late_of(oracle)
    assert certain <= len(set(operator.late)) <= certain + in_doubt


@settings(deadline=None, max_examples=100)
@given(st.lists(ROWS, min_size=1, max_size=30), SETTINGS)
def test_without_disorder_nothing_is_in_doubt(rows: list[Row], how: Settings) -> None:
    orderly = [row._replace(behind_ms=0, fate="bad" if row.fate == "bad" else "there") for row in rows]
    patient = replace(how, delay_ms=5_000, is_slack_known=True)
    oracle, found, operator = run(orderly, patient)
    assert counts(found) == (found.observed, 0, 0, 0)
    assert late_of(oracle) == (0, 0)
    assert operator.late == []
