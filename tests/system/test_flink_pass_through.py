"""The pass-through job on a real Flink: any bytes, up to the largest record that can be written."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.system.flink_bench import assert_dead_letters

pytestmark = pytest.mark.system

PREFIX = b"Processed: "
LARGEST_BYTES = 1024**2 - 36 - len(PREFIX)
"""The service takes 1 MiB, of which a random key takes 36."""

TAKEN = [
    b"\x00",
    b"\n",
    bytes(range(256)),
    b"\xff\xfe\xc3 no text",
    "größe 😀\r\n".encode(),
    b"a,b,c,,",
    b"x" * LARGEST_BYTES,
    b"\xff" * LARGEST_BYTES,
]
TOO_LARGE = dict.fromkeys(
    (b"y" * (LARGEST_BYTES + 1), b"\xfe" * (LARGEST_BYTES + 1), b"z" * 1_048_000 + b"z" * 570), ""
)


@pytest.fixture(scope="module", params=["sql", "datastream"])
def ran(request: pytest.FixtureRequest, run_job: Callable[..., str], new_streams: Callable[..., Any]) -> Any:
    streams = new_streams()
    start = "TRIM_HORIZON"
    if request.param == "datastream":  # which must pass over what was there before
        streams.put([b"before"])
        time.sleep(0.5)
        start = str(time.time_ns() // 1_000_000)
        time.sleep(0.5)
    streams.put([*TAKEN, *TOO_LARGE])
    run_job("pass_through", "--start", start, "--parallelism", "3", "--api", request.param, on=streams)
    return streams


def answers(streams: Any, count: int) -> list[bytes]:
    deadline_s = time.monotonic() + 60
    while len(found := streams.records(streams.output)) < count:
        assert time.monotonic() < deadline_s, len(found)
        time.sleep(0.5)
    return [one["Data"] for one in found]


def test_every_record_comes_back_behind_the_prefix(ran: Any) -> None:
    assert sorted(answers(ran, len(TAKEN))) == sorted(PREFIX + one for one in TAKEN)


def test_what_is_too_large_with_it_is_a_dead_letter(ran: Any) -> None:
    assert_dead_letters(ran, dict.fromkeys(TOO_LARGE, "too-large"))


def test_the_job_goes_on(ran: Any) -> None:
    ran.put([b"afterwards"])
    assert PREFIX + b"afterwards" in answers(ran, len(TAKEN) + 1)
    assert len({one["PartitionKey"] for one in ran.records(ran.output)}) == len(TAKEN) + 1
