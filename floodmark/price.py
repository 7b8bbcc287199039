"""What a load would cost on AWS, estimated from a dated table that anybody can edit: `floodmark/prices.toml`."""

import math
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from floodmark.errors import ConfigurationError

PRICES = Path(__file__).with_name("prices.toml")

_SECONDS_PER_HOUR = 3600
_BYTES_PER_GIGABYTE = 2**30
_MILLION = 1_000_000


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProvisionedPrices(_Table):
    """Dollars for a stream with so many shards."""

    shard_hour: float = Field(ge=0)
    put_units_million: float = Field(ge=0)
    put_unit_bytes: int = Field(gt=0)


class OnDemandPrices(_Table):
    """Dollars for a stream that grows by itself."""

    stream_hour: float = Field(ge=0)
    ingress_gigabyte: float = Field(ge=0)
    record_bytes_step: int = Field(gt=0)


class Prices(_Table):
    """The table, when it was read, and where."""

    source: str
    read_on: str
    region: str
    provisioned: ProvisionedPrices
    on_demand: OnDemandPrices


def read_prices(path: Path = PRICES) -> Prices:
    """The table. ConfigurationError if it cannot be read or lacks a price."""
    try:
        return Prices.model_validate(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigurationError(f"the prices in {path} cannot be read: {error}", "mend the file") from None


def provisioned_dollars(prices: Prices, *, shards: int, duration_s: float, records: int, record_bytes: float) -> float:
    """Shard-hours, and the PUT payload units of so many records of that size each."""
    table = prices.provisioned
    units = records * max(1, math.ceil(record_bytes / table.put_unit_bytes))
    return shards * duration_s / _SECONDS_PER_HOUR * table.shard_hour + units / _MILLION * table.put_units_million


def on_demand_dollars(prices: Prices, *, duration_s: float, records: int, record_bytes: float) -> float:
    """Stream-hours, and the gigabytes that come in."""
    table = prices.on_demand
    billed_bytes = records * max(1, math.ceil(record_bytes / table.record_bytes_step)) * table.record_bytes_step
    hours = duration_s / _SECONDS_PER_HOUR
    return hours * table.stream_hour + billed_bytes / _BYTES_PER_GIGABYTE * table.ingress_gigabyte
