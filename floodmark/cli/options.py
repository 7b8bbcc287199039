"""Options that several commands share, and the types of their values."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from floodmark.config import TrialConfig
from floodmark.duration import parse_duration_s
from floodmark.errors import ConfigurationError
from floodmark.schedule import PROFILE_NAMES, RATE_MAX_RECORDS_PER_SECOND
from simulators.traffic.option_table import EVERY_KIND, TEXT_OPTIONS, text_options

Command = TypeVar("Command", bound=Callable[..., Any])


class Duration(click.ParamType[float]):
    """A number with its unit (`500ms`, `45s`, `2m`, `1h`), as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return parse_duration_s(str(value))
        except ConfigurationError as error:
            self.fail(f"{error.message}: {error.remedy}", param, ctx)


DURATION = Duration()
RATE = click.FloatRange(0, RATE_MAX_RECORDS_PER_SECOND, min_open=True)
_DEFAULT = {name: field.default for name, field in TrialConfig.model_fields.items()}


def _option(flag: str, setting: str, help_text: str, **kind: Any) -> Callable[[Command], Command]:
    default = _DEFAULT[setting]
    shown = f"  [default: {kind.pop('shown', default)}]"
    return click.option(flag, setting, default=None, help=help_text + shown, **kind)


def trial_options(command: Command) -> Command:
    """The settings of a trial. An option that is not given is None, and TrialConfig's default holds."""
    for add in reversed(_TRIAL_OPTIONS):
        command = add(command)
    return command


def traffic_options(command: Command) -> Command:
    """The options of every kind of records, as texts. One that is not given is None."""
    for option in reversed(TEXT_OPTIONS):
        only = f" [{', '.join(sorted(option.kinds))}]" if option.kinds != EVERY_KIND else ""
        default = f"  [default: {option.default}]" if option.default else ""
        help_text = f"{option.help}{only}{default}"
        command = click.option(option.flag, option.name, default=None, help=help_text, metavar="TEXT")(command)
    return command


def chosen_traffic(kind: str, texts: Mapping[str, Any]) -> dict[str, str]:
    """The texts that were given; ConfigurationError for an option that records of this kind do not have."""
    known = {option.name for option in text_options(kind)}
    for option in TEXT_OPTIONS:
        if texts.get(option.name) is not None and option.name not in known:
            raise ConfigurationError(
                f"{option.flag} means nothing to {kind}", f"it is for {', '.join(sorted(option.kinds))}"
            )
    return {option.name: str(texts[option.name]) for option in TEXT_OPTIONS if texts.get(option.name) is not None}


_TRIAL_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _option("--rate", "rate_records_per_second", "Records a second that are due.", type=RATE),
    _option("--duration", "duration_s", "Length of the measured load.", type=DURATION, shown="60s"),
    _option("--warm-up", "warm_up_s", "Load before it, at the same rate, in no figure.", type=DURATION, shown="10s"),
    _option("--profile", "profile", f"How the rate moves: {', '.join(PROFILE_NAMES)}; docs/reference/profiles.md."),
    _option("--spacing", "spacing", "How records lie within it.", type=click.Choice(["even", "poisson"])),
    _option("--shards", "shards", "Shards of the input stream.", type=click.IntRange(1, 1000)),
    _option("--output-shards", "output_shards", "Shards of the output stream.", type=int, shown="as --shards"),
    _option("--parallelism", "parallelism", "Parallelism of the job.", type=click.IntRange(1, 64)),
    _option("--consumer", "consumer", "How the job reads.", type=click.Choice(["polling", "efo"])),
    click.option("--checkpoint-interval", type=DURATION, default=None, help="Between two checkpoints.  [default: 10s]"),
    _option(
        "--checkpoint-mode",
        "checkpoint_mode",
        "What a checkpoint guarantees.",
        type=click.Choice(["exactly-once", "at-least-once", "unaligned"]),
    ),
    _option("--state-backend", "state_backend", "Where state is kept.", type=click.Choice(["heap", "rocksdb"])),
    _option("--api", "api", "Flink's API that the job uses.", type=click.Choice(["sql", "datastream"])),
    click.option(
        "--watermark-delay",
        type=DURATION,
        default=None,
        help="What the job waits for records out of order.  [default: 5s, times --event-time-scale above 1]",
    ),
    click.option(
        "--idle-timeout",
        type=DURATION,
        default=None,
        help="When a shard without records counts no more.  [default: 5s]",
    ),
    _option("--seed", "seed", "The same seed makes the same records.", type=int),
    _option("--batch", "batch_records", "Records in one PutRecords call, at most.", type=int),
    _option("--linger-ms", "linger_ms", "How long a due record waits for others.", type=float),
    _option("--senders", "senders", "Calls in flight, at most, in each process.", type=int),
    _option("--generators", "generators", "Processes that share the sending.", type=click.IntRange(1, 64)),
    _option("--endpoint", "endpoint", "embedded, or the URL of a Kinesis service on this machine.", type=str),
    _option("--region", "region", "AWS region.", type=str, shown="AWS_REGION, AWS_DEFAULT_REGION or us-east-1"),
    click.option(
        "--slo",
        "slos",
        multiple=True,
        metavar="SLO",
        help="What must hold, such as 'p99<800ms' or 'ingest.p99.9<50ms'; may be repeated.",
    ),
)

OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder in which the run directory is made.  [default: runs]",
)
JSON = click.option("--json", "as_json", is_flag=True, help="The result document alone on standard output.")
