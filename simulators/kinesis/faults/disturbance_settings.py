"""What shall disturb the service from the start: the options, and what they mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from simulators.kinesis.duration import parse_whole_ms
from simulators.kinesis.errors import SettingsError
from simulators.kinesis.faults.fault import Fault
from simulators.kinesis.faults.fault_file import load_faults, parse_fault
from simulators.kinesis.faults.faults import FAULTS_MAX
from simulators.kinesis.faults.latency_file import load_latency
from simulators.kinesis.faults.latency_model import NO_LATENCY, LatencyModel
from simulators.kinesis.streams.visibility import AT_ONCE, PROPAGATION_MS_MAX, Propagation


@dataclass(frozen=True, slots=True, kw_only=True)
class DisturbanceSettings:
    """Latency, propagation and faults; `seed` decides what chance does. Faults count their times from the start."""

    latency: LatencyModel = NO_LATENCY
    propagation: Propagation = AT_ONCE
    faults: tuple[Fault, ...] = ()
    seed: int = 1

    def described(self) -> dict[str, Any]:
        """Latency and propagation as JSON shows them; faults come and go, and show themselves."""
        return {
            "seed": self.seed,
            "latency": self.latency.described(),
            "propagation_ms": {"polling": self.propagation.polling_ms, "fan_out": self.propagation.fan_out_ms},
        }


UNDISTURBED = DisturbanceSettings()

OPTIONS = (
    click.option(
        "--latency",
        default="none",
        show_default=True,
        help="What every call takes: constant:20ms, uniform:5ms..20ms, exponential:mean=10ms, "
        "lognormal:median=8ms,p99=60ms, or a TOML file with one for each action.",
    ),
    click.option(
        "--propagation-polling",
        default="0s",
        show_default=True,
        help="How long after its arrival GetRecords finds a record.",
    ),
    click.option(
        "--propagation-fan-out",
        default="0s",
        show_default=True,
        help="How long after its arrival a record is pushed to subscriptions.",
    ),
    click.option(
        "--fault",
        multiple=True,
        help="A fault, such as 'throttle shard=1 begin=10s length=5s'; may be given again.",
    ),
    click.option(
        "--faults",
        "fault_file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="TOML file with a schedule of faults.",
    ),
    click.option(
        "--seed", type=click.IntRange(0), default=1, show_default=True, help="Decides what chance does, to be repeated."
    ),
)
"""For the command line, in the order in which it shows them."""


def disturbance_settings(
    *,
    latency: str,
    propagation_polling: str,
    propagation_fan_out: str,
    fault: Sequence[str],
    fault_file: Path | None,
    seed: int,
) -> DisturbanceSettings:
    """The options as settings; SettingsError if they make no sense."""
    faults = (*(load_faults(fault_file) if fault_file else ()), *map(parse_fault, fault))
    if len(faults) > FAULTS_MAX:
        raise SettingsError(f"{len(faults)} faults are too many", f"set {FAULTS_MAX} at most")
    return DisturbanceSettings(
        latency=load_latency(latency),
        propagation=Propagation(
            polling_ms=_propagation_ms("--propagation-polling", propagation_polling),
            fan_out_ms=_propagation_ms("--propagation-fan-out", propagation_fan_out),
        ),
        faults=faults,
        seed=seed,
    )


def _propagation_ms(option: str, text: str) -> int:
    try:
        delay_ms = parse_whole_ms(text)
    except ValueError as error:
        raise SettingsError(f"{option}: {error}", "write, for example, 200ms") from None
    if not 0 <= delay_ms <= PROPAGATION_MS_MAX:
        raise SettingsError(f"{option} {text} is not between 0s and a minute", "write, for example, 200ms")
    return delay_ms
