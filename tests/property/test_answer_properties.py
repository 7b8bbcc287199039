"""The quick way through an answer says what the slow one says, and never more."""

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.ledger import Places
from floodmark.producer import Answer, Ending
from floodmark.producer.answer import _read_json, _read_plain, read_answer

sequences = st.one_of(st.integers(10**55, 10**56 - 1), st.integers(1, 10**9)).map(str)
shards = st.one_of(st.integers(0, 7), st.integers(0, 10**12 - 1)).map("shardId-{:012d}".format)
accepted = st.fixed_dictionaries({"SequenceNumber": sequences, "ShardId": shards})
refused = st.fixed_dictionaries(
    {"ErrorCode": st.sampled_from(["ProvisionedThroughputExceededException", "InternalFailure"])},
    optional={"ErrorMessage": st.text(max_size=20)},
)


def lines(places: Places) -> list[tuple[str, str]]:
    return [
        (places.shards[shard] if shard >= 0 else "", sequence.decode())
        for shard, sequence in zip(places.shard.tolist(), places.sequence.tolist(), strict=True)
    ]


def same(one: Answer, other: Answer) -> bool:
    return (one.ending, one.errors, lines(one.places)) == (other.ending, other.errors, lines(other.places))


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, int]:
    records = draw(st.lists(st.one_of(accepted, accepted, refused), max_size=12))
    if draw(st.booleans()):
        records = [one for one in records if "ShardId" in one]
    if draw(st.booleans()):
        records = [dict(sorted(one.items(), reverse=draw(st.booleans()))) for one in records]
    failed = sum("ErrorCode" in one for one in records)
    document: list[tuple[str, object]] = [("FailedRecordCount", failed), ("Records", records)]
    if draw(st.booleans()):
        document.append(("EncryptionType", "KMS"))
    random.Random(draw(st.integers(0, 9))).shuffle(document)
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    return json.dumps(dict(document), separators=separators).encode(), len(records)


@settings(deadline=None, max_examples=300)
@given(answers(), st.integers(-1, 1))
def test_both_ways_say_the_same(answer: tuple[bytes, int], off_by: int) -> None:
    data, count = answer
    assert same(read_answer(data, max(0, count + off_by)), _read_json(data, max(0, count + off_by)))


@settings(deadline=None, max_examples=300)
@given(st.lists(accepted, min_size=1, max_size=6), st.integers(0), st.binary(min_size=1, max_size=3), st.booleans())
def test_a_damaged_answer_is_never_taken_for_more_than_it_says(
    records: list[dict[str, str]], place: int, noise: bytes, cut: bool
) -> None:
    data = json.dumps({"FailedRecordCount": 0, "Records": records}, separators=(",", ":")).encode()
    at = place % len(data)
    damaged = data[:at] if cut else data[:at] + noise + data[at + len(noise) :]
    quick = _read_plain(damaged, len(records))
    if quick is not None:
        slow = _read_json(damaged, len(records))
        assert slow.ending is Ending.ANSWERED
        assert lines(quick) == lines(slow.places)


def test_a_full_answer_takes_the_quick_way() -> None:
    records = [{"SequenceNumber": str(10**55 + at), "ShardId": f"shardId-{at % 3:012d}"} for at in range(500)]
    data = json.dumps({"FailedRecordCount": 0, "Records": records}, separators=(",", ":")).encode()
    quick = _read_plain(data, 500)
    assert quick is not None
    assert lines(quick) == [(one["ShardId"], one["SequenceNumber"]) for one in records]
