"""Traffic of a record type that a user wrote: `file.py:ClassName`."""

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from simulators.traffic import DueTimes
from simulators.traffic.bad_records import Role
from simulators.traffic.fields import FieldsMaker
from simulators.traffic.grammar import TEXT_CHARACTERS_MAX
from simulators.traffic.options import SeriesOptions, Text
from simulators.traffic.own import OwnRecord
from simulators.traffic.pools import LOCALE_DEFAULT, seeded_faker
from simulators.traffic.rows import TIME_BYTES
from simulators.traffic.series import LineTraffic

FIELDS_MAX = 100

_SERIES = 6


class OwnTrafficOptions(SeriesOptions):
    """Which file and class, the checksum that the file had, and the pools by field.

    Everything that reads a ledger makes its records again, and so needs the file as it was.
    """

    RECORD_BYTES_MAX: ClassVar[int] = FIELDS_MAX * (TEXT_CHARACTERS_MAX + 1)  # `build` knows better

    kind: Literal["own"] = "own"
    path: str
    class_name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    pools_by_field: dict[str, tuple[Text, ...]]

    @classmethod
    def draw(cls, *, locale: str = LOCALE_DEFAULT, **settings: Any) -> Self:
        path = Path(settings["path"]).absolute()
        record = load_own_record(path, settings["class_name"])
        faker = seeded_faker(locale, settings.get("seed", 0))
        pools = {name: sampler.pool(faker) for name, sampler in record.samplers().items()}
        return cls.model_validate(
            {
                **settings,
                "path": str(path),
                "sha256": _checksum(path),
                "pools_by_field": {name: pool for name, pool in pools.items() if pool},
            }
        )

    def build(self, due_times: DueTimes | None = None) -> LineTraffic:
        """The series. ValueError if the file is not there any more, or not what it was."""
        path = Path(self.path)
        if _checksum(path) != self.sha256:
            raise ValueError(f"{path} has changed since these records were made: restore it as it was")
        record = load_own_record(path, self.class_name)
        columns = {
            name: sampler.column(self.run_token, self.pools_by_field.get(name, ()))
            for name, sampler in record.samplers().items()
        }
        self._require_reachable_size([one.role for one in columns.values()])
        return LineTraffic(
            self,
            FieldsMaker(columns, seed=self.seed, series=_SERIES, record_bytes=self.record_bytes),
            key_field=record.key_field,
            roles=[one.role for one in columns.values()],
            due_times=due_times,
        )

    def _require_reachable_size(self, roles: list[Role]) -> None:
        if self.record_bytes is None:
            return
        if Role.ID not in roles:
            raise ValueError(f"--record-bytes pads a running_id, and {self.class_name} has none")
        times = roles.count(Role.TIME)
        most = TEXT_CHARACTERS_MAX + times * TIME_BYTES + 2 * (len(roles) - 1) - times
        if self.record_bytes > most:
            raise ValueError(f"--record-bytes is {self.record_bytes}: all records of these can have up to {most} bytes")


def split_name(name: str) -> Mapping[str, str] | None:
    """File and class of `file.py:ClassName`; None for a name that is none of these."""
    path, separator, class_name = name.rpartition(":")
    return {"path": path, "class_name": class_name} if separator and path.endswith(".py") else None


def load_own_record(path: Path, class_name: str) -> type[OwnRecord]:
    """The class in a file; ValueError fit for users if it is not there or none that makes records."""
    module = _load(path, _checksum(path))
    record = module.get(class_name)
    if not (isinstance(record, type) and issubclass(record, OwnRecord) and record is not OwnRecord):
        known = [name for name, one in module.items() if isinstance(one, type) and issubclass(one, OwnRecord)]
        there = ", ".join(name for name in known if name != "OwnRecord") or "none"
        raise ValueError(f"{path} has no record type {class_name!r}; there is {there}")
    _check(record)
    return record


def _check(record: type[OwnRecord]) -> None:
    fields = record.samplers()
    if not 1 <= len(fields) <= FIELDS_MAX:
        raise ValueError(f"{record.__name__} has {len(fields)} fields: there must be 1 to {FIELDS_MAX}")
    if not record.stream:
        raise ValueError(f'{record.__name__} does not say which stream it is for: stream = "…"')
    if record.key_field not in fields:
        raise ValueError(f"{record.__name__}.key_field is {record.key_field!r}: none of {', '.join(fields)}")


def _checksum(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


@lru_cache(maxsize=8)
def _load(path: Path, sha256: str) -> Mapping[str, object]:
    """What a file defines. The checksum makes a changed file another one."""
    name = f"own_records_{sha256[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ValueError(f"{path} cannot be used: {type(error).__name__}: {error}") from error
    return vars(module)
