import pytest

from floodmark.analysis.utilisation import measure_utilisation
from floodmark.bottleneck import Utilisation
from floodmark.timeseries import RATE_LAG_MS, Sample, TimeSeries


def measured(*samples: tuple[int, str, str, float], cpu_count: int | None = 4) -> dict[str, Utilisation]:
    """Samples by the moment of which they speak, which is before the one at which they were taken."""
    series = TimeSeries.of(
        Sample(time_ms=time + RATE_LAG_MS, metric=metric, label=label, value=value)
        for time, metric, label, value in samples
    )
    found = measure_utilisation(series, start_ms=1_000, end_ms=3_000, cpu_count=cpu_count)
    return {one.name: one for one in found}


@pytest.mark.parametrize(
    ("metric", "label", "value", "name", "share", "evidence"),
    [
        (
            "shard_incoming_records_per_second",
            "order-stream/shardId-0",
            512.0,
            "shard_write_records",
            0.512,
            "the hottest shard, order-stream/shardId-0, took in 512 of 1,000 records/s",
        ),
        (
            "shard_incoming_bytes_per_second",
            "s/0",
            524_288.0,
            "shard_write_bytes",
            0.5,
            "the hottest shard, s/0, took in 524,288 of 1,048,576 bytes/s",
        ),
        (
            "shard_outgoing_bytes_per_second",
            "s/0",
            524_288.0,
            "shard_read_bytes",
            0.25,
            "the most read shard, s/0, gave out 524,288 of 2,097,152 bytes/s",
        ),
        ("flink_busy_ratio", "Calc", 0.9, "flink_busy", 0.9, "the busiest subtask of Calc was busy 90% of the time"),
        (
            "flink_backpressured_ratio",
            "Source",
            0.3,
            "flink_backpressure",
            0.3,
            "a subtask of Source waited for what follows it 30% of the time",
        ),
        (
            "machine_cpu_ratio",
            "",
            0.75,
            "machine_cpu",
            0.75,
            "all processors of the machine were busy 75% of the time",
        ),
        ("process_cpu_cores", "generator", 0.5, "generator_cpu", 0.5, "the generator used 0.50 of 1 processors"),
        ("process_cpu_cores", "simulator", 0.25, "simulator_cpu", 0.25, "the simulator used 0.25 of 1 processors"),
        (
            "process_cpu_cores",
            "Flink task-manager-1",
            2.0,
            "taskmanager_cpu",
            0.5,
            "the Flink task-manager used 2.00 of 4 processors",
        ),
    ],
)
def test_each_resource_against_its_limit(
    metric: str, label: str, value: float, name: str, share: float, evidence: str
) -> None:
    found = measured((1_500, metric, label, value))
    assert found[name].share == pytest.approx(share)
    assert found[name].evidence == evidence
    assert all(one.share is None for one in found.values() if one.name != name)


def test_only_the_window_counts_and_the_mean_of_it() -> None:
    metric = "machine_cpu_ratio"
    found = measured((999, metric, "", 1), (1_000, metric, "", 0.2), (2_999, metric, "", 0.4), (3_000, metric, "", 1))
    assert found["machine_cpu"].share == pytest.approx(0.3)


def test_the_hottest_shard_is_the_one_with_the_highest_mean() -> None:
    metric = "shard_incoming_records_per_second"
    found = measured(
        (1_000, metric, "s/0", 900), (2_000, metric, "s/0", 0), (1_000, metric, "s/1", 500), (2_000, metric, "s/1", 500)
    )
    assert found["shard_write_records"].share == pytest.approx(0.5)
    assert "s/1" in found["shard_write_records"].evidence


def test_nothing_sampled_means_nothing_known() -> None:
    assert all(one.share is None for one in measured().values())


def test_read_calls_are_at_their_limit_when_refused_and_left_out_otherwise() -> None:
    metric = "shard_read_throttled_calls_per_second"
    assert "shard_read_calls" not in measured((1_000, metric, "s/0", 0))
    hit = measured((1_000, metric, "s/0", 0), (1_000, metric, "s/1", 0.5))["shard_read_calls"]
    assert hit.share == 1.0
    assert hit.evidence == "reads of s/1 were refused 0.50 times/s"


def test_task_managers_add_up_and_have_no_share_of_a_machine_of_unknown_size() -> None:
    cores = [
        (1_000, "process_cpu_cores", "Flink task-manager-1", 1.0),
        (1_000, "process_cpu_cores", "Flink task-manager-2", 2.0),
    ]
    assert measured(*cores)["taskmanager_cpu"].share == pytest.approx(0.75)
    assert measured(*cores, cpu_count=None)["taskmanager_cpu"].share is None


def machine(busy: float, *, cpu_count: int | None = 2, **cores: float) -> str:
    named = {"generator": 0.2, "Flink task-manager-1": 0.4} | cores
    parts = [(1_500, "process_cpu_cores", label, value) for label, value in named.items()]
    return measured((1_500, "machine_cpu_ratio", "", busy), *parts, cpu_count=cpu_count)["machine_cpu"].evidence


def test_a_machine_that_others_kept_busy_is_said_to_be() -> None:
    busy = "all processors of the machine were busy 98% of the time"
    assert machine(0.98) == f"{busy}; other programs took 1.4 of its 2 cores"
    assert machine(0.98, harness=1.3) == busy
    assert machine(0.98, cpu_count=None) == busy
    assert machine(0.5).endswith("busy 50% of the time")


def test_without_figures_of_every_part_nobody_knows_what_others_took() -> None:
    samples = [(1_500, "machine_cpu_ratio", "", 0.98), (1_500, "process_cpu_cores", "generator", 0.2)]
    assert measured(*samples)["machine_cpu"].evidence.endswith("of the time")
