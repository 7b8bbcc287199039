"""Puts several records into one of the service's, shard by shard, in the format of the Kinesis Producer Library."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from floodmark.aggregate import UserRecord, aggregate
from floodmark.producer.batch import Parcel
from floodmark.producer.fragment import fragment
from simulators.traffic import RecordBatch

AGGREGATE_BYTES_MAX = 51_200
"""Of the data within an aggregate: the library's own default."""


class Aggregator:
    """Makes aggregates of at most `records_max` records each.

    Readers of the format throw away what does not belong to the shard that they found it in. So an aggregate holds
    records of one shard only; `shard_starts` are the least hash keys of the shards, and have to be those of the stream:
    after a split or a merge a load has to be started anew.
    """

    def __init__(self, shard_starts: Sequence[int], records_max: int) -> None:
        if not shard_starts or min(shard_starts) != 0:
            raise ValueError("the shards of a stream begin at hash key 0")
        self._starts = sorted(shard_starts)
        self._records_max = records_max

    def parcels(self, first_index: int, intended_ns: npt.NDArray[np.int64], made: RecordBatch) -> list[Parcel]:
        """New records as parcels, which together hold each of them once, those of a shard in their order."""
        due_ns = intended_ns.tolist()
        return [
            Parcel(
                indices=tuple(first_index + at for at in members),
                fragment=self._fragment(made, members),
                intended_ns=tuple(due_ns[at] for at in members),
            )
            for group in self._by_shard(made)
            for members in self._cut(group, made)
        ]

    def _by_shard(self, made: RecordBatch) -> list[list[int]]:
        groups: dict[int, list[int]] = {}
        for at in range(len(made.keys)):
            groups.setdefault(bisect_right(self._starts, _hash_key(made, at)), []).append(at)
        return list(groups.values())

    def _cut(self, group: list[int], made: RecordBatch) -> Iterator[list[int]]:
        members: list[int] = []
        size = 0
        for at in group:
            more = len(made.values[at])
            if members and (len(members) == self._records_max or size + more > AGGREGATE_BYTES_MAX):
                yield members
                members, size = [], 0
            members.append(at)
            size += more
        yield members

    def _fragment(self, made: RecordBatch, members: list[int]) -> bytes:
        first = members[0]
        if len(members) == 1:
            return fragment(made, first)
        explicit = made.explicit_hash_keys
        records = [UserRecord(made.keys[at], made.values[at], explicit[at] if explicit else None) for at in members]
        whole = RecordBatch([made.keys[first]], [aggregate(records)], [str(_hash_key(made, first))])
        return fragment(whole, 0)


def _hash_key(made: RecordBatch, at: int) -> int:
    """Where the service puts a record: by its explicit hash key, or by the MD5 of its partition key."""
    if made.explicit_hash_keys is not None:
        return int(made.explicit_hash_keys[at])
    return int.from_bytes(hashlib.md5(made.keys[at].encode(), usedforsecurity=False).digest(), "big")
