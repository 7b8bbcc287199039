"""What the Kinesis simulator says about each shard, in the meanings of CloudWatch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from floodmark.sources.exposition import Endpoint, Figure, Rates, figures, summed
from floodmark.timeseries import Sample

_PREFIX = "floodmark_kinesis_"
RATES: Mapping[str, str] = {
    f"{_PREFIX}incoming_records_total": "shard_incoming_records_per_second",
    f"{_PREFIX}incoming_bytes_total": "shard_incoming_bytes_per_second",
    f"{_PREFIX}write_provisioned_throughput_exceeded_total": "shard_write_throttled_records_per_second",
    f"{_PREFIX}outgoing_records_total": "shard_outgoing_records_per_second",
    f"{_PREFIX}outgoing_bytes_total": "shard_outgoing_bytes_per_second",
    f"{_PREFIX}read_provisioned_throughput_exceeded_total": "shard_read_throttled_calls_per_second",
}
"""The simulator's counters, and the rates that are made of them."""

LEVELS: Mapping[str, tuple[str, float]] = {
    f"{_PREFIX}get_records_iterator_age_seconds": ("shard_iterator_age_ms", 1000.0)
}
"""The simulator's gauges, what they become, and by how much they are multiplied."""


@dataclass(kw_only=True)
class KinesisSource:
    """The simulator's `/metrics`, by shard; every label is `stream/shard`.

    A trial uses one account in one region. Where the simulator serves others too, with streams of the same names, rates
    are of all of them together, and a level is the highest.
    """

    endpoint: Endpoint
    fetch: Callable[[], str] | None = None
    _rates: Rates[tuple[str, str]] = field(default_factory=Rates)

    def sample(self, now_ms: int) -> list[Sample]:
        """Rates since the last look, and levels now; ConnectionError if the simulator does not answer."""
        found = figures((self.fetch or self.endpoint.fetch)(), lambda name: name in RATES or name in LEVELS)
        totals = {
            (metric, shard): total
            for name, metric in RATES.items()
            for shard, total in summed((one for one in found if one.name == name), _shard).items()
        }
        samples = [
            Sample(time_ms=now_ms, metric=metric, label=shard, value=rate)
            for (metric, shard), rate in self._rates.per_second(now_ms, totals).items()
        ]
        for name, (metric, factor) in LEVELS.items():
            highest: dict[str, float] = {}
            for figure in (one for one in found if one.name == name):
                highest[_shard(figure)] = max(figure.value, highest.get(_shard(figure), 0.0))
            samples += [
                Sample(time_ms=now_ms, metric=metric, label=shard, value=value * factor)
                for shard, value in highest.items()
            ]
        return samples


def _shard(figure: Figure) -> str:
    return f"{figure.labels.get('stream', '')}/{figure.labels.get('shard', '')}"
