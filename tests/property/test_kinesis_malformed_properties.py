"""Whatever comes as the body of a request, the service answers it or refuses it in its own words."""

import base64
import json
from functools import cache
from typing import Any

import cbor2
import orjson
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.kinesis.accounts.account import AccountSettings
from simulators.kinesis.direct import DirectService
from simulators.kinesis.errors import ServiceError
from simulators.kinesis.quotas.quota import OFF
from simulators.kinesis.service import ACTIONS, SUBSCRIBE
from simulators.kinesis.wire.model import service_model
from simulators.kinesis.wire.protocol import CBOR, JSON, Protocol

SERVED = sorted({*ACTIONS, SUBSCRIBE})
ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
HUGE = 2**128 - 1

numbers = st.one_of(
    st.sampled_from(
        [0, -1, 1, 2, 24, 1000, 10_000, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 1e11, 1e16]
    ),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
)
texts = st.one_of(
    st.sampled_from(
        [
            *(
                "s",
                "t",
                ARN,
                f"{ARN}/consumer/c:1800000000",
                "shardId-000000000000",
                "shardId-000000000001",
                "c",
                "LATEST",
            ),
            *(
                "TRIM_HORIZON",
                "AT_TIMESTAMP",
                "AT_SEQUENCE_NUMBER",
                "0",
                str(HUGE),
                str(HUGE + 1),
                "-1",
                "9" * 60,
                "AAAA",
            ),
            *("", "\0", " ", "é😀", "../..", "a" * 3000, "=", "A===", "AA==", "\u2028"),
        ]
    ),
    st.text(max_size=40),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts, st.binary(max_size=30)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


tagged = st.recursive(
    st.one_of(anything, st.builds(cbor2.CBORTag, st.integers(0, 300), anything)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(texts, st.integers(), st.binary(max_size=5)), inner, max_size=3),
        st.builds(cbor2.CBORTag, st.integers(0, 2**64 - 1), inner),
    ),
    max_leaves=8,
)
"""What only CBOR can say: tags of all kinds, and keys that are no texts."""


def near(shape: Shape) -> st.SearchStrategy[Any]:
    """Values of about the shape that the model asks for: most right, some wrong anywhere inside."""
    return st.one_of(_right(shape.name), _right(shape.name), _right(shape.name), anything)


@cache
def _right(name: str) -> st.SearchStrategy[Any]:
    shape = service_model().shape_for(name)
    if isinstance(shape, StructureShape):
        required = {member: near(shape.members[member]) for member in shape.required_members}
        others = {member: near(one) for member, one in shape.members.items() if member not in required}
        return st.fixed_dictionaries(required, optional=others)
    if isinstance(shape, ListShape):
        return st.lists(near(shape.member), max_size=3)
    if isinstance(shape, MapShape):
        return st.dictionaries(texts, near(shape.value), max_size=3)
    enumeration = getattr(shape, "enum", None)
    if enumeration:
        return st.sampled_from(enumeration)
    simple: dict[str, st.SearchStrategy[Any]] = {
        "string": texts,
        "blob": st.binary(max_size=60),
        "boolean": st.booleans(),
        "timestamp": numbers,
    }
    return simple.get(shape.type_name, numbers)


def as_json(value: Any) -> bytes:
    return json.dumps(value, default=lambda blob: base64.b64encode(blob).decode()).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def direct() -> DirectService:
    """One service for all examples: what a request leaves behind must not hurt the next one either."""
    service = DirectService(AccountSettings(quotas=OFF))
    service("CreateStream", StreamName="s", ShardCount=2)
    service("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="c")
    return service


def decoded(protocol: Protocol, body: bytes) -> Any:
    """What is in an answer, timestamps as they come."""
    return orjson.loads(body) if protocol is JSON else cbor2.loads(body, semantic_decoders={1: lambda ms, _: ms})


def refusal(direct: DirectService, action: str, protocol: Protocol, body: bytes) -> ServiceError | None:
    """Send a body; ServiceError is the one thing that may be raised, and an answer can be read."""
    try:
        if action == SUBSCRIBE:
            direct.service.subscribe(protocol, body).end()
            return None
        answer = direct.service.answer(action, protocol, body)
    except ServiceError as error:
        return error
    if answer:
        assert isinstance(decoded(protocol, answer), dict)
    return None


def check(direct: DirectService, action: str, protocol: Protocol, body: bytes) -> None:
    error = refusal(direct, action, protocol, body)
    if error:
        encoded = protocol.encode({"__type": error.type, "message": error.message})
        assert decoded(protocol, encoded)["__type"] == error.type
        assert error.status in (400, 404)
        assert len(encoded) < 64 * 1024


@settings(max_examples=600, deadline=None)
@given(action=st.sampled_from(SERVED), body=st.one_of(st.binary(max_size=200), anything.map(as_json)))
def test_any_body_in_json(direct: DirectService, action: str, body: bytes) -> None:
    check(direct, action, JSON, body)


@settings(max_examples=600, deadline=None)
@given(action=st.sampled_from(SERVED), body=st.one_of(st.binary(max_size=200), tagged.map(cbor2.dumps)))
def test_any_body_in_cbor(direct: DirectService, action: str, body: bytes) -> None:
    check(direct, action, CBOR, body)


@pytest.mark.parametrize("action", SERVED)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_nearly_right_requests(direct: DirectService, action: str, data: st.DataObject) -> None:
    shape = service_model().operation_model(action).input_shape
    request = data.draw(near(shape)) if shape else data.draw(anything)
    check(direct, action, JSON, as_json(request))
    check(direct, action, CBOR, cbor2.dumps(request))
    if isinstance(request, dict) and request:
        member = data.draw(st.sampled_from(sorted(request)))
        check(direct, action, CBOR, cbor2.dumps({**request, member: data.draw(tagged)}))
