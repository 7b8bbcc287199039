"""Where records go."""

import itertools
from hashlib import md5

import pytest

from simulators.kinesis.streams.hashing import HASH_KEY_MAX, HashRange, hash_key, hash_key_from_number, uniform_ranges


def test_a_partition_key_is_hashed_with_md5() -> None:
    assert hash_key("é😀".encode()).hex() == md5("é😀".encode()).hexdigest()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000])
def test_uniform_ranges_cover_all_hash_keys_without_overlap(count: int) -> None:
    ranges = uniform_ranges(count)
    assert (ranges[0].first, ranges[-1].last, len(ranges)) == (0, HASH_KEY_MAX, count)
    assert all(one.is_followed_by(other) for one, other in itertools.pairwise(ranges))
    widths = [one.last - one.first + 1 for one in ranges]
    assert len(set(widths[:-1])) <= 1
    assert 0 <= widths[-1] - widths[0] < count


def test_three_shards_are_cut_where_the_service_cuts_them() -> None:
    assert uniform_ranges(3)[1] == HashRange(
        113427455640312821154458202477256070485, 226854911280625642308916404954512140969
    )


def test_bytes_compare_as_their_numbers_do() -> None:
    numbers = [0, 1, 255, 256, 2**64, 2**127, HASH_KEY_MAX]
    keys = [hash_key_from_number(number) for number in numbers]
    assert keys == sorted(keys)
    assert {len(key) for key in keys} == {16}


def test_a_split_leaves_no_gap() -> None:
    assert HashRange(10, 20).split(15) == (HashRange(10, 14), HashRange(15, 20))
