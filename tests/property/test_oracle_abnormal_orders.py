"""Alerts, dead letters and the comparison against brute force, and against outputs that were tampered with."""

import base64
import json
from collections import Counter
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from floodmark.oracle import AcceptedRecords, OracleSettings
from floodmark.oracle.abnormal_orders import AbnormalOrdersOracle
from floodmark.oracle.grammar import Refusal
from floodmark.oracle.orders import read_order
from floodmark.outputs import Observed
from floodmark.reconcile import Reconciler
from floodmark.run import Outputs

NOW_MS = 1_700_000_000_000
HARNESS = (b"canary-", b"closing-")

FIELDS = st.one_of(
    st.sampled_from(["", "o-1", "10000", "10000.01", "20000", "0", "x", f"{NOW_MS}", f"{NOW_MS}0", "\x85", "a\n", " "]),
    st.text(max_size=5),
)
LINES = st.builds(
    lambda fields, end: (",".join(fields) + end).encode("utf-8", errors="surrogatepass"),
    st.lists(FIELDS, max_size=6),
    st.sampled_from(["", "", "\n", "\r\n", "\r"]),
)
GOOD_ORDERS = st.builds(
    lambda number, cents, region: f"o-{number},{cents // 100}.{cents % 100:02},{region},{NOW_MS},toys".encode(),
    st.integers(0, 5),
    st.one_of(st.integers(999_990, 1_000_010), st.integers(0, 10**14 - 1)),
    st.sampled_from(["north", "süd"]),
)


def accepted(values: list[bytes]) -> AcceptedRecords:
    ones = np.ones(len(values), np.int64)
    return AcceptedRecords(
        indices=np.arange(len(values)),
        values=values,
        intended_ms=ones * NOW_MS,
        arrival_ms_min=ones * NOW_MS,
        arrival_ms_max=ones * (NOW_MS + 1),
        least=ones,
        most=ones,
        shards=ones,
    )


def brute_force(values: list[bytes]) -> list[tuple[str, bytes]]:
    """What a job would put out, in the plainest way."""
    outputs = []
    for value in values:
        order = read_order(value)
        if isinstance(order, Refusal):
            letter = {"source": "orders", "reason": order.reason, "truncated": False, "arrivalTime": NOW_MS + 1}
            outputs.append(("letters", json.dumps({**letter, **quoted(value)}).encode()))
        elif order.amount > Decimal("10000"):
            body = {
                "orderId": order.order_id,
                "region": order.region,
                "eventTime": order.event_time_ms,
                "arrivalTime": NOW_MS + 1,
                "message": "m",
            }
            text = json.dumps(body, ensure_ascii=False)[:-1] + f', "amount": {order.amount.normalize():f}}}'
            outputs.append(("alerts", text.encode()))
    return outputs


def quoted(value: bytes) -> dict[str, str]:
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"valueBase64": base64.b64encode(value).decode()}


def compare(values: list[bytes], outputs: list[tuple[str, bytes]], pieces: int = 1) -> Outputs:
    oracle = AbnormalOrdersOracle(OracleSettings(input_stream="orders"))
    reconciler = Reconciler(oracle, output_stream="alerts", dead_letter_stream="letters")
    for start in range(pieces):
        reconciler.expect(oracle.expect(accepted(values[start::pieces])))
    reconciler.expect(oracle.finish())
    reconciler.observe(
        Observed(stream=stream, shard="s", sequence="1", arrival_ms=NOW_MS + 9, seen_ms=NOW_MS + 10, value=value)
        for stream, value in outputs
    )
    return reconciler.result().outputs


VALUES = st.lists(
    st.one_of(GOOD_ORDERS, LINES, st.binary(max_size=8)).filter(lambda value: not value.startswith(HARNESS)),
    max_size=12,
)


@given(VALUES, st.integers(1, 3), st.randoms(use_true_random=False))
def test_what_a_right_job_puts_out_is_accepted_in_any_order(values: list[bytes], pieces: int, random: object) -> None:
    outputs = brute_force(values)
    random.shuffle(outputs)  # type: ignore[attr-defined]
    found = compare(values, outputs, pieces)
    assert found == Outputs(
        expected=len(outputs),
        observed=len(outputs),
        lost=0,
        duplicated=0,
        unexpected=0,
        dead_letters=sum(stream == "letters" for stream, _ in outputs),
    )


@given(VALUES, st.data())
def test_any_output_dropped_doubled_or_altered_is_caught(values: list[bytes], data: st.DataObject) -> None:
    outputs = brute_force(values)
    dropped: list[tuple[str, bytes]] = []
    doubled: list[tuple[str, bytes]] = []
    altered: list[tuple[str, bytes]] = []
    changed = []
    for output in outputs:
        fate = data.draw(st.sampled_from(["kept", "dropped", "doubled", "altered"]))
        {"kept": [], "dropped": dropped, "doubled": doubled, "altered": altered}[fate].append(output)
        times = {"kept": 1, "dropped": 0, "doubled": 2, "altered": 0}[fate]
        changed += [output] * times
    changed += [(stream, value.replace(b": ", b": 7", 1)) for stream, value in altered]
    found = compare(values, changed)
    kept = Counter(outputs)
    seen = Counter(changed)
    assert found.lost == sum(max(0, times - seen[output]) for output, times in kept.items())
    assert found.duplicated == sum(max(0, seen[output] - times) for output, times in kept.items())
    assert found.unexpected == len(altered)
    assert found.observed == found.expected - found.lost + found.duplicated + found.unexpected
