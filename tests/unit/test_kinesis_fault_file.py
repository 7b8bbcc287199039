"""How faults are written: JSON, the command line, TOML."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simulators.kinesis.errors import SettingsError
from simulators.kinesis.faults.disturbance_settings import disturbance_settings
from simulators.kinesis.faults.fault import KINDS, ClockOffset, DropConnection, SlowAnswer, Stall
from simulators.kinesis.faults.fault_file import build_fault, load_faults, parse_fault
from simulators.kinesis.faults.latency_model import Constant, LogNormal


def test_text_toml_and_json_say_the_same(tmp_path: Path) -> None:
    expected = {
        "kind": "throttle",
        "stream": "order-stream",
        "shard": "shardId-000000000001",
        "begin": 10_000,
        "length": 5000,
        "actions": ("PutRecord", "GetRecords"),
        "consumer": None,
        "probability": 0.5,
        "count": 7,
    }
    text = (
        "throttle stream=order-stream shard=1 begin=10s length=5s actions=PutRecord,GetRecords probability=0.5 count=7"
    )
    file = tmp_path / "faults.toml"
    file.write_text(
        '[[fault]]\nkind = "throttle"\nstream = "order-stream"\nshard = "shardId-000000000001"\nbegin = "10s"\n'
        'length = "5s"\nactions = ["PutRecord", "GetRecords"]\nprobability = 0.5\ncount = 7\n'
    )
    fault = parse_fault(text)
    assert {name: getattr(fault, name) for name in type(fault).model_fields} == expected
    assert load_faults(file) == (fault,)
    assert build_fault(fault.model_dump(mode="json")) == fault


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_shown_of_a_fault_makes_the_same_fault(kind: str) -> None:
    needed: dict[str, dict[str, Any]] = {
        "slow-answer": {"delay": "lognormal:median=1s,p99=2s"},
        "stall": {"length": "1m"},
        "clock-offset": {"offset": "-5s"},
    }
    fault = build_fault({"kind": kind, "begin": "2026-11-20T15:00:00Z", **needed.get(kind, {})})
    assert build_fault(fault.model_dump(mode="json")) == fault
    assert fault.kind == kind


def test_moments_delays_and_offsets() -> None:
    stall = parse_fault("stall length=10s begin=2026-11-20T15:00:00Z")
    assert isinstance(stall, Stall)
    assert (stall.length, stall.begin) == (10_000, datetime(2026, 11, 20, 15, tzinfo=UTC))
    for text, delay in (("2s", Constant(2000)), ("lognormal:median=1s,p99=2s", LogNormal(1000, 2000))):
        slow = parse_fault(f"slow-answer delay={text}")
        assert isinstance(slow, SlowAnswer)
        assert slow.delay == delay
    ahead, dropped = parse_fault("clock-offset offset=-250ms"), parse_fault("drop-connection stage=after")
    assert isinstance(ahead, ClockOffset)
    assert isinstance(dropped, DropConnection)
    assert (ahead.offset, dropped.stage) == (-250, "after")


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("", "is not a fault", "write KIND NAME=VALUE"),
        ("kind=throttle", "is not a fault", "write KIND NAME=VALUE"),
        ("throttle shard", "is not a fault", "write KIND NAME=VALUE"),
        ("throttle shard=1 shard=2", "says something twice", "once"),
        ("throttle kind=stall", "says something twice", "once"),
        ("throtle", "there is no fault 'throtle'", "did you mean throttle?"),
        ("throttle shrad=1", "the fault throttle takes no 'shrad'", "did you mean shard?"),
        ("stall length=5s probability=0.5", "the fault stall takes no 'probability'", "known are"),
        ("stall", "the fault stall needs 'length'", "break-kinesis"),
        ("stall length=11m", "length: Input should be less than or equal to 600000", "break-kinesis"),
        ("throttle length=5", "length: '5' is no duration", "break-kinesis"),
        ("throttle length=0s", "length: Input should be greater than 0", "break-kinesis"),
        ("throttle begin=-1s", "begin: it must begin between 0 and 168h", "break-kinesis"),
        ("throttle begin=2026-11-20T15:00:00", "is in no time zone", "break-kinesis"),
        ("throttle begin=tomorrow", "'tomorrow' is no moment", "break-kinesis"),
        ("throttle shard=first", "'first' is no shard", "break-kinesis"),
        ("throttle probability=1.5", "probability: Input should be less than or equal to 1", "break-kinesis"),
        ("throttle probability=nan", "probability", "break-kinesis"),
        ("throttle count=0", "count: Input should be greater than or equal to 1", "break-kinesis"),
        ("throttle actions=PutRecrods", "did you mean PutRecords?", "break-kinesis"),
        ("throttle actions=SubscribeToShardEvent", "is no action that this fault can strike", "break-kinesis"),
        ("timeout stage=during", "stage: Input should be 'before' or 'after'", "break-kinesis"),
        ("slow-answer", "needs 'delay'", "break-kinesis"),
        ("slow-answer delay=soon", "delay: 'soon' is no duration", "break-kinesis"),
        ("slow-answer delay=none", "delay", "break-kinesis"),
        ("clock-offset offset=2h", "offset: Input should be less than or equal to 3600000", "break-kinesis"),
        ("expire-iterators issued=after", "issued: Input should be 'before' or 'ever'", "break-kinesis"),
    ],
)
def test_what_makes_no_sense_is_one_error(text: str, message: str, remedy: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_fault(text)
    assert message in caught.value.message
    assert remedy in caught.value.remedy
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[fault]\nkind = 'stall'", "must hold [[fault]] entries and nothing else"),
        ("seed = 1\n[[fault]]\nkind = 'stall'\nlength = '1s'", "must hold [[fault]] entries and nothing else"),
        ("[[fault]]\nkind = 'throttle'\n[[fault]]\nkind = 'stall'", "entry 2: the fault stall needs 'length'"),
        ("fault = [1]", "entry 1: a fault has no kind"),
        ("[[fault]", "is not TOML"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_one_error(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(content)
    with pytest.raises(SettingsError) as caught:
        load_faults(file)
    assert message in caught.value.message


def settings(**given: Any) -> Any:
    options = {"latency": "none", "propagation_polling": "0s", "propagation_fan_out": "0s", "fault": (), "seed": 3}
    return disturbance_settings(**{"fault_file": None, **options, **given})


def test_options_are_settings(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text('[[fault]]\nkind = "stall"\nlength = "1s"\n')
    found = settings(
        latency="constant:20ms",
        propagation_polling="200ms",
        propagation_fan_out="70ms",
        fault=("throttle", "freeze-shard shard=0"),
        fault_file=file,
    )
    assert [fault.kind for fault in found.faults] == ["stall", "throttle", "freeze-shard"]
    assert (found.propagation.polling_ms, found.propagation.fan_out_ms, found.propagation.longest_ms) == (200, 70, 200)
    assert (found.latency.default, found.seed) == (Constant(20), 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"propagation_polling": "200"}, "--propagation-polling: '200' is no duration"),
        ({"propagation_fan_out": "2m"}, "--propagation-fan-out 2m is not between 0s and a minute"),
        ({"fault": ("throttle",) * 101}, "101 faults are too many"),
        ({"fault_file": Path("/no/such/file")}, "the fault file /no/such/file cannot be read"),
    ],
)
def test_options_that_make_no_sense_are_one_error(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(**given)
    assert message in caught.value.message
    assert caught.value.remedy
