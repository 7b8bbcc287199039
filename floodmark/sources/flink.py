"""What Flink's Prometheus reporters say, one source for a JobManager or a TaskManager.

Names and units as Flink 1.20 exposes them. Flink's reporter replaces every character of a label's value that Prometheus
forbids in names by `_`: `Source: orders[1] -> Calc[2]` becomes `Source:_orders_1_____Calc_2_`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from floodmark.sources.exposition import Endpoint, Figure, Rates, figures, summed
from floodmark.timeseries import Sample

_TASK = "flink_taskmanager_job_task_"
_BUSY = _TASK + "busyTimeMsPerSecond"
_BACKPRESSURED = _TASK + "backPressuredTimeMsPerSecond"
_IDLE = _TASK + "idleTimeMsPerSecond"
_RECORDS_IN = _TASK + "operator_numRecordsIn"
_BEHIND = "millisBehindLatest"
_LATE = "_numLateRecordsDropped"
_RESTARTS = "flink_jobmanager_job_numRestarts"
_HEAP = "_Status_JVM_Memory_Heap_Used"
_COLLECTION = "_Status_JVM_GarbageCollector_All_Time"
_ENDINGS = (_BUSY, _BACKPRESSURED, _IDLE, _RECORDS_IN, _BEHIND, _RESTARTS, _HEAP, _COLLECTION)


@dataclass(kw_only=True)
class FlinkSource:
    """One reporter's endpoint. `name` labels what concerns the process: heap and garbage collection.

    | metric | label | meaning |
    |---|---|---|
    | `flink_busy_ratio` | vertex | of the busiest subtask; missing for sources of the old kind, which say NaN |
    | `flink_backpressured_ratio` | vertex | of the subtask held up most |
    | `flink_idle_ratio` | vertex | of the least idle subtask; missing where the busy ratio is |
    | `flink_records_in_per_second` | operator | over all subtasks; operators, since a chained vertex counts nothing |
    | `flink_source_behind_latest_ms` | stream/shard | how far behind the service says the source is |
    | `flink_source_subtask` | stream/shard | the number of the source's subtask that reads the shard |
    | `flink_restarts` | | since the job began |
    | `jvm_heap_bytes`, `jvm_gc_ratio` | name | heap in use; share of the time spent collecting garbage |

    Rates of records come from Flink's counters, because its own `…PerSecond` is an average over the last minute.
    """

    name: str
    endpoint: Endpoint
    fetch: Callable[[], str] | None = None
    _collections: Rates[str] = field(default_factory=Rates)
    _records: Rates[str] = field(default_factory=Rates)

    def sample(self, now_ms: int) -> list[Sample]:
        """Everything that this process says now; ConnectionError if it does not answer."""
        text = (self.fetch or self.endpoint.fetch)()
        by_ending: dict[str, list[Figure]] = {ending: [] for ending in _ENDINGS}
        for figure in figures(text, lambda name: name.endswith(_ENDINGS)):
            by_ending[next(ending for ending in _ENDINGS if figure.name.endswith(ending))].append(figure)
        values = [*self._process(now_ms, by_ending), *_vertices(by_ending), *self._operators(now_ms, by_ending)]
        return [Sample(time_ms=now_ms, metric=metric, label=label, value=value) for metric, label, value in values]

    def _process(self, now_ms: int, found: dict[str, list[Figure]]) -> Iterable[tuple[str, str, float]]:
        for figure in found[_HEAP]:
            yield "jvm_heap_bytes", self.name, figure.value
        collected_ms = summed(found[_COLLECTION], lambda _: self.name)
        for label, ms_per_second in self._collections.per_second(now_ms, collected_ms).items():
            yield "jvm_gc_ratio", label, ms_per_second / 1000
        if found[_RESTARTS]:
            yield "flink_restarts", "", sum(figure.value for figure in found[_RESTARTS])

    def _operators(self, now_ms: int, found: dict[str, list[Figure]]) -> Iterable[tuple[str, str, float]]:
        records = summed(found[_RECORDS_IN], lambda figure: figure.labels.get("operator_name", ""))
        for operator, rate in self._records.per_second(now_ms, records).items():
            yield "flink_records_in_per_second", operator, rate
        for shard, behind_ms in _grouped(found[_BEHIND], _shard).items():
            known_ms = [ms for ms in behind_ms if ms >= 0]  # −1 until the first answer
            if known_ms:
                yield "flink_source_behind_latest_ms", shard, max(known_ms)
        for figure in found[_BEHIND]:
            if figure.value >= 0 and "subtask_index" in figure.labels:
                yield "flink_source_subtask", _shard(figure), float(figure.labels["subtask_index"])


@dataclass(frozen=True, kw_only=True)
class JobFigures:
    """What the TaskManagers say of one job at the moment of asking."""

    job_id: str
    endpoints: Sequence[Endpoint]

    def late_records_dropped(self) -> int | None:
        """Records that the job's windows have dropped as late, since the job began; None if nobody says."""
        found = self._figures(_LATE)
        return None if found is None else round(sum(figure.value for figure in found))

    def behind_latest_ms(self) -> dict[str, float] | None:
        """How far behind the newest record of its shard the job reads, by stream/shard; None if nobody says."""
        found = self._figures(_BEHIND)
        return None if found is None else {_shard(figure): figure.value for figure in found}

    def _figures(self, ending: str) -> list[Figure] | None:
        try:
            texts = [endpoint.fetch() for endpoint in self.endpoints]
        except ConnectionError:
            return None
        every = (figure for text in texts for figure in figures(text, lambda name: name.endswith(ending)))
        return [figure for figure in every if figure.labels.get("job_id") == self.job_id]


def _vertices(found: dict[str, list[Figure]]) -> Iterable[tuple[str, str, float]]:
    busy = _grouped(found[_BUSY], _vertex)
    for vertex, ratios in busy.items():
        yield "flink_busy_ratio", vertex, max(ratios) / 1000
    for vertex, ratios in _grouped(found[_BACKPRESSURED], _vertex).items():
        yield "flink_backpressured_ratio", vertex, max(ratios) / 1000
    for vertex, ratios in _grouped(found[_IDLE], _vertex).items():
        if vertex in busy:  # a source of the old kind says 0 here, whatever it does
            yield "flink_idle_ratio", vertex, min(ratios) / 1000


def _vertex(figure: Figure) -> str:
    return figure.labels.get("task_name", "")


def _shard(figure: Figure) -> str:
    return f"{figure.labels.get('stream', '')}/{figure.labels.get('shardId', '')}"


def _grouped(found: Iterable[Figure], key: Callable[[Figure], str]) -> dict[str, list[float]]:
    groups: dict[str, list[float]] = {}
    for figure in found:
        groups.setdefault(key(figure), []).append(figure.value)
    return groups
