"""Profiles as people write them: `NAME`, or `NAME:key=value,key=value`."""

import csv
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from floodmark.duration import parse_duration_s
from floodmark.errors import ConfigurationError
from floodmark.schedule.shapes import POINTS_MAX, Points, Seconds, Shape

UNTIL_STOPPED = "until-stopped"
"""A duration: the longest there is."""

_SHAPES: dict[str, type[BaseModel]] = {
    shape.model_fields["name"].default: shape for shape in get_args(get_args(Shape)[0])
}
PROFILE_NAMES = tuple(_SHAPES)


def parse_shape(text: str) -> Shape:
    """The shape that a text such as `ramp` or `spike:base=10%,at=0.3` names; ConfigurationError if it names none."""
    name, _, rest = text.strip().partition(":")
    shape = _SHAPES.get(name)
    if shape is None:
        near = difflib.get_close_matches(name, _SHAPES, n=1)
        meant = f", did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"there is no profile {name!r}{meant}", f"profiles: {', '.join(PROFILE_NAMES)}")
    settings = _settings(name, rest)
    if shape is Points:
        return _points(settings)
    values = {key: _value(name, shape.model_fields, key, value) for key, value in settings.items()}
    try:
        return shape.model_validate(values)  # type: ignore[return-value]
    except ValidationError as error:
        raise _refusal(name, error) from None


def _settings(name: str, text: str) -> dict[str, str]:
    settings: dict[str, str] = {}
    for part in text.split(",") if text else ():
        key, equals, value = part.partition("=")
        if not equals or not key.strip() or key.strip() in settings:
            raise ConfigurationError(
                f"{part!r} is no setting of the profile {name}", "write each of them once, as key=value"
            )
        settings[key.strip()] = value.strip()
    return settings


def _value(name: str, fields: Mapping[str, FieldInfo], key: str, text: str) -> Any:
    if key not in fields or key == "name":
        known = [field for field in fields if field != "name"]
        what = f"settings of {name}: {', '.join(known)}" if known else f"{name} has no settings"
        raise ConfigurationError(f"the profile {name} has no setting {key!r}", what)
    if fields[key].annotation == Seconds | None:
        return parse_duration_s(text)
    if not text.endswith("%"):
        return text
    try:
        return float(text[:-1]) / 100
    except ValueError:
        return text


def _points(settings: dict[str, str]) -> Points:
    """Points from a file: a line each, seconds and records/s, separated by a comma; a first line may be a heading."""
    path = Path(settings.pop("file", ""))
    if settings or path == Path():
        raise ConfigurationError("the profile points has one setting, its file", "write points:file=PATH")
    points: list[tuple[float, float]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            for number, row in enumerate(csv.reader(lines), 1):
                if len(points) > POINTS_MAX:
                    raise ConfigurationError(f"{path} has more than {POINTS_MAX} points", "leave some of them out")
                if row and (point := _point(path, number, row)):
                    points.append(point)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from None
    try:
        return Points(points=tuple(points))
    except ValidationError as error:
        raise _refusal(f"points:file={path}", error) from None


def _point(path: Path, number: int, row: list[str]) -> tuple[float, float] | None:
    try:
        time, rate = map(float, row)
    except ValueError:
        if number == 1:
            return None
        raise ConfigurationError(
            f"line {number} of {path} is no point: {','.join(row)[:100]!r}",
            "a line is a second and a rate in records/s: 60,1500",
        ) from None
    return time, rate


def _unreadable(path: Path, error: Exception) -> ConfigurationError:
    why = (error.strerror if isinstance(error, OSError) else "") or "it is no text in UTF-8"
    return ConfigurationError(f"{path} cannot be read: {why}", "name a readable file")


def _refusal(name: str, error: ValidationError) -> ConfigurationError:
    first = error.errors()[0]
    field = first["loc"][0] if first["loc"] else ""
    what = first["msg"].removeprefix("Value error, ")
    about = f"{field} is {first['input']!r}: " if field and field != "points" else ""
    return ConfigurationError(
        f"profile {name}: {about}{what[:1].lower()}{what[1:]}", "docs/reference/profiles.md lists the profiles"
    )
