"""The oracles that judge every record by itself, against plain jobs."""

import base64
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.property.plain_jobs import Output, overheating, pass_through
from tests.unit.oracle_bench import NOW_MS, accepted, compare, counts, document, make_oracle

ARRIVAL_MS = NOW_MS + 7

TEMPERATURES = st.builds(
    lambda device, thousandths, decimals: f"d-{device},{thousandths / 1000:.{decimals}f},{NOW_MS}".encode(),
    st.integers(0, 3),
    st.one_of(st.integers(79_990, 80_010), st.integers(-9_999_000, 9_999_000)),
    st.integers(1, 3),
)
ANYTHING = st.binary(max_size=8).filter(lambda value: not value.startswith((b"canary-", b"closing-")))


def letter(value: bytes, reason: str) -> Output:
    try:
        quoted = {"value": value.decode()}
    except UnicodeDecodeError:
        quoted = {"valueBase64": base64.b64encode(value).decode()}
    return "dead_letter", document(source="in", reason=reason, truncated=False, arrivalTime=ARRIVAL_MS, **quoted)


def require_judgement(scenario: str, values: list[bytes], outputs: list[Output], data: st.DataObject) -> None:
    """What a right job puts out is accepted; each output that is dropped or doubled is noticed."""
    pieces = [accepted(values[start::2], sent_ms=ARRIVAL_MS - 5, acknowledged_ms=ARRIVAL_MS + 5) for start in (0, 1)]
    assert counts(compare(make_oracle(scenario), pieces, outputs)) == (len(outputs), 0, 0, 0)
    times = data.draw(st.lists(st.integers(0, 2), min_size=len(outputs), max_size=len(outputs)))
    seen = [output for output, number in zip(outputs, times, strict=True) for _ in range(number)]
    wanted, came = Counter(outputs), Counter(seen)
    lost, duplicated = (wanted - came).total(), (came - wanted).total()
    assert counts(compare(make_oracle(scenario), pieces, seen)) == (len(outputs), lost, duplicated, 0)


@given(st.lists(st.one_of(TEMPERATURES, TEMPERATURES, st.just(b""), st.just(b"\xff")), max_size=12), st.data())
def test_overheating(values: list[bytes], data: st.DataObject) -> None:
    good = [(value, ARRIVAL_MS) for value in values if value.startswith(b"d")]
    outputs = [("output", value) for value in overheating(good)]
    outputs += [letter(value, "encoding" if value else "empty") for value in values if not value.startswith(b"d")]
    require_judgement("overheating", values, outputs, data)


@given(st.lists(ANYTHING, max_size=12), st.data())
def test_pass_through(values: list[bytes], data: st.DataObject) -> None:
    outputs = [("output", value) for value in pass_through([(value, ARRIVAL_MS) for value in values])]
    require_judgement("pass-through", values, outputs, data)
