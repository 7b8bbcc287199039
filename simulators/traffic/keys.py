"""Partition keys, and explicit hash keys, as a key choice asks for them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from simulators.traffic.disorder import Sources
from simulators.traffic.draws import WeightedTable, is_below, pick_below, zipf_weights
from simulators.traffic.key_choice import KeyChoice

HASH_KEYS_END = 2**128

_SERIES = 101


class Keys(NamedTuple):
    """The keys of a batch, see `RecordBatch`."""

    keys: list[str]
    explicit_hash_keys: list[str] | None = None


Texts = Callable[[], list[str]]
"""Makes the texts of the field by which the records are keyed."""


@dataclass(frozen=True, slots=True)
class FieldKeys:
    """The key of a record is a field of it."""

    def choose(self, sources: Sources, texts: Texts) -> Keys:  # noqa: ARG002 others look
        return Keys(texts())


class PoolKeys:
    """The key is one of a pool, drawn for each record: all alike, or by rank."""

    def __init__(self, choice: KeyChoice, seed: int) -> None:
        self._seed = seed
        self._count = choice.count
        self._names = [f"key-{number}" for number in range(choice.count)]
        self._ranks = WeightedTable(zipf_weights(choice.count, choice.exponent)) if choice.form == "zipf" else None

    def choose(self, sources: Sources, texts: Texts) -> Keys:  # noqa: ARG002 others look
        drawn = sources.draw(self._seed, _SERIES)[:, 0]
        picks = self._ranks.pick(drawn) if self._ranks else pick_below(drawn, self._count)
        names = self._names
        return Keys([names[pick] for pick in picks.tolist()])


class HotKeys:
    """One key for a share of the records, the field for the others. Given a period, the hot key changes with time."""

    def __init__(self, choice: KeyChoice, seed: int) -> None:
        self._seed = seed
        self._share = choice.share
        self._period_ms = choice.period_ms

    def choose(self, sources: Sources, texts: Texts) -> Keys:
        is_hot = is_below(sources.draw(self._seed, _SERIES)[:, 0], self._share)
        keys = texts().copy()
        for position in is_hot.nonzero()[0].tolist():
            keys[position] = self._name(int(sources.due_times_ms[position]))
        return Keys(keys)

    def _name(self, due_time_ms: int) -> str:
        return f"hot-{due_time_ms // self._period_ms}" if self._period_ms else "hot"


class SpreadKeys:
    """The field, and an explicit hash key in the middle of each of `count` equal parts of the hash keys, in turn."""

    def __init__(self, choice: KeyChoice) -> None:
        parts = choice.count
        self._middles = [str((2 * part + 1) * HASH_KEYS_END // (2 * parts)) for part in range(parts)]

    def choose(self, sources: Sources, texts: Texts) -> Keys:
        middles = self._middles
        return Keys(texts(), [middles[part] for part in (sources.indices % len(middles)).tolist()])


KeyMaker = FieldKeys | PoolKeys | HotKeys | SpreadKeys


@lru_cache(maxsize=4)
def key_maker(choice: KeyChoice, seed: int) -> KeyMaker:
    """What makes the keys that a choice asks for. The key of a record is a pure function of index and due time."""
    if choice.form in {"uniform", "zipf"}:
        return PoolKeys(choice, seed)
    if choice.form in {"hot", "moving-hot"}:
        return HotKeys(choice, seed)
    return SpreadKeys(choice) if choice.form == "spread" else FieldKeys()
