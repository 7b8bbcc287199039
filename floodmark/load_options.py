"""The options of a load: one table for the load tests, their web page and `floodmark produce`, and what they mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ValidationError

from floodmark import paths
from floodmark.config import default_region, is_loopback
from floodmark.duration import parse_duration_s
from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.ledger import require_no_ledger
from floodmark.producer import ProducerSettings
from floodmark.schedule import (
    DURATION_MAX_S,
    UNTIL_STOPPED,
    Points,
    ProfileOptions,
    Replay,
    parse_shape,
)
from floodmark.store import read_json
from simulators.traffic.catalogue import find_kind
from simulators.traffic.option_table import (
    TEXT_OPTIONS,
    TextOption,
    TrafficOptionError,
    read_traffic_options,
    text_options,
)
from simulators.traffic.options import SeriesOptions
from simulators.traffic.recorded import RecordedTrafficOptions

Model = TypeVar("Model", bound=BaseModel)

_PRODUCER = ProducerSettings()

RATE_DEFAULT = 1500.0
DURATION_DEFAULT_S = 60.0
"""Of the profiles that have none of their own."""

_LOAD_DEFAULTS = {"rate_records_per_second": RATE_DEFAULT, "duration_s": DURATION_DEFAULT_S}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option; its text becomes `field` of a model. The web page has it too, unless it is about this machine."""

    flag: str
    field: str
    default: str
    help: str
    on_web_page: bool = True

    @property
    def name(self) -> str:
        """What argparse and the web page's form call it."""
        return self.flag.removeprefix("--").replace("-", "_")


OPTIONS = (
    Option(
        flag="--rate",
        field="rate_records_per_second",
        default="",
        help=f"highest rate of the profile in records per second ({RATE_DEFAULT:g}, or what the profile's file says)",
    ),
    Option(
        flag="--duration",
        field="duration_s",
        default="",
        help=f"measured part of the load: 45s, 2m, 1h, {UNTIL_STOPPED} ({DURATION_DEFAULT_S:g}s, or what a file says)",
    ),
    Option(flag="--records", field="records_max", default="", help="end after so many records, warm-up included"),
    Option(flag="--warm-up", field="warm_up_s", default="10s", help="load before the measured part"),
    Option(flag="--spacing", field="spacing", default="even", help="how records lie within the profile: even, poisson"),
    Option(flag="--seed", field="seed", default="1", help="the same seed makes the same records"),
    Option(
        flag="--batch", field="batch_records", default=str(_PRODUCER.batch_records), help="records a call, at most 500"
    ),
    Option(
        flag="--linger-ms",
        field="linger_ms",
        default=f"{_PRODUCER.linger_ms:g}",
        help="how long a record may wait for others to share its call",
    ),
    Option(
        flag="--senders",
        field="senders",
        default=str(_PRODUCER.senders),
        help="calls in flight, at most, in each process",
    ),
    Option(
        flag="--retry-deadline",
        field="retry_deadline_s",
        default=f"{_PRODUCER.retry_deadline_s:g}s",
        help="how long a refused record is tried again",
    ),
    Option(
        flag="--backlog-limit",
        field="backlog_limit_s",
        default=f"{_PRODUCER.backlog_limit_s:g}s",
        help="the load is void when records are sent later than this",
    ),
    Option(
        flag="--backlog-limit-records",
        field="backlog_limit_records",
        default=str(_PRODUCER.backlog_limit_records),
        help="the load is void when more records than this are due and not sent",
    ),
    Option(
        flag="--drain",
        field="drain_timeout_s",
        default=f"{_PRODUCER.drain_timeout_s:g}s",
        help="how long what is due or in flight at the end may still take",
    ),
    Option(flag="--stream", field="stream", default="", help="the stream to send to (that of the kind of records)"),
    Option(flag="--region", field="region", default=default_region(), help="AWS region"),
    Option(
        flag="--endpoint",
        field="endpoint",
        default="",
        help="where Kinesis answers: a URL, or `aws` (default: --host, else what `floodmark up` started)",
        on_web_page=False,  # the page has a field for the host
    ),
    Option(
        flag="--ledger-dir",
        field="ledger",
        default="",
        help="folder for the ledger (default: a new one under runs)",
        on_web_page=False,
    ),
)
SWITCHES = {
    "--allow-remote": "send the load to an endpoint that is not on this machine",
    "--resend-unknown": "send records again that were never answered for; they may then be there twice",
    "--ordered": "keep the order of records that share a key: one of them at a time is on its way",
}
_FLAGS = {option.field: option.flag for option in OPTIONS} | {"shape": "--profile"}


