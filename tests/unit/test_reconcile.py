import json
from dataclasses import replace
from typing import Any

import pytest

from floodmark.oracle import ANY_NUMBER, Destination, ExpectedOutput, NoOracle, OracleSettings, ReadOutput
from floodmark.oracle.abnormal_orders import AbnormalOrdersOracle
from floodmark.oracle.dead_letters import dead_letter_key
from floodmark.outputs import Observed
from floodmark.reconcile import EXAMPLES_MAX, UNSTAMPED, Reconciler, Reconciliation

NOW_MS = 1_700_000_000_000


def key(number: int) -> str:
    return f"o-{number}\x1f20000\x1fnorth\x1f{NOW_MS}"


def wanted(number: int, *, least: int = 1, most: int = 1, sent_ms: int = NOW_MS) -> ExpectedOutput:
    arrived_by_ms = sent_ms + 10
    return ExpectedOutput("output", key(number), number, NOW_MS - 1, NOW_MS - 1, sent_ms, arrived_by_ms, least, most)


def alert(order_id: str, **changes: Any) -> bytes:
    document = {
        "orderId": order_id,
        "amount": 20000,
        "region": "north",
        "eventTime": NOW_MS,
        "arrivalTime": NOW_MS + 2,
        "message": "m",
    }
    return json.dumps({**document, **changes}).encode()


def seen(value: bytes, *, arrival_ms: int = NOW_MS + 50, stream: str = "alerts") -> Observed:
    return Observed(
        stream=stream, shard="s", sequence="1", arrival_ms=arrival_ms, seen_ms=arrival_ms + 100, value=value
    )


def reconcile(expected: list[ExpectedOutput], observed: list[Observed], **settings: Any) -> Reconciliation:
    oracle = AbnormalOrdersOracle(OracleSettings(input_stream="orders"))
    reconciler = Reconciler(oracle, output_stream="alerts", dead_letter_stream="letters", **settings)
    reconciler.expect(expected)
    reconciler.observe(observed)
    return reconciler.result()


def counts(found: Reconciliation) -> tuple[int, int, int, int, int]:
    one = found.outputs
    return one.expected, one.observed, one.lost, one.duplicated, one.unexpected


def test_everything_as_it_should_be() -> None:
    found = reconcile([wanted(n) for n in range(3)], [seen(alert(f"o-{n}")) for n in (2, 0, 1)])
    assert counts(found) == (3, 3, 0, 0, 0)
    assert found.examples.lost == found.examples.duplicated == found.examples.unexpected == []


def test_nothing_at_all() -> None:
    assert counts(reconcile([], [])) == (0, 0, 0, 0, 0)


def test_a_dropped_output_is_lost_and_named() -> None:
    found = reconcile([wanted(0), wanted(1)], [seen(alert("o-0"))])
    assert counts(found) == (2, 1, 1, 0, 0)
    (example,) = found.examples.lost
    assert example.stream == "alerts"
    assert example.output == f"o-1, 20000, north, {NOW_MS}"
    assert example.problem == "record 1: came 0 times, expected 1"


def test_a_doubled_output_is_a_duplicate_and_named() -> None:
    found = reconcile([wanted(0)], [seen(alert("o-0")), seen(alert("o-0"), arrival_ms=NOW_MS + 9_000)])
    assert counts(found) == (1, 2, 0, 1, 0)
    assert found.examples.duplicated[0].problem == "record 0: came 2 times, expected 1"
    assert found.matched.output_arrival_ms.tolist() == [NOW_MS + 50]


@pytest.mark.parametrize(
    "changes", [{"amount": 20001}, {"region": "south"}, {"eventTime": NOW_MS + 1}, {"message": ""}, {"orderId": "o-9"}]
)
def test_an_altered_output_is_unexpected_and_the_true_one_lost(changes: dict[str, Any]) -> None:
    found = reconcile([wanted(0)], [seen(alert("o-0", **changes))])
    assert counts(found) == (1, 1, 1, 0, 1)
    assert len(found.examples.unexpected) == 1


@pytest.mark.parametrize(
    ("arrival_ms", "output_ms", "is_possible"),
    [
        (NOW_MS - 1, NOW_MS + 50, False),  # before it was sent
        (NOW_MS, NOW_MS + 50, True),
        (NOW_MS + 10, NOW_MS + 50, True),
        (NOW_MS + 11, NOW_MS + 50, False),  # after it was acknowledged
        (NOW_MS + 5, NOW_MS + 5, True),
        (NOW_MS + 6, NOW_MS + 5, False),  # after its output
    ],
)
def test_an_arrival_stamp_must_be_possible(arrival_ms: int, output_ms: int, is_possible: bool) -> None:
    found = reconcile([wanted(0)], [seen(alert("o-0", arrivalTime=arrival_ms), arrival_ms=output_ms)])
    assert counts(found) == ((1, 1, 0, 0, 0) if is_possible else (1, 1, 1, 0, 1))


def test_outputs_without_an_arrival_stamp_are_compared_by_their_contents() -> None:
    class Unstamped(AbnormalOrdersOracle):
        def read(self, destination: Destination, value: bytes) -> ReadOutput:
            return replace(super().read(destination, value), input_arrival_ms=None)

    oracle = Unstamped(OracleSettings(input_stream="orders"))
    reconciler = Reconciler(oracle, output_stream="alerts", dead_letter_stream="letters")
    reconciler.expect([wanted(0)])
    reconciler.observe([seen(alert("o-0", arrivalTime=1))])
    found = reconciler.result()
    assert counts(found) == (1, 1, 0, 0, 0)
    assert found.matched.input_arrival_ms.tolist() == [UNSTAMPED]


