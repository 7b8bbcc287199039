"""Every fault breaks a record in one way, and jobs must refuse it for that reason."""

import re

import numpy as np
import pytest

from floodmark.oracle.orders import Refusal, read_order
from simulators.traffic.bad_records import FAR_FUTURE_MS, Fault, Role, faults_of
from simulators.traffic.option_table import read_traffic_options

TIME_MS = 1_763_000_000_000
ORDER = [b"t-0000000001", b"120.00", "Zürich".encode(), b"%d" % TIME_MS, b"toys"]
ORDER_ROLES = [Role.ID, Role.AMOUNT, Role.TEXT, Role.TIME, Role.TEXT]

TEXT = r"[^,\x00-\x1f\x7f-\x9f]{1,128}"
GRAMMARS = {
    "orders": (5, rf"{TEXT},[0-9]{{1,12}}(\.[0-9]{{1,2}})?,{TEXT},[0-9]{{13}}(,{TEXT})?"),
    "trades": (4, rf"{TEXT},{TEXT},[0-9]{{1,12}}(\.[0-9]{{1,2}})?,[0-9]{{13}}"),
    "temperatures": (3, rf"{TEXT},-?[0-9]{{1,4}}(\.[0-9]{{1,3}})?,[0-9]{{13}}"),
    "clicks": (3, rf"{TEXT},{TEXT},[0-9]{{13}}"),
}


@pytest.mark.parametrize("fault", faults_of(ORDER_ROLES), ids=lambda fault: fault.name)
def test_the_order_grammar_names_the_fault(fault: Fault) -> None:
    read = read_order(fault.apply(ORDER))
    if fault.reason == "future-time":
        assert not isinstance(read, Refusal)
        assert read.event_time_ms >= TIME_MS + FAR_FUTURE_MS
    else:
        assert read == Refusal(reason=fault.reason)


def test_every_reason_of_the_contract_has_faults() -> None:
    reasons = {fault.reason for fault in faults_of([*Role])}
    contract = {"empty", "encoding", "columns", "id", "text", "amount", "temperature", "time", "future-time"}
    assert reasons == contract | {"number"}


@pytest.mark.parametrize("kind", sorted(GRAMMARS))
def test_the_set_share_is_bad_and_the_rest_is_good(kind: str) -> None:
    columns, pattern = GRAMMARS[kind]
    traffic = read_traffic_options(kind, {"bad_ratio": "0.1"}, seed=7, run_token="t").build()
    values = traffic.records(0, TIME_MS + np.arange(20_000)).values
    bad = 0
    for value in values:
        try:
            good = re.fullmatch(pattern, value.decode(), re.ASCII)
        except UnicodeDecodeError:
            good = None
        ahead = good and int(value.split(b",")[3 if columns > 3 else 2]) > TIME_MS + 10**10
        bad += not good or bool(ahead)
    assert abs(bad / 20_000 - 0.1) < 0.01


def test_every_fault_comes() -> None:
    traffic = read_traffic_options("orders", {"bad_ratio": "1"}, seed=7, run_token="t").build()
    values = traffic.records(0, TIME_MS + np.arange(20_000)).values
    for value in (b"", b"\n", b"id", b'{"id": "1"}'):
        share = values.count(value) / 20_000
        assert abs(share * len(faults_of(ORDER_ROLES)) - 1) < 0.3
    sizes = {len(value) for value in values}
    assert max(sizes) > 65_536


def test_a_bad_record_keeps_its_key() -> None:
    times = TIME_MS + np.arange(500)
    bad, good = (
        read_traffic_options("orders", {"bad_ratio": share}, seed=7, run_token="t").build().records(0, times)
        for share in ("1", "0")
    )
    assert bad.keys == good.keys
    assert not set(bad.values) & set(good.values)
