"""Sequence numbers."""

from simulators.kinesis.streams import sequence

CREATED_S, ARRIVED_MS = 1_800_000_000, 1_800_000_123_456


def test_what_is_put_in_comes_out() -> None:
    base = sequence.shard_base(CREATED_S, 4711)
    number = sequence.numbered(base, 42, ARRIVED_MS)
    assert sequence.parse(number) == sequence.SequenceNumber(
        created_s=CREATED_S, shard=4711, position=42, arrived_s=1_800_000_123
    )


def test_it_has_the_form_of_the_service() -> None:
    number = sequence.numbered(sequence.shard_base(CREATED_S, 17), 1, ARRIVED_MS)
    assert (len(str(number)), number.bit_length(), number & 15) == (56, 186, 2)
    assert f"{number:x}"[0] == "2"
    assert int(f"{number:x}"[1:10], 16) == CREATED_S
    assert int(f"{number:x}"[-9:-1], 16) == 17


def test_positions_decide_within_a_shard_and_creation_between_shards() -> None:
    base = sequence.shard_base(CREATED_S, 3)
    rising = [sequence.numbered(base, position, ARRIVED_MS - position) for position in (0, 1, 2, 2**40)]
    assert rising == sorted(set(rising))
    assert rising[-1] < sequence.numbered(base, sequence.POSITION_MAX, ARRIVED_MS)
    child = sequence.numbered(sequence.shard_base(CREATED_S + 1, 0), 0, 0)
    assert sequence.numbered(base, sequence.POSITION_MAX, ARRIVED_MS) < child


def test_other_numbers_are_none_of_ours() -> None:
    base = sequence.shard_base(CREATED_S, 3)
    for number in (0, 1, 2**184, base + 1, base * 2, 10**60):
        assert sequence.parse(number) is None
