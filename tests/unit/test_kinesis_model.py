"""Requests against botocore's model."""

import tracemalloc
from typing import Any

import pytest

from simulators.kinesis.errors import ServiceError
from simulators.kinesis.wire import model


def validated(action: str, request: object) -> dict[str, Any]:
    operation = model.operation(action)
    assert operation is not None
    return model.validate(operation, request)


def test_members_are_converted_and_what_is_unknown_or_null_is_left_out() -> None:
    request = {"StreamName": "s", "Records": [{"Data": "AP8=", "PartitionKey": "k", "New": 1}], "StreamARN": None}
    assert validated("PutRecords", request) == {
        "StreamName": "s",
        "Records": [{"Data": b"\x00\xff", "PartitionKey": "k"}],
    }


@pytest.mark.parametrize(
    ("given", "expected_ms"),
    [
        (1_800_000_000, 1_800_000_000_000),
        (1_800_000_000.123, 1_800_000_000_123),
        (1_800_000_000_123, 1_800_000_000_123),
    ],
)
def test_timestamps_become_milliseconds(given: float, expected_ms: int) -> None:
    request = {"ShardId": "s", "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": given}
    assert validated("GetShardIterator", request)["Timestamp"] == expected_ms


@pytest.mark.parametrize(
    ("action", "request_", "message"),
    [
        ("PutRecords", [], "Start of list found where not expected"),
        ("PutRecords", "x", "str can not be converted to a structure"),
        ("PutRecords", {"Records": {}}, "Start of structure or map found where not expected."),
        ("PutRecords", {"Records": [3]}, "int can not be converted to a structure"),
        ("PutRecord", {"Data": "x"}, "can not be converted to a Blob"),
        ("PutRecord", {"Data": 3}, "int can not be converted to a Blob"),
        ("GetRecords", {"Limit": "3"}, "str can not be converted to an Integer"),
        ("GetRecords", {"Limit": 3.5}, "float can not be converted to an Integer"),
        ("GetRecords", {"Limit": True}, "bool can not be converted to an Integer"),
        ("GetRecords", {"Limit": 2**31}, "2147483648 is out of range for integer"),
        ("GetRecords", {"Limit": float("nan")}, "can not be converted to an Integer"),
        ("GetRecords", {"Limit": float("inf")}, "can not be converted to an Integer"),
        ("GetRecords", {"DryRun": 1}, "int can not be converted to a Boolean"),
        ("GetShardIterator", {"Timestamp": "now"}, "str can not be converted to a Timestamp"),
        ("GetShardIterator", {"Timestamp": float("inf")}, "float can not be converted to a Timestamp"),
        ("CreateStream", {"Tags": []}, "Start of list found where not expected"),
        ("CreateStream", {"StreamName": 7}, "int can not be converted to a String"),
    ],
)
def test_wrong_types_cannot_be_read(action: str, request_: object, message: str) -> None:
    with pytest.raises(ServiceError) as caught:
        validated(action, request_)
    assert caught.value.type == "SerializationException"
    assert message in str(caught.value.message)


@pytest.mark.parametrize(
    ("action", "request_", "problem"),
    [
        ("CreateStream", {}, "Value null at 'streamName' failed to satisfy constraint: Member must not be null"),
        (
            "CreateStream",
            {"StreamName": "a b"},
            (
                "Value 'a b' at 'streamName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
            ),
        ),
        ("CreateStream", {"StreamName": "x", "Tags": {"": "v"}}, "Member must have length greater than or equal to 1"),
        ("CreateStream", {"StreamName": "x" * 129}, "Member must have length less than or equal to 128"),
        (
            "CreateStream",
            {"StreamName": "x", "ShardCount": 0},
            "Value '0' at 'shardCount' failed to satisfy constraint",
        ),
        ("CreateStream", {"StreamName": "x", "Tags": {"": "v"}}, "at 'tags.key' failed to satisfy constraint"),
        ("CreateStream", {"StreamName": "x", "Tags": {"k": "v" * 257}}, "at 'tags.k.member' failed to satisfy"),
        ("GetRecords", {"ShardIterator": "x", "Limit": 10_001}, "Member must have value less than or equal to 10000"),
        (
            "GetShardIterator",
            {"ShardId": "s", "ShardIteratorType": "X"},
            (
                "Member must satisfy enum value set: [AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER, TRIM_HORIZON, LATEST, "
                "AT_TIMESTAMP]"
            ),
        ),
        (
            "PutRecords",
            {"Records": []},
            "Value '[]' at 'records' failed to satisfy constraint: Member must have length",
        ),
        (
            "PutRecords",
            {"Records": [{"Data": ""}, {"Data": "", "ExplicitHashKey": "-1"}]},
            "Value '-1' at 'records.2.member.explicitHashKey' failed to satisfy constraint",
        ),
        ("PutRecord", {"PartitionKey": "k"}, "Value null at 'data' failed to satisfy constraint"),
    ],
)
def test_violated_constraints_are_named(action: str, request_: object, problem: str) -> None:
    with pytest.raises(ServiceError) as caught:
        validated(action, request_)
    assert caught.value.type == "ValidationException"
    assert problem in str(caught.value.message)
    assert str(caught.value.message).startswith("1 validation error detected: ")


def test_all_problems_are_counted_up_to_ten() -> None:
    with pytest.raises(ServiceError, match=r"^ValidationException: 2 validation errors detected: .*; "):
        validated("GetShardIterator", {})
    with pytest.raises(ServiceError, match="10 validation errors detected"):
        validated("PutRecords", {"Records": [{}] * 50})


def test_every_action_of_the_service_can_be_validated() -> None:
    for name in model.service_model().operation_names:
        operation = model.operation(name)
        assert operation is not None
        needs_nothing = operation.input_shape is None or not operation.input_shape.required_members
        if needs_nothing:
            assert model.validate(operation, {}) == {}
        else:
            with pytest.raises(ServiceError, match=r"^ValidationException: .*Member must not be null"):
                model.validate(operation, {})


def test_names_of_actions_that_there_are_not_are_not_kept() -> None:
    assert model.operation("PutRecord") is not None
    tracemalloc.start()
    for number in range(1_000):
        assert model.operation(f"{number}{'x' * 10_000}") is None
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 1_000_000
