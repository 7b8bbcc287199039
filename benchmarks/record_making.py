"""What a record costs: made by this product, and by calling Faker for each field of each record.

All in one process, in turn, several times over; CPU time, so that other programs disturb little. Prints a table, and
exits 1 if any kind is made less than 150 times more cheaply than by Faker. Half a minute.

    python benchmarks/record_making.py [--repetitions 7] [--json]

Records are made in batches of 500, as the producer asks for them, each with its own event time, value and key. Faker
makes the same sort of record: an id, and what a person who writes a load test with Faker calls for each other field.
What Faker costs depends on those calls: names and places of the standard locale are drawn by weight and composed, at 30
to 60 µs each, and that is what the ratio is held against. Beside it stands the least that Faker can be brought to: the
cheapest call that gives a text of the right form.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from faker import Faker

from simulators.traffic import Integers, Traffic
from simulators.traffic.option_table import read_traffic_options

RATIO_LEAST = 150
BATCH_RECORDS = 500
BATCHES = 200
NAIVE_RECORDS = 1_000
RATE_PER_MS = 50
START_MS = 1_763_000_000_000

Naive = Callable[[Faker], bytes]


def event_time_ms(faker: Faker) -> int:
    return int(faker.date_time_between("-1m", "now").timestamp() * 1000)


def order(faker: Faker) -> bytes:
    amount = faker.pyfloat(min_value=0, max_value=20_000, right_digits=2)
    return f"{faker.uuid4()},{amount},{faker.city()},{event_time_ms(faker)},{faker.word()}".encode()


def trade(faker: Faker) -> bytes:
    amount = faker.pyfloat(min_value=0, max_value=20_000, right_digits=2)
    return f"{faker.uuid4()},{faker.user_name()},{amount},{event_time_ms(faker)}".encode()


def temperature(faker: Faker) -> bytes:
    degrees = faker.pyfloat(min_value=10, max_value=100, right_digits=2)
    return f"{faker.city()}-{faker.random_int(1, 1000)},{degrees},{event_time_ms(faker)}".encode()


def click(faker: Faker) -> bytes:
    return f"{faker.user_name()},/{faker.uri_path()},{event_time_ms(faker)}".encode()


def cheap_order(faker: Faker) -> bytes:
    amount = faker.pyfloat(min_value=0, max_value=20_000, right_digits=2)
    return f"{faker.uuid4()},{amount},{faker.state()},{event_time_ms(faker)},{faker.word()}".encode()


def cheap_trade(faker: Faker) -> bytes:
    amount = faker.pyfloat(min_value=0, max_value=20_000, right_digits=2)
    return f"{faker.uuid4()},{faker.bban()},{amount},{event_time_ms(faker)}".encode()


def cheap_temperature(faker: Faker) -> bytes:
    degrees = faker.pyfloat(min_value=10, max_value=100, right_digits=2)
    return f"{faker.uuid4()},{degrees},{event_time_ms(faker)}".encode()


def cheap_click(faker: Faker) -> bytes:
    return f"{faker.uuid4()},/{faker.word()}/{faker.word()},{event_time_ms(faker)}".encode()


KINDS: dict[str, tuple[Naive, Naive]] = {
    "orders": (order, cheap_order),
    "trades": (trade, cheap_trade),
    "temperatures": (temperature, cheap_temperature),
    "clicks": (click, cheap_click),
}
"""As a person would write it, and the cheapest way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """CPU microseconds a record; medians, with least and most. `ratio` is the median of the repetitions' own ratios."""

    kind: str
    naive_us: tuple[float, float, float]
    cheap_us: tuple[float, float, float]
    ours_us: tuple[float, float, float]
    ratio: tuple[float, float, float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = [measure(kind, *by_faker, asked.repetitions) for kind, by_faker in KINDS.items()]
    print(json.dumps([row_document(row) for row in rows], indent=2) if asked.json else table(rows))
    return 0 if all(row.ratio[0] >= RATIO_LEAST for row in rows) else 1


def measure(kind: str, naive: Naive, cheap: Naive, repetitions: int) -> Row:
    faker = Faker("en_US")
    faker.seed_instance(1)
    traffic = read_traffic_options(kind, {}, seed=1, run_token="bench").build()
    make(traffic, 0)
    naive_us: list[float] = []
    cheap_us: list[float] = []
    ours_us: list[float] = []
    for repetition in range(repetitions):
        naive_us.append(cpu_us(lambda: [naive(faker) for _ in range(NAIVE_RECORDS)]) / NAIVE_RECORDS)
        cheap_us.append(cpu_us(lambda: [cheap(faker) for _ in range(NAIVE_RECORDS)]) / NAIVE_RECORDS)
        first = (1 + repetition) * BATCHES * BATCH_RECORDS
        ours_us.append(cpu_us(lambda first=first: make(traffic, first)) / (BATCHES * BATCH_RECORDS))  # type: ignore[misc]
    ratios = [theirs / ours for theirs, ours in zip(naive_us, ours_us, strict=True)]
    return Row(
        kind=kind,
        naive_us=spread(naive_us),
        cheap_us=spread(cheap_us),
        ours_us=spread(ours_us),
        ratio=spread(ratios),
    )


def make(traffic: Traffic, first_index: int) -> None:
    """Batches of records that nobody had before; the first of them was due at the start."""
    for first in range(first_index, first_index + BATCHES * BATCH_RECORDS, BATCH_RECORDS):
        due_ms: Integers = START_MS + np.arange(first, first + BATCH_RECORDS) // RATE_PER_MS
        traffic.records(first, due_ms)


def cpu_us(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1e6


def spread(figures: list[float]) -> tuple[float, float, float]:
    """Median, least, most."""
    return statistics.median(figures), min(figures), max(figures)


def table(rows: list[Row]) -> str:
    head = (
        "| records | by Faker, µs | by Faker at its cheapest, µs | ours, µs | times cheaper (least–most) "
        "| than at its cheapest |\n|---|---|---|---|---|---|"
    )
    lines = [
        f"| {row.kind} | {row.naive_us[0]:.1f} | {row.cheap_us[0]:.1f} | {row.ours_us[0]:.3f}"
        f" | {row.ratio[0]:.0f} ({row.ratio[1]:.0f}–{row.ratio[2]:.0f}) | {row.cheap_us[0] / row.ours_us[0]:.0f} |"
        for row in rows
    ]
    return "\n".join([head, *lines])


def row_document(row: Row) -> dict[str, object]:
    return {
        "kind": row.kind,
        "faker_cpu_us_a_record": row.naive_us[0],
        "faker_cheapest_cpu_us_a_record": row.cheap_us[0],
        "floodmark_cpu_us_a_record": row.ours_us[0],
        "ratio": row.ratio[0],
        "ratio_min": row.ratio[1],
        "ratio_max": row.ratio[2],
    }


if __name__ == "__main__":
    sys.exit(main())
