"""Quotas from a file: TOML that names what differs from the service's own."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulators.kinesis.errors import SettingsError
from simulators.kinesis.nearest import nearest
from simulators.kinesis.quotas.quota import AWS, OFF, Quotas, ShardQuotas
from simulators.kinesis.toml_file import read_toml
from simulators.kinesis.wire.model import service_model


def load_quotas(named: str) -> Quotas:
    """`aws`, `off`, or a TOML file which changes what it names of the service's quotas; SettingsError otherwise."""
    if named in ("aws", "off"):
        return AWS if named == "aws" else OFF
    changes = read_toml(Path(named), f"the quota file {named}", remedy="say aws, off, or name a TOML file")
    _refuse_unknown_keys(changes, named)
    try:
        return Quotas.model_validate(_merged(AWS.model_dump(), changes))
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            f"the quota file {named}: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            "docs/simulator-fidelity.md lists the quotas and their units",
        ) from None


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        if isinstance(base[name], dict) and isinstance(value, dict):
            merged[name] = base[name] | value
        else:
            merged[name] = tuple(value) if isinstance(value, list) else value
    return merged


def _refuse_unknown_keys(changes: dict[str, Any], named: str) -> None:
    """Keys that would be dropped or taken for something else; values are the models' business."""
    _refuse_unknown(changes, Quotas.model_fields, named)
    _refuse_unknown(changes.get("shard"), ShardQuotas.model_fields, named)
    _refuse_unknown(changes.get("calls_per_second"), service_model().operation_names, named)
    overrides = changes.get("override", [])
    for override in overrides if isinstance(overrides, list) else []:
        if isinstance(override, dict):
            _refuse_unknown(override.get("quotas"), ShardQuotas.model_fields, named)


def _refuse_unknown(given: object, known: Collection[str], named: str) -> None:
    if not isinstance(given, Mapping):
        return
    for key in given:
        if key not in known:
            raise SettingsError(f"the quota file {named} has an unknown key {key}", nearest(key, known))
