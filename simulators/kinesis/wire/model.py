"""What a request must look like, from botocore's own model of the service.

Nothing about shapes, required members, lengths, ranges, patterns or enumerations is written down here: a new
botocore is a new simulator. A request is checked twice, as the service does it: first its types, which fail with
SerializationException, then its constraints, up to ten of which are named in one ValidationException.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from simulators.kinesis.errors import ServiceError

PROBLEMS_MAX = 10
"""How many violated constraints one answer names."""

MEMBERS_MAX = 10_000
"""More than any list or map of the service holds; what is longer is not worth looking at one by one."""

_INTEGER_BITS = {"integer": 32, "long": 64}

_MILLISECONDS_FROM = 1e11
"""A timestamp as a JSON number is in seconds, but the Java SDK v1 sends milliseconds; seconds reach this in 5138."""


@cache
def service_model() -> ServiceModel:
    """botocore's model of Kinesis Data Streams."""
    return ServiceModel(Loader().load_service_model("kinesis", "service-2"), "kinesis")


def operation(name: str) -> OperationModel | None:
    """The model of one action; None if the service has no such action."""
    # Looked up among those that there are: callers make up names, and none of those may be remembered.
    return _operations().get(name)


@cache
def _operations() -> dict[str, OperationModel]:
    model = service_model()
    return {name: model.operation_model(name) for name in model.operation_names}


def constraint(shape_name: str, name: str) -> Any:
    """One constraint of a shape: `min`, `max` or `pattern`."""
    return service_model().shape_for(shape_name).metadata[name]


@dataclass(slots=True)
class _Problems:
    found: list[str] = field(default_factory=list)

    def add(self, shown: str, path: str, rule: str) -> None:
        if len(self.found) < PROBLEMS_MAX:
            self.found.append(f"Value {shown} at '{path}' failed to satisfy constraint: {rule}")

    def raise_any(self) -> None:
        if self.found:
            count = len(self.found)
            plural = "s" if count > 1 else ""
            message = f"{count} validation error{plural} detected: {'; '.join(self.found)}"
            raise ServiceError("ValidationException", message)


def validate(action: OperationModel, request: object) -> dict[str, Any]:
    """The request with its members converted, unknown and null ones left out.

    Blobs become bytes, timestamps epoch milliseconds (int). SerializationException or ValidationException otherwise.
    """
    shape = action.input_shape
    if shape is None:
        return {}
    converted: dict[str, Any] = _convert(shape, request)
    problems = _Problems()
    _check(shape, converted, "", problems)
    problems.raise_any()
    return converted


def _convert(shape: Shape, value: object) -> Any:
    return _CONVERTERS[shape.type_name](shape, value)


def _refuse(value: object, wanted: str) -> ServiceError:
    if isinstance(value, list):
        message = "Start of list found where not expected"
    elif isinstance(value, dict):
        message = "Start of structure or map found where not expected."
    else:
        message = f"{type(value).__name__} can not be converted to {wanted}"
    return ServiceError("SerializationException", message)


def _convert_structure(shape: Shape, value: object) -> dict[str, Any]:
    assert isinstance(shape, StructureShape)
    if not isinstance(value, dict):
        raise _refuse(value, "a structure")
    members = shape.members
    return {
        name: _convert(members[name], member)
        for name, member in value.items()
        if name in members and member is not None
    }


def _convert_list(shape: Shape, value: object) -> list[Any]:
    assert isinstance(shape, ListShape)
    if not isinstance(value, list):
        raise _refuse(value, "a list")
    _require_few(value)
    return [_convert(shape.member, member) for member in value]


def _convert_map(shape: Shape, value: object) -> dict[str, Any]:
    assert isinstance(shape, MapShape)
    if not isinstance(value, dict):
        raise _refuse(value, "a map")
    _require_few(value)
    return {_convert(shape.key, name): _convert(shape.value, member) for name, member in value.items()}


def _require_few(members: list[Any] | dict[Any, Any]) -> None:
    if len(members) > MEMBERS_MAX:
        message = f"A list or map of {len(members)} members is more than {MEMBERS_MAX}"
        raise ServiceError("SerializationException", message)


def _convert_string(_shape: Shape, value: object) -> str:
    if not isinstance(value, str):
        raise _refuse(value, "a String")
    return value


