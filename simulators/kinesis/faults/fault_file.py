"""Faults as people write them: JSON to the running simulator, text on the command line, TOML as a schedule."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from simulators.kinesis.errors import SettingsError
from simulators.kinesis.faults.fault import KINDS, Fault
from simulators.kinesis.nearest import nearest
from simulators.kinesis.toml_file import read_toml

_GUIDE = "docs/how-to/break-kinesis.md lists the faults and what they take"
_EXAMPLE = "write KIND NAME=VALUE …, for example 'throttle stream=order-stream shard=1 begin=10s length=5s'"


def build_fault(given: Mapping[str, object]) -> Fault:
    """A fault from its members; SettingsError names what is wrong, and the nearest to what is unknown."""
    kind = given.get("kind")
    if not isinstance(kind, str):
        raise SettingsError("a fault has no kind", f"say which: {', '.join(KINDS)}")
    if kind not in KINDS:
        raise SettingsError(f"there is no fault {kind!r}", nearest(kind, KINDS))
    model = KINDS[kind]
    for name in given:
        if name not in model.model_fields:
            raise SettingsError(f"the fault {kind} takes no {name!r}", nearest(name, model.model_fields))
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"][:1]))
        if first["type"] == "missing":
            raise SettingsError(f"the fault {kind} needs {name!r}", _GUIDE) from None
        raise SettingsError(f"the fault {kind}: {name}: {_message(first['msg'])}", _GUIDE) from None


def parse_fault(text: str) -> Fault:
    """A fault from the command line: its kind and then NAME=VALUE, with spaces between."""
    kind, *rest = text.split() or [""]
    pairs = [part.partition("=") for part in rest]
    names = [name for name, _, _ in pairs]
    if not kind or "=" in kind or not all(name and equals for name, equals, _ in pairs):
        raise SettingsError(f"{text!r} is not a fault", _EXAMPLE)
    if len(set(names)) < len(names) or "kind" in names:
        raise SettingsError(f"the fault {text!r} says something twice", "say everything once")
    return build_fault({"kind": kind, **{name: value for name, _, value in pairs}})


def load_faults(path: Path) -> tuple[Fault, ...]:
    """The schedule in a TOML file: one `[[fault]]` after another."""
    content = read_toml(path, f"the fault file {path}", remedy="name a TOML file that exists")
    entries = content.get("fault")
    if content.keys() != {"fault"} or not isinstance(entries, list):
        raise SettingsError(f"the fault file {path} must hold [[fault]] entries and nothing else", _GUIDE)
    return tuple(_numbered(path, number, entry) for number, entry in enumerate(entries, 1))


def _numbered(path: Path, number: int, entry: object) -> Fault:
    try:
        return build_fault(entry if isinstance(entry, dict) else {})
    except SettingsError as error:
        raise SettingsError(f"the fault file {path}, entry {number}: {error.message}", error.remedy) from None


def _message(message: str) -> str:
    return message.removeprefix("Value error, ")
