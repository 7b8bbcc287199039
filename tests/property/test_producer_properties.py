"""Whatever the service does, the ledger is true: what it calls accepted is in the stream once, and so on."""

import random
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from floodmark.clock import ManualClock
from floodmark.ledger import LedgerFollower, LedgerWriter, Manifest, Outcome, read_entries
from floodmark.producer import Answer, Ending, FakeTransport, Producer, ProducerSettings, Request
from floodmark.schedule import ProfileOptions
from simulators.traffic.orders import OrderTrafficOptions

CODES = ["ProvisionedThroughputExceededException", "InternalFailure"]
RECORDS = 300

partial = st.tuples(st.just("partial"), st.dictionaries(st.integers(0, 20), st.sampled_from(CODES), max_size=10))
whole = st.tuples(st.sampled_from(["throttled", "unavailable", "lost", "lost answer", "refused"]), st.just(None))
fine = st.tuples(st.just("fine"), st.just(None))
slow = st.tuples(st.just("slow"), st.floats(0, 1.5))


def react(transport: FakeTransport, clock: ManualClock, kind: str, detail: object, request: Request) -> Answer | None:
    if kind == "partial":
        assert isinstance(detail, dict)
        return transport.store(request, {at: code for at, code in detail.items() if at < request.records})
    if kind == "slow":
        assert isinstance(detail, float)
        clock.advance(detail)
        return None
    if kind == "lost answer":
        transport.store(request)
    endings = {"throttled": Ending.THROTTLED, "unavailable": Ending.UNAVAILABLE, "refused": Ending.REFUSED}
    return None if kind == "fine" else Answer(ending=endings.get(kind, Ending.UNANSWERED))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(fine, partial, slow, partial, whole), max_size=40),
    st.booleans(),
    st.sampled_from([3, 50, 500]),
    st.one_of(st.none(), st.integers(0, 30)),
)
def test_the_ledger_agrees_with_the_stream_record_by_record(
    script: list[tuple[str, object]], resend_unknown: bool, batch_records: int, stop_after: int | None
) -> None:
    clock = ManualClock()
    transport = FakeTransport()
    for kind, detail in script:
        transport.reactions.append(
            lambda request, kind=kind, detail=detail: react(transport, clock, kind, detail, request)
        )
    manifest = Manifest(
        traffic_options=OrderTrafficOptions(seed=1, run_token="t", abnormal_share=0, regions=("r",), categories=("c",)),
        profile=ProfileOptions(rate_records_per_second=200, duration_s=RECORDS / 200, warm_up_s=0),
        start_ns=clock.now_ns(),
        stream="s",
        region="r",
        endpoint="e",
    )
    with tempfile.TemporaryDirectory() as folder:
        producer = Producer(
            traffic=manifest.traffic(),
            profile=manifest.schedule(),
            settings=ProducerSettings(
                batch_records=batch_records,
                resend_unknown=resend_unknown,
                retry_deadline_s=1,
                backlog_limit_s=3,
                drain_timeout_s=2,
            ),
            transport=transport,
            ledger=LedgerWriter(Path(folder), manifest),
            start_ns=manifest.start_ns,
            clock=clock,
            randomness=random.Random(1),
        )
        calls = 0
        while batch := producer.next_batch():
            calls += 1
            producer.send(batch)
            producer.tick()
            if calls == stop_after:
                producer.stop()
        totals = producer.finish()
        chunks = list(read_entries(Path(folder)))
        progress = LedgerFollower(Path(folder)).poll()

    outcome = {int(i): Outcome(o) for one in chunks for i, o in zip(one.index, one.outcome, strict=True)}
    assert sorted(outcome) == list(range(len(outcome)))
    if stop_after is None or calls < stop_after:
        assert len(outcome) == RECORDS
    stored = Counter(int(key.removeprefix("t-")) for key, _ in transport.stored)
    allowed = {Outcome.ACCEPTED: {1}, Outcome.FAILED: {0}, Outcome.MISSED: {0}, Outcome.UNKNOWN: {0, 1}}
    if resend_unknown:
        allowed[Outcome.UNKNOWN] |= set(stored.values())
    assert [index for index, what in outcome.items() if stored[index] not in allowed[what]] == []
    assert set(stored) <= set(outcome)
    counted = Counter(outcome.values())
    assert (totals.accepted, totals.failed) == (counted[Outcome.ACCEPTED], counted[Outcome.FAILED])
    assert (totals.unknown, totals.missed) == (counted[Outcome.UNKNOWN], counted[Outcome.MISSED])
    assert totals.throttled == sum(int(one.throttled.sum()) for one in chunks) == progress.throttled
    assert (progress.accepted, progress.failed, progress.unknown) == (totals.accepted, totals.failed, totals.unknown)
    assert progress.offered == len(outcome)
