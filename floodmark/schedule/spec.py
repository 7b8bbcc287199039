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
from floodmark.recording import Announce, Columns, read_recording
from floodmark.schedule.shapes import POINTS_MAX, Points, Replay, Seconds, Shape

UNTIL_STOPPED = "until-stopped"
"""A duration: the longest there is."""

_SHAPES: dict[str, type[BaseModel]] = {
    shape.model_fields["name"].default: shape for shape in get_args(get_args(Shape)[0])
}
PROFILE_NAMES = tuple(_SHAPES)


def parse_shape(text: str, announce: Announce = lambda _: None) -> Shape:
    """The shape that a text such as `ramp` or `spike:base=10%,at=0.3` names; ConfigurationError if it names none.

    A file that it names is read; `announce` hears how many records of a recording have been.
    """
    name, _, rest = text.strip().partition(":")
    shape = _SHAPES.get(name)
    if shape is None:
        near = difflib.get_close_matches(name, _SHAPES, n=1)
        meant = f", did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"there is no profile {name!r}{meant}", f"profiles: {', '.join(PROFILE_NAMES)}")
    settings = _settings(name, rest)
    if shape is Points:
        return _points(settings)
    if shape is Replay:
        return _replay(settings, announce)
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


_REPLAY_SETTINGS = ("file", "time", "key", "value", "scale", "records")


def _replay(settings: dict[str, str], announce: Announce) -> Replay:
    if unknown := settings.keys() - set(_REPLAY_SETTINGS):
        raise ConfigurationError(
            f"the profile replay has no setting {min(unknown)!r}", f"settings of replay: {', '.join(_REPLAY_SETTINGS)}"
        )
    if not settings.get("file"):
        raise ConfigurationError("the profile replay needs a recording", "write replay:file=PATH")
    if settings.get("records", "file") not in {"file", "made"}:
        raise ConfigurationError(
            f"records is {settings['records']!r}", "take those of the file, or made ones: file, made"
        )
    columns = Columns(**{name: settings[name] for name in ("time", "key", "value") if settings.get(name)})
    recording = read_recording(Path(settings["file"]), columns, announce)
    try:
        return Replay(
            path=str(recording.path),
            sha256=recording.sha256,
            records=recording.records,
            length_ns=recording.length_ns,
            scale=settings.get("scale", 1.0),  # type: ignore[arg-type]
            with_records=settings.get("records") != "made",
        )
    except ValidationError as error:
        raise _refusal("replay", error) from None


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
