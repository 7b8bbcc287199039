"""Whatever is put into the columns comes out of them, and whatever is put into a ledger is in it once."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.ledger import LedgerWriter, Manifest, Outcome, read_entries
from floodmark.ledger.columns import SEQUENCE_TYPE, Rows, decode, encode
from floodmark.schedule import ProfileOptions
from simulators.traffic.orders import OrderTrafficOptions

digits = st.text("0123456789", min_size=56, max_size=56)
anything = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=56)
row = st.tuples(
    st.integers(0, 2**62),
    st.integers(0, 2**62),
    st.sampled_from(list(Outcome)),
    st.integers(0, 65_535),
    st.integers(-1, 5),
)


@settings(deadline=None)
@given(st.lists(row, min_size=1, max_size=50, unique_by=lambda one: one[0]), st.data())
def test_columns_come_back_sorted_by_index(rows: list[tuple[int, ...]], data: st.DataObject) -> None:
    form = data.draw(st.sampled_from([digits, anything]))
    sequences = ["" if one[4] < 0 else data.draw(form) for one in rows]
    columns = Rows(
        index=np.array([one[0] for one in rows], np.int64),
        acknowledged_ns=np.array([one[1] for one in rows], np.int64),
        outcome=np.array([one[2] for one in rows], np.uint8),
        throttled=np.array([one[3] for one in rows], np.uint16),
        shard=np.array([one[4] for one in rows], np.int16),
        sequence=np.array(sequences, SEQUENCE_TYPE),
        shards=("a", "b", "c", "d", "e", "f"),
    )
    found = decode(encode(columns), len(rows))
    expected = sorted(zip(rows, sequences, strict=True))
    got = zip(found.index, found.acknowledged_ns, found.outcome, found.throttled, found.shard, strict=True)
    assert [tuple(int(value) for value in one) for one in got] == [one for one, _ in expected]
    assert [one.decode() for one in found.sequence] == [sequence for _, sequence in expected]
    assert found.shards == columns.shards


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(40)), st.data())
def test_every_offered_record_is_there_once_in_whatever_order_outcomes_come(
    order: list[int], data: st.DataObject
) -> None:
    """Forty records near a chunk's edge; outcomes in any order, some of them never; flushes in between."""
    base = 65_516
    manifest = Manifest(
        traffic_options=OrderTrafficOptions(seed=1, run_token="t", abnormal_share=0, regions=("r",), categories=("c",)),
        profile=ProfileOptions(rate_records_per_second=1000, duration_s=(base + 40) / 1000, warm_up_s=0),
        start_ns=0,
        stream="s",
        region="r",
        endpoint="e",
    )
    told = data.draw(st.dictionaries(st.sampled_from(order), st.sampled_from([Outcome.ACCEPTED, Outcome.FAILED])))
    with tempfile.TemporaryDirectory() as folder:
        writer = LedgerWriter(Path(folder), manifest)
        writer.missed(0, base)
        for first in range(0, 40, 8):
            writer.intend([(base + first, 8)], 1 + first)
        for place in order:
            if place in told:
                writer.settle(told[place], [base + place], [0])
            if data.draw(st.booleans()):
                writer.flush()
        writer.close(now_ns=0)
        chunks = list(read_entries(Path(folder)))
    assert np.array_equal(np.concatenate([one.index for one in chunks]), np.arange(base + 40))
    outcomes = np.concatenate([one.outcome for one in chunks])
    assert (outcomes[:base] == Outcome.MISSED).all()
    assert outcomes[base:].tolist() == [told.get(place, Outcome.UNKNOWN) for place in range(40)]