@pytest.mark.parametrize(
    ("arrivals_ms", "lost", "duplicated"),
    [
        ([NOW_MS + 3, NOW_MS + 1_003], 0, 0),
        ([NOW_MS + 1_003, NOW_MS + 3], 0, 0),
        ([NOW_MS + 3, NOW_MS + 3], 1, 1),  # the first came twice, which does not make up for the second
        ([NOW_MS + 3, NOW_MS + 3, NOW_MS + 1_003], 0, 1),
        ([NOW_MS + 1_003], 1, 0),
    ],
)
def test_a_replay_does_not_make_up_for_a_loss(arrivals_ms: list[int], lost: int, duplicated: int) -> None:
    same = wanted(0, sent_ms=NOW_MS + 1_000)._replace(record_index=1)
    outputs = [seen(alert("o-0", arrivalTime=one), arrival_ms=NOW_MS + 2_000) for one in arrivals_ms]
    found = reconcile([wanted(0), same], outputs)
    assert counts(found) == (2, len(arrivals_ms), lost, duplicated, 0)
    assert (len(found.examples.lost), len(found.examples.duplicated)) == (lost > 0, duplicated > 0)


def test_clocks_may_disagree_by_the_tolerance() -> None:
    early = [seen(alert("o-0", arrivalTime=NOW_MS - 20))]
    assert counts(reconcile([wanted(0)], early, clock_tolerance_ms=20)) == (1, 1, 0, 0, 0)
    assert counts(reconcile([wanted(0)], early, clock_tolerance_ms=19)) == (1, 1, 1, 0, 1)


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_record_of_unknown_fate_may_lead_to_outputs_or_not(times: int) -> None:
    found = reconcile([wanted(0, least=0, most=ANY_NUMBER)], [seen(alert("o-0"))] * times)
    assert counts(found) == (0, times, 0, 0, 0)


@pytest.mark.parametrize(("times", "lost", "duplicated"), [(0, 2, 0), (1, 1, 0), (2, 0, 0), (3, 0, 1)])
def test_equal_records_are_counted_together(times: int, lost: int, duplicated: int) -> None:
    found = reconcile([wanted(0), wanted(0)], [seen(alert("o-0"), arrival_ms=NOW_MS + 50 + n) for n in range(times)])
    assert counts(found) == (2, times, lost, duplicated, 0)
    assert found.matched.output_arrival_ms.tolist() == [NOW_MS + 50 + n for n in range(min(times, 2))]


def test_records_of_the_harness_are_in_no_count() -> None:
    found = reconcile([wanted(0)], [seen(alert("canary-1")), seen(alert("o-0")), seen(alert("closing-1"))])
    assert counts(found) == (1, 1, 0, 0, 0)


def _letter(bad: bytes) -> ExpectedOutput:
    key = dead_letter_key("amount", bad)
    return ExpectedOutput("dead_letter", key, 1, NOW_MS, NOW_MS, NOW_MS, NOW_MS + 10, 1, 1)


def test_dead_letters_are_outputs_too() -> None:
    bad = b"o-1,x,north,1"
    expected = [wanted(0), _letter(bad)]
    document = {
        "source": "orders",
        "reason": "amount",
        "value": bad.decode(),
        "truncated": False,
        "arrivalTime": NOW_MS + 3,
    }
    letter = seen(json.dumps(document).encode(), stream="letters")
    found = reconcile(expected, [seen(alert("o-0")), letter])
    assert counts(found) == (2, 2, 0, 0, 0)
    assert found.outputs.dead_letters == 1
    assert len(found.matched.seen_ms) == 1, "the latency is that of the alert"
    missing = reconcile(expected, [seen(alert("o-0"))])
    assert counts(missing) == (2, 1, 1, 0, 0)
    assert missing.examples.lost[0].output.startswith("amount, o-1,x,north,1, ")
    wrong_stream = reconcile(expected, [seen(alert("o-0"), stream="letters"), letter])
    assert counts(wrong_stream) == (2, 2, 1, 0, 1)


def test_an_output_in_a_stream_that_nobody_knows_is_unexpected() -> None:
    assert counts(reconcile([wanted(0)], [seen(alert("o-0")), seen(b"x", stream="other")])) == (1, 2, 0, 0, 1)


def test_stamps_of_matched_outputs() -> None:
    matched = reconcile([wanted(0)], [seen(alert("o-0"))]).matched
    assert (matched.intended_ms.tolist(), matched.sent_ms.tolist()) == ([NOW_MS - 1], [NOW_MS])
    assert (matched.input_arrival_ms.tolist(), matched.output_arrival_ms.tolist()) == ([NOW_MS + 2], [NOW_MS + 50])
    assert matched.seen_ms.tolist() == [NOW_MS + 150]


def test_examples_are_bounded_in_number_and_size() -> None:
    expected = [wanted(n) for n in range(100)]
    observed = [seen(b"\xff" * 5_000) for _ in range(100)]
    found = reconcile(expected, observed)
    assert counts(found) == (100, 100, 100, 0, 100)
    assert len(found.examples.lost) == len(found.examples.unexpected) == EXAMPLES_MAX
    assert max(len(one.output) for one in found.examples.unexpected) <= 300
    half = seen(rb'{"\ud800": 1}')
    reconcile([], [half]).examples.model_dump_json().encode("utf-8")


def test_without_an_oracle_outputs_are_counted_and_not_judged() -> None:
    reconciler = Reconciler(NoOracle(), output_stream="alerts", dead_letter_stream="letters")
    reconciler.observe([seen(b"anything"), seen(b"else", stream="letters")])
    outputs = reconciler.result().outputs
    assert (outputs.judged, outputs.observed, outputs.dead_letters, outputs.unexpected) == (False, 2, 1, 0)
