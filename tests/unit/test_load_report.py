"""The figures on Locust's page: merged, never averaged."""

import numpy as np
import pytest
from load_report import LoadReport, shard_rows, worker_rows

from floodmark.producer.delays import DelayHistogram

MS = 1_000_000


def report(worker: int, delays_ms: list[float], **counts: object) -> LoadReport:
    histogram = DelayHistogram()
    histogram.add((np.array(delays_ms) * MS).astype(np.int64))
    return LoadReport.model_validate(
        {
            "load": "x",
            "worker": worker,
            "state": "sending",
            "delays": list(histogram.buckets().items()),
            "delay_max_ms": histogram.max_ms,
            **counts,
        }
    )


def test_one_process_is_one_row() -> None:
    (row,) = worker_rows([report(0, [1, 2, 3], accepted=3, missed=1)])
    assert (row["name"], row["accepted"], row["missed"], row["delay_max"]) == ("all together", 3, 1, 3.0)
    assert worker_rows([]) == []


def test_percentiles_of_all_come_from_all_delays() -> None:
    fast, slow = report(0, [1] * 900, accepted=900), report(1, [100] * 100, accepted=100, state="lost")
    together, first, second = worker_rows([fast, slow])
    assert [row["name"] for row in (together, first, second)] == ["all together", "worker 0", "worker 1"]
    assert (together["accepted"], together["state"]) == (1000, "lost, sending")
    assert together["delay_p50"] == pytest.approx(1, rel=0.05)
    assert together["delay_p99"] == pytest.approx(100, rel=0.05)  # an average would say 50
    assert (first["delay_p99"], second["delay_p50"]) == (pytest.approx(1, rel=0.05), pytest.approx(100, rel=0.05))


def test_names_sort_as_numbers_do() -> None:
    rows = worker_rows([report(worker, [1]) for worker in range(11)])
    names = [str(row["name"]) for row in rows[1:]]
    assert names == sorted(names)
    assert names[2] == "worker 02"


def test_shards_add_up_over_workers_and_are_held_against_an_even_spread() -> None:
    one, two = report(0, [], shards=[("a", 10), ("b", 30)]), report(1, [], shards=[("b", 30), ("c", 50)])
    assert [(row["name"], row["accepted"], row["share"], row["of_even"]) for row in shard_rows([one, two])] == [
        ("a", 10, 8.33, 25.0),
        ("b", 60, 50.0, 150.0),
        ("c", 50, 41.67, 125.0),
    ]


def test_reports_survive_the_way_to_the_master() -> None:
    one = report(3, [0.5, 7], shards=[("a", 1)], accepted=2)
    assert LoadReport.model_validate(one.model_dump(mode="json")) == one
