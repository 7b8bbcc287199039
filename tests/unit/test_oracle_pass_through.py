import base64

import pytest

from floodmark.oracle import ANY_NUMBER, LateRecords, MalformedOutputError
from floodmark.oracle.pass_through import PASSED_BYTES_MAX, PREFIX
from tests.unit.oracle_bench import NOW_MS, accepted, document, make_oracle

ORACLE = make_oracle("pass-through")


@pytest.mark.parametrize("value", [b"", b"\n", b"\xff\x00", b"o-1,1,n,1700000000000,c", "süd".encode(), b"x" * 70_000])
def test_any_bytes_come_back_behind_the_prefix(value: bytes) -> None:
    (wanted,) = ORACLE.expect(accepted([value], due_ms=NOW_MS))
    assert (wanted.destination, wanted.least, wanted.most) == ("output", 1, 1)
    assert wanted.knowable_ms == wanted.intended_ms == NOW_MS
    read = ORACLE.read("output", b"Processed: " + value)
    assert (read.key, read.input_arrival_ms, read.control) == (wanted.key, None, False)
    for wrong in (value + b"x", value + b"\n", b"Processed: " + value):
        assert ORACLE.read("output", PREFIX + wrong).key != wanted.key


@pytest.mark.parametrize("value", [b"", b"Processed:", b"processed: x", b"x"])
def test_what_lacks_the_prefix_is_refused(value: bytes) -> None:
    with pytest.raises(MalformedOutputError, match="it does not begin with 'Processed: '"):
        ORACLE.read("output", value)


def test_what_would_be_too_large_is_a_dead_letter() -> None:
    largest = b"\xfe" * (PASSED_BYTES_MAX - len(PREFIX))
    fits, does_not = ORACLE.expect(accepted([largest, largest + b"\xfe"], times=(0, ANY_NUMBER)))
    assert (fits.destination, does_not.destination) == ("output", "dead_letter")
    assert (does_not.least, does_not.most) == (0, ANY_NUMBER)
    letter = document(
        source="in",
        reason="too-large",
        valueBase64=base64.b64encode(largest[: 64 * 1024]).decode(),
        truncated=True,
        arrivalTime=NOW_MS,
    )
    assert ORACLE.read("dead_letter", letter).key == does_not.key


def test_records_of_the_harness_are_recognised() -> None:
    assert ORACLE.read("output", b"Processed: canary-1,1,n").control
    assert not ORACLE.read("output", b"Processed: a canary-1").control
    assert list(ORACLE.expect(accepted([b"closing-1"]))) == []


def test_there_is_nothing_to_wait_for() -> None:
    assert not ORACLE.surveys
    assert list(ORACLE.finish()) == []
    assert ORACLE.late == LateRecords()