def options_of(kind: str) -> tuple[Option | TextOption, ...]:
    """Every option of a load of such records, in the order in which they are shown. ValueError for an unknown kind."""
    return (*OPTIONS, *text_options(kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What a load is asked to be, validated. `ledger` is None where none was named."""

    kind: str
    profile: ProfileOptions
    settings: ProducerSettings
    seed: int
    texts: Mapping[str, object]
    stream: str
    region: str
    endpoint: str
    ledger: Path | None

    def traffic(self, run_token: str) -> SeriesOptions | RecordedTrafficOptions:
        """The records of one start: made ones, or those of a recording that is replayed with its records."""
        shape = self.profile.shape
        if isinstance(shape, Replay) and shape.with_records:
            return RecordedTrafficOptions(path=shape.path, sha256=shape.sha256)
        return read_traffic_options(self.kind, self.texts, seed=self.seed, run_token=run_token)


def read_options(kind: str, namespace: Mapping[str, Any]) -> LoadOptions:
    """Options from their texts; ConfigurationError for a wrong one, EnvironmentFailedError if there is no endpoint."""
    texts = {option.field: str(namespace[option.name]).strip() for option in OPTIONS}
    values: dict[str, Any] = {field: _parse(field, text) for field, text in texts.items()}
    values["shape"] = shape = parse_shape(namespace.get("profile") or "constant")
    if not isinstance(shape, Points | Replay):
        values = {**_LOAD_DEFAULTS, **{field: value for field, value in values.items() if value is not None}}
    values["resend_unknown"], values["ordered"] = bool(namespace["resend_unknown"]), bool(namespace["ordered"])
    region = values["region"]
    options = LoadOptions(
        kind=kind,
        profile=_checked(lambda: ProfileOptions.model_validate(_pick(ProfileOptions, values))),
        settings=_checked(lambda: ProducerSettings.model_validate(_pick(ProducerSettings, values))),
        seed=_number("seed", values["seed"], int),
        texts={option.name: namespace.get(option.name) for option in TEXT_OPTIONS},
        stream=values["stream"] or find_kind(kind).stream,
        region=_required("region", region),
        endpoint="",
        ledger=Path(values["ledger"]).absolute() if values["ledger"] else None,
    )
    try:
        traffic = options.traffic("check")
    except TrafficOptionError as error:
        raise ConfigurationError(str(error), "docs/reference/traffic.md lists the options") from None
    record_bytes = None if isinstance(traffic, RecordedTrafficOptions) else traffic.record_bytes
    # Last, so that a wrong option is named even where nothing is up yet.
    endpoint = _endpoint(values["endpoint"] or str(namespace.get("host") or ""), region, namespace["allow_remote"])
    return replace(options, endpoint=endpoint, settings=options.settings.for_records_of(record_bytes))


def check_ledger(options: LoadOptions) -> None:
    """ConfigurationError if the folder that was named holds a ledger already."""
    if options.ledger:
        require_no_ledger(options.ledger)


def _parse(field: str, text: str) -> Any:
    if field in {"rate_records_per_second", "duration_s", "records_max"} and not text:
        return None
    if field == "duration_s" and text == UNTIL_STOPPED:
        return DURATION_MAX_S
    if not field.endswith("_s"):
        return text
    try:
        return parse_duration_s(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{_FLAGS[field]}: {error.message}", error.remedy) from None


def _pick(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    return {field: values[field] for field in model.model_fields if field in values}


def _checked(make: Callable[[], Model]) -> Model:
    """What `make` makes; ConfigurationError in the words of the command line if it is refused."""
    try:
        return make()
    except ValidationError as error:
        first = error.errors()[0]
        what = first["msg"].removeprefix("Value error, ")
        flag = _FLAGS[str(first["loc"][0])] if first["loc"] else ""
        message = f"{flag} is {first['input']!r}: " if flag else ""
        raise ConfigurationError(f"{message}{what[:1].lower()}{what[1:]}", "the README lists the options") from None


def _number(field: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ConfigurationError(f"{_FLAGS[field]} is {text!r}: not a number", "the README lists the options") from None


def _required(field: str, text: str) -> str:
    if not text:
        raise ConfigurationError(f"{_FLAGS[field]} is empty", "name one, or leave the option out")
    return text


def _endpoint(text: str, region: str, allow_remote: bool) -> str:
    """The URL of the endpoint; load leaves this machine only if that is allowed."""
    if not text:
        return _embedded_endpoint()
    url = f"https://kinesis.{region}.amazonaws.com" if text == "aws" else text
    parts = urlsplit(url)
    is_plain = parts.scheme in {"http", "https"} and parts.hostname and not parts.username and not parts.password
    if not is_plain or not _has_port_or_none(parts):
        raise ConfigurationError(
            "--endpoint is no plain URL", "give one such as http://127.0.0.1:4567, without a name or password in it"
        )
    if not is_loopback(url) and not allow_remote:
        raise ConfigurationError(
            f"{url} is not on this machine, and load is sent to loopback addresses only",
            "leave --endpoint out for the one that `floodmark up` started, or add --allow-remote if you mean it",
        )
    return url


def _has_port_or_none(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _embedded_endpoint() -> str:
    try:
        return str(read_json(paths.system() / "system.json")["kinesis_endpoint"])
    except (FileNotFoundError, KeyError):
        raise EnvironmentFailedError(
            "there is no Kinesis endpoint to send to",
            "`floodmark up` starts one on this machine; --endpoint names another",
        ) from None