def _convert_integer(shape: Shape, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise _refuse(value, f"an {shape.type_name.capitalize()}")
    number = int(value)
    if number.bit_length() >= _INTEGER_BITS[shape.type_name]:
        raise ServiceError("SerializationException", f"{number} is out of range for {shape.type_name}")
    return number


def _convert_boolean(_shape: Shape, value: object) -> bool:
    if not isinstance(value, bool):
        raise _refuse(value, "a Boolean")
    return value


def _convert_blob(_shape: Shape, value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise _refuse(value, "a Blob")
    try:
        return binascii.a2b_base64(value, strict_mode=True) if value else b""
    except (binascii.Error, ValueError) as error:
        raise ServiceError("SerializationException", f"The value can not be converted to a Blob: {error}") from None


def _convert_timestamp(_shape: Shape, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e16:
        raise _refuse(value, "a Timestamp")
    return round(value if abs(value) > _MILLISECONDS_FROM else value * 1000)


_CONVERTERS: dict[str, Callable[[Shape, object], Any]] = {
    "structure": _convert_structure,
    "list": _convert_list,
    "map": _convert_map,
    "string": _convert_string,
    "integer": _convert_integer,
    "long": _convert_integer,
    "boolean": _convert_boolean,
    "blob": _convert_blob,
    "timestamp": _convert_timestamp,
}


def _check(shape: Shape, value: Any, path: str, problems: _Problems) -> None:
    """Note every constraint of `shape` that a converted value violates."""
    for rule, holds in _rules(shape):
        if not holds(value):
            problems.add(_shown(value), path, rule)
    if isinstance(shape, StructureShape):
        _check_structure(shape, value, path, problems)
    elif isinstance(shape, ListShape):
        for index, member in enumerate(value, 1):
            _check(shape.member, member, f"{path}.{index}.member", problems)
    elif isinstance(shape, MapShape):
        for name, member in value.items():
            _check(shape.key, name, f"{path}.key", problems)
            _check(shape.value, member, f"{path}.{name}.member", problems)


def _check_structure(shape: StructureShape, value: dict[str, Any], path: str, problems: _Problems) -> None:
    prefix = f"{path}." if path else ""
    for name in shape.required_members:
        if name not in value:
            problems.add("null", prefix + _lower_first(name), "Member must not be null")
    for name, member in value.items():
        _check(shape.members[name], member, prefix + _lower_first(name), problems)


Rule = tuple[str, Callable[[Any], bool]]


def _rules(shape: Shape) -> list[Rule]:
    # Shapes of one name are alike, and botocore makes new objects for the same shape again and again.
    found = _RULES.get(shape.name)
    if found is None:
        found = _RULES[shape.name] = _bounds(shape) + _forms(shape)
    return found


_RULES: dict[str, list[Rule]] = {}


def _bounds(shape: Shape) -> list[Rule]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    numeric = shape.type_name in _INTEGER_BITS
    measure: Callable[[Any], int] = (lambda value: value) if numeric else len
    what = "value" if numeric else "length"
    rules: list[Rule] = []
    if high is not None:
        rules.append((f"Member must have {what} less than or equal to {high}", lambda value: measure(value) <= high))
    if low is not None:
        rules.append((f"Member must have {what} greater than or equal to {low}", lambda value: measure(value) >= low))
    return rules


def _forms(shape: Shape) -> list[Rule]:
    rules: list[Rule] = []
    allowed = getattr(shape, "enum", None)
    if allowed:
        rules.append((f"Member must satisfy enum value set: [{', '.join(allowed)}]", lambda value: value in allowed))
    pattern = shape.metadata.get("pattern")
    if pattern:
        matches = re.compile(pattern).fullmatch
        rules.append(
            (f"Member must satisfy regular expression pattern: {pattern}", lambda value: matches(value) is not None)
        )
    return rules


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"'java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]'"
    if isinstance(value, list | dict):
        value = json.dumps(value, default=lambda one: base64.b64encode(one).decode())
    text = str(value)
    return f"'{text if len(text) <= 1024 else text[:1024] + '…'}'"


def _lower_first(name: str) -> str:
    return name[0].lower() + name[1:]
