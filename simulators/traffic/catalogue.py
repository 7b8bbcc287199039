"""Which kinds of traffic there are, and which stream each of them is for."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from simulators.traffic.clicks import ClickTrafficOptions
from simulators.traffic.options import SeriesOptions
from simulators.traffic.orders import OrderTrafficOptions
from simulators.traffic.own_options import OwnTrafficOptions, load_own_record, split_name
from simulators.traffic.payloads import PayloadTrafficOptions
from simulators.traffic.recorded import RecordedTrafficOptions
from simulators.traffic.temperatures import TemperatureTrafficOptions
from simulators.traffic.trades import TradeTrafficOptions

TrafficOptions = Annotated[
    OrderTrafficOptions
    | TradeTrafficOptions
    | TemperatureTrafficOptions
    | ClickTrafficOptions
    | PayloadTrafficOptions
    | RecordedTrafficOptions
    | OwnTrafficOptions,
    Field(discriminator="kind"),
]
"""The options of a series, of whatever kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of traffic. `key_field` is the field that the stream is keyed by; `columns` are those of a record."""

    name: str
    title: str
    options: type[SeriesOptions]
    stream: str
    columns: tuple[str, ...]
    key_field: str
    settings: Mapping[str, str] = field(default_factory=dict)
    """What `options.draw` must be told besides what users set."""


_ALL = (
    Kind(
        name="orders",
        title="Orders of a shop",
        options=OrderTrafficOptions,
        stream="order-stream",
        columns=("orderId", "amount", "region", "eventTime", "category"),
        key_field="orderId",
    ),
    Kind(
        name="trades",
        title="Trades of accounts",
        options=TradeTrafficOptions,
        stream="trade-stream",
        columns=("tradeId", "accountId", "amount", "eventTime"),
        key_field="accountId",
    ),
    Kind(
        name="temperatures",
        title="Temperatures of devices",
        options=TemperatureTrafficOptions,
        stream="temperature-stream",
        columns=("deviceId", "temperature", "eventTime"),
        key_field="deviceId",
    ),
    Kind(
        name="clicks",
        title="Clicks of people",
        options=ClickTrafficOptions,
        stream="click-stream",
        columns=("userId", "page", "eventTime"),
        key_field="userId",
    ),
    Kind(
        name="payloads",
        title="Bytes of any size",
        options=PayloadTrafficOptions,
        stream="order-stream",
        columns=("id", "eventTime", "bytes"),
        key_field="id",
    ),
)

KINDS = {kind.name: kind for kind in _ALL}


OWN = "own"


def find_kind(name: str) -> Kind:
    """The kind of that name, or the user's own in `file.py:ClassName`; ValueError fit for users if there is none."""
    if kind := KINDS.get(name):
        return kind
    if found := split_name(name):
        return _own_kind(**found)
    near = difflib.get_close_matches(name, KINDS, n=1, cutoff=0.4)
    meant = f", did you mean {near[0]!r}?" if near else "."
    raise ValueError(
        f"there are no records of the kind {name!r}{meant} There are {', '.join(KINDS)}, file.py:ClassName"
    )


def _own_kind(*, path: str, class_name: str) -> Kind:
    record = load_own_record(Path(path).absolute(), class_name)
    return Kind(
        name=OWN,
        title=class_name,
        options=OwnTrafficOptions,
        stream=record.stream,
        columns=tuple(record.samplers()),
        key_field=record.key_field,
        settings={"path": path, "class_name": class_name},
    )
