"""What a trial is asked to do: resolved, validated, frozen, and written beside its results as `config.json`."""

import difflib
import ipaddress
import math
import os
from collections.abc import Mapping
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from floodmark.errors import ConfigurationError
from floodmark.limits import BATCH_RECORDS_MAX, LINGER_DEFAULT_MS, LINGER_MAX_MS, SENDERS_DEFAULT, SENDERS_MAX
from floodmark.schedule import (
    DURATION_MAX_S,
    RATE_MAX_RECORDS_PER_SECOND,
    WARM_UP_MAX_S,
    ProfileOptions,
    Replay,
    parse_shape,
)

REGION = "us-east-1"

WATERMARK_DELAY_MS = 5_000
MAX_FUTURE_MS = 3_600_000
"""What the jobs wait for records out of order, and how far ahead of its arrival an event time may be, by default."""


def default_region(environment: Mapping[str, str] = os.environ) -> str:
    """What AWS's own tools take for the region when nobody names one, and as the jobs do without any of that."""
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or REGION


class TrialConfig(BaseModel):
    """One trial, with every default filled in. Durations end in their unit; shares lie between 0 and 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    rate_records_per_second: float = Field(default=1500.0, gt=0, le=RATE_MAX_RECORDS_PER_SECOND, allow_inf_nan=False)
    duration_s: float = Field(default=60.0, gt=0, le=DURATION_MAX_S, allow_inf_nan=False)
    warm_up_s: float = Field(default=10.0, ge=0, le=WARM_UP_MAX_S, allow_inf_nan=False)
    profile: str = Field(default="constant", max_length=1000)
    spacing: Literal["even", "poisson"] = "even"
    shards: int = Field(default=3, ge=1, le=1000)
    output_shards: int = Field(default=3, ge=1, le=1000)
    parallelism: int = Field(default=3, ge=1, le=64)
    consumer: Literal["polling", "efo"] = "polling"
    checkpoint_interval_ms: int = Field(default=10_000, ge=100)
    checkpoint_mode: Literal["exactly-once", "at-least-once", "unaligned"] = "exactly-once"
    state_backend: Literal["heap", "rocksdb"] = "heap"
    api: Literal["sql", "datastream"] = "sql"
    watermark_delay_ms: int = Field(ge=0, le=3_600_000)
    idle_timeout_ms: int = Field(default=5_000, ge=0, le=3_600_000)
    max_future_ms: int = Field(ge=0)
    traffic: dict[str, str] = Field(default_factory=dict, description="options of the records, as texts by name")
    seed: int = Field(default=1, ge=0, lt=2**63)
    batch_records: int = Field(default=BATCH_RECORDS_MAX, ge=1, le=BATCH_RECORDS_MAX)
    linger_ms: float = Field(default=LINGER_DEFAULT_MS, ge=0, le=LINGER_MAX_MS, allow_inf_nan=False)
    senders: int = Field(default=SENDERS_DEFAULT, ge=1, le=SENDERS_MAX)
    generators: int = Field(default=1, ge=1, le=64)
    endpoint: str = "embedded"
    region: str = Field(
        default_factory=default_region, validate_default=True, pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
    )
    slos: tuple[str, ...] = ()
    schedule_delay_limit_ms: float = Field(default=20.0, gt=0)
    drain_timeout_s: float = Field(default=30.0, gt=0, le=3600)

    @model_validator(mode="before")
    @classmethod
    def _what_event_time_asks_for(cls, given: Any) -> Any:
        """Defaults that depend on how fast event time runs, if they are not given.

        What the way of a record costs in disorder grows with the scale, and event time runs away from the clock.
        """
        scale = _number_in((given.get("traffic") or {}).get("event_time_scale"), default=1.0)
        length_s = sum(
            _number_in(given.get(name), default=float(cls.model_fields[name].default))
            for name in ("warm_up_s", "duration_s")
        )
        ahead_ms = round(max(0.0, scale - 1) * length_s * 1000)
        scaled_ms = round(WATERMARK_DELAY_MS * max(1.0, scale))
        return {"watermark_delay_ms": scaled_ms, "max_future_ms": MAX_FUTURE_MS + ahead_ms, **given}

    @property
    def event_time_scale(self) -> float:
        """How fast event time runs."""
        return _number_in(self.traffic.get("event_time_scale"), default=1.0)

    @model_validator(mode="after")
    def _profile_is_a_known_one(self) -> Self:
        shape = parse_shape(self.profile)
        if isinstance(shape, Replay):
            raise ConfigurationError(
                "a trial has a rate of its own, and a recording another one",
                "replay recordings with the load tests or with `floodmark produce`",
            )
        ProfileOptions(shape=shape, rate_records_per_second=self.rate_records_per_second, duration_s=self.duration_s)
        return self

    @model_validator(mode="after")
    def _endpoint_is_a_known_kind(self) -> Self:
        if self.endpoint != "embedded":
            require_loopback(self.endpoint)
        return self


def _number_in(value: object, *, default: float) -> float:
    """A number; `default` if there is none, which is for others to say."""
    try:
        number = float(str(value))
    except ValueError:
        return default
    return number if math.isfinite(number) else default


def build_config(settings: Mapping[str, Any]) -> TrialConfig:
    """A validated configuration; ConfigurationError names every wrong setting, and the nearest to an unknown one."""
    try:
        return TrialConfig.model_validate(dict(settings))
    except ValidationError as error:
        lines = [_describe(one["loc"], one["type"], one["msg"], one.get("input")) for one in error.errors()]
        raise ConfigurationError("; ".join(lines), "`floodmark run --help` lists the settings") from None


def _describe(location: tuple[int | str, ...], kind: str, message: str, value: object) -> str:
    name = ".".join(map(str, location))
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, TrialConfig.model_fields, n=1)
        return f"there is no setting {name!r}" + (f", did you mean {near[0]!r}?" if near else "")
    return f"{name} is {value!r}: {message[:1].lower()}{message[1:]}"


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint's host is this machine by its own address."""
    host = _host(endpoint)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback(endpoint: str) -> None:
    """ConfigurationError unless the endpoint is an http(s) URL of this machine: load never leaves it unasked."""
    if not _host(endpoint):
        shown = repr(endpoint) if "@" not in endpoint else "what was given, with a user name in it,"
        raise ConfigurationError(f"{shown} is no endpoint", "give a URL such as http://127.0.0.1:4567, or `embedded`")
    if not is_loopback(endpoint):
        raise ConfigurationError(
            f"{endpoint} is not on this machine, and load is sent to loopback addresses only",
            "start a simulator here (`floodmark kinesis`), or leave --endpoint out for the embedded one",
        )


def _host(endpoint: str) -> str:
    """The host of an http(s) URL; empty if the text is none, or has more or other parts than an endpoint may have."""
    try:
        parts = urlsplit(endpoint)
        # No user and password: an endpoint is written into files and shown. No path: the service has none.
        usable = (
            parts.scheme in {"http", "https"}
            and parts.port != 0
            and "@" not in parts.netloc
            and parts.path in {"", "/"}
            and not parts.query
            and not parts.fragment
        )
    except ValueError:
        return ""
    return (parts.hostname or "") if usable else ""
