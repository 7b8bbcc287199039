"""The service's CloudWatch metrics for Prometheus, by account, region, stream and shard.

Nothing is counted here: the shards count, and what they counted is read when somebody asks. Names are those of
CloudWatch in Prometheus' conventions: IncomingBytes is `floodmark_kinesis_incoming_bytes_total`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.faults.fault import KINDS
from simulators.kinesis.faults.faults import Faults
from simulators.kinesis.streams.consumer import Lane
from simulators.kinesis.streams.shard import Shard

PREFIX = "floodmark_kinesis_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Read = Callable[[Shard], float]
_ReadLane = Callable[[Lane], float]
_T = TypeVar("_T")

_COUNTERS: dict[str, tuple[str, _Read]] = {
    "incoming_bytes": ("Bytes put, keys included (IncomingBytes)", lambda s: s.counters.incoming_bytes),
    "incoming_records": ("Records put (IncomingRecords)", lambda s: s.counters.incoming_records),
    "outgoing_bytes": ("Bytes got by polling (OutgoingBytes)", lambda s: s.counters.outgoing_bytes),
    "outgoing_records": ("Records got by polling (OutgoingRecords)", lambda s: s.counters.outgoing_records),
    "write_provisioned_throughput_exceeded": (
        "Records refused because the shard's write quota was used up (WriteProvisionedThroughputExceeded)",
        lambda s: s.counters.write_throttled_records,
    ),
    "read_provisioned_throughput_exceeded": (
        "GetRecords calls refused because the shard's read quota was used up (ReadProvisionedThroughputExceeded)",
        lambda s: s.counters.read_throttled_calls,
    ),
    "trimmed_by_age_records": (
        "Records forgotten at the end of the retention period",
        lambda s: s.counters.trimmed_by_age_records,
    ),
    "trimmed_by_memory_records": (
        "Records forgotten early because memory was full",
        lambda s: s.counters.trimmed_by_memory_records,
    ),
}

_LANE_COUNTERS: dict[str, tuple[str, _ReadLane]] = {
    "subscribe_to_shard_event_bytes": (
        "Bytes pushed, keys included (SubscribeToShardEvent.Bytes)",
        lambda lane: lane.counters.bytes,
    ),
    "subscribe_to_shard_event_records": (
        "Records pushed (SubscribeToShardEvent.Records)",
        lambda lane: lane.counters.records,
    ),
    "subscribe_to_shard_event_success": (
        "Events pushed (SubscribeToShardEvent.Success)",
        lambda lane: lane.counters.events,
    ),
}

_LANE_GAUGES: dict[str, tuple[str, _ReadLane]] = {
    "subscribe_to_shard_event_behind_latest_seconds": (
        "How far behind the newest record the latest event was (SubscribeToShardEvent.MillisBehindLatest)",
        lambda lane: lane.counters.behind_ms / 1000,
    ),
}

_GAUGES: dict[str, tuple[str, _Read]] = {
    "get_records_iterator_age_seconds": (
        "Age of the last record that the latest GetRecords call returned, else 0 (GetRecords.IteratorAgeMilliseconds)",
        lambda s: s.counters.iterator_age_ms / 1000,
    ),
    "stored_records": ("Records in the shard", lambda s: len(s.log)),
    "stored_bytes": ("Memory that the shard's records take", lambda s: s.log.stored_bytes),
}


_SHARD_LABELS = ("account", "region", "stream", "shard")


class ServiceMetrics(Collector):
    """What `/metrics` shows. Requests are counted by action and outcome, which both are bounded sets."""

    def __init__(self, accounts: Accounts, now_ms: Callable[[], int], faults: Faults | None = None) -> None:
        self._accounts = accounts
        self._faults = faults or Faults()
        self._now_ms = now_ms
        self._requests: Counter[tuple[str, str]] = Counter()
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def count_request(self, action: str, outcome: str) -> None:
        """Note one answered request; `outcome` is `Success` or the type of the error."""
        self._requests[action, outcome] += 1

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def collect(self) -> Iterable[Metric]:
        """One family after another, for the registry."""
        now_ms = self._now_ms()
        streams = [stream for account in self._accounts.all() for stream in account.streams(now_ms)]
        shards = [
            ((stream.account_id, stream.region, stream.name, shard.id), shard)
            for stream in streams
            for shard in stream.shards
        ]
        yield from _families(CounterMetricFamily, _COUNTERS, _SHARD_LABELS, shards)
        yield from _families(GaugeMetricFamily, _GAUGES, _SHARD_LABELS, shards)
        lanes = [
            ((stream.account_id, stream.region, stream.name, shard, consumer.name), lane)
            for stream in streams
            for consumer in stream.consumers.values()
            for shard, lane in consumer.lanes.items()
        ]
        yield from _families(CounterMetricFamily, _LANE_COUNTERS, (*_SHARD_LABELS, "consumer"), lanes)
        yield from _families(GaugeMetricFamily, _LANE_GAUGES, (*_SHARD_LABELS, "consumer"), lanes)
        requests = CounterMetricFamily(
            PREFIX + "requests", "Requests answered, by action and outcome", labels=("action", "outcome")
        )
        for labels, count in sorted(self._requests.items()):
            requests.add_metric(labels, count)
        yield requests
        injected = CounterMetricFamily(
            PREFIX + "faults_injected", "Calls, records and events that faults struck, by kind", labels=("kind",)
        )
        for kind in KINDS:
            injected.add_metric((kind,), self._faults.injected[kind])
        yield injected

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: the registry need not collect in order to learn the names."""
        return ()


def _families(
    family: type[CounterMetricFamily] | type[GaugeMetricFamily],
    definitions: dict[str, tuple[str, Callable[[_T], float]]],
    label_names: Sequence[str],
    labelled: Sequence[tuple[Sequence[str], _T]],
) -> Iterator[Metric]:
    for name, (help_text, read) in definitions.items():
        metric = family(PREFIX + name, help_text, labels=label_names)
        for labels, one in labelled:
            metric.add_metric(labels, read(one))
        yield metric
