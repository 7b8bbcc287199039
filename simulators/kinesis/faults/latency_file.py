"""Latencies from the command line: one distribution for all actions, or a TOML file with one for each."""

from pathlib import Path
from typing import Any

from simulators.kinesis.errors import SettingsError
from simulators.kinesis.faults.latency_model import FORMS, KINDS, Distribution, LatencyModel, parse_distribution
from simulators.kinesis.nearest import nearest
from simulators.kinesis.toml_file import read_toml
from simulators.kinesis.wire.model import service_model

_SECTIONS = ("default", "actions")


def load_latency(named: str) -> LatencyModel:
    """A distribution as `--latency` takes it, or the name of a TOML file; SettingsError for anything else."""
    if named.partition(":")[0].strip() in KINDS:
        return LatencyModel(default=_distribution("--latency", named))
    content = read_toml(
        Path(named),
        f"the latency file {named}",
        unreadable=f"{named!r} is no distribution, and as a file it cannot be read",
        remedy=f"write {FORMS}, or name a TOML file",
    )
    return _of_file(named, content)


def _of_file(named: str, content: dict[str, Any]) -> LatencyModel:
    for key in content:
        if key not in _SECTIONS:
            raise SettingsError(f"the latency file {named} has an unknown key {key}", nearest(key, _SECTIONS))
    actions = content.get("actions", {})
    if not isinstance(actions, dict):
        raise SettingsError(f"the latency file {named}: actions is no table", "write [actions] and ACTION = …")
    known = service_model().operation_names
    for action in actions:
        if action not in known:
            raise SettingsError(f"the latency file {named}: there is no action {action}", nearest(action, known))
    return LatencyModel(
        default=_distribution(f"the latency file {named}: default", content.get("default", "none")),
        by_action={
            action: _distribution(f"the latency file {named}: {action}", text) for action, text in actions.items()
        },
    )


def _distribution(where: str, text: object) -> Distribution | None:
    try:
        return parse_distribution(text if isinstance(text, str) else repr(text))
    except ValueError as error:
        raise SettingsError(f"{where}: {error}", f"write {FORMS}") from None
