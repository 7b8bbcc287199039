"""The options of every kind of traffic, as texts and as models."""

import re
from pathlib import Path

import numpy as np
import pytest
from faker.config import AVAILABLE_LOCALES
from pydantic import TypeAdapter, ValidationError

from simulators.traffic.catalogue import KINDS, TrafficOptions, find_kind
from simulators.traffic.option_table import (
    TEXT_OPTIONS,
    TrafficOptionError,
    read_traffic_options,
    text_options,
)
from simulators.traffic.orders import OrderTrafficOptions
from simulators.traffic.pools import draw_texts, seeded_faker

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "traffic.md"
TIMES_MS = np.full(200, 1_763_000_000_000)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_field_that_no_option_names_has_its_default(kind: str) -> None:
    """What the table says is left out, or stays as the model has it: the two never differ."""
    options = read_traffic_options(kind, {}, seed=1, run_token="t")
    model = KINDS[kind].options
    named = {option.field for option in text_options(kind)}
    pools = set(model.pools(seeded_faker("en_US", 1)))
    for name, field in model.model_fields.items():
        if name not in {"seed", "run_token", *pools}:
            assert getattr(options, name) == field.default, name
    assert set(model.model_fields) - named - pools <= {"kind", "seed", "run_token", "bad_share"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_options_come_back_from_json_as_they_were(kind: str) -> None:
    options = read_traffic_options(kind, {"locale": "ja_JP", "keys": "zipf:1.1"}, seed=1, run_token="t")
    again = TypeAdapter(TrafficOptions).validate_json(options.model_dump_json())
    assert again == options
    assert type(again) is type(options)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_catalogue_s_columns_are_those_of_the_records(kind: str) -> None:
    traffic = read_traffic_options(kind, {}, seed=1, run_token="t").build()
    batch = traffic.records(0, TIMES_MS)
    parts = batch.values[0].split(b",", len(KINDS[kind].columns) - 1)
    assert len(parts) == len(KINDS[kind].columns)
    columns = dict(zip(KINDS[kind].columns, parts, strict=True))
    assert columns[KINDS[kind].key_field].decode() == batch.keys[0]
    assert columns["eventTime"] == b"1763000000000"


@pytest.mark.parametrize(
    ("kind", "texts", "why"),
    [
        ("orders", {"abnormal_ratio": "abc"}, "--abnormal-ratio is 'abc': not a number"),
        ("orders", {"abnormal_ratio": "1.5"}, "--abnormal-ratio is 1.5: input should be less than or equal to 1"),
        ("orders", {"bad_ratio": "nan"}, "--bad-ratio is nan: input should be"),
        ("trades", {"accounts": "10"}, "--accounts is 10: input should be greater than or equal to 1000"),
        ("clicks", {"late_by": "never"}, "--late-by is 'never': 'never' is no duration such as 500ms"),
        ("orders", {"duplicate_ratio": "0.6"}, "--duplicate-ratio is 0.6"),
        ("orders", {"out_of_order_ratio": "0.5"}, "needs to know by how much: --out-of-order-ms"),
        ("orders", {"record_bytes": "406"}, "--record-bytes is 406: these can have up to 405 bytes"),
        ("temperatures", {"keys": "hot"}, "--keys is 'hot': 'hot' chooses no keys"),
        ("temperatures", {"locale": "de_D"}, "Faker knows no locale 'de_D', did you mean 'de_DE'"),
        ("order", {}, "no records of the kind 'order', did you mean 'orders'"),
        ("nothing.like:It", {}, "no records of the kind 'nothing.like:It'"),
    ],
)
def test_a_wrong_text_is_refused_in_the_words_of_the_command_line(kind: str, texts: dict[str, str], why: str) -> None:
    with pytest.raises(TrafficOptionError, match=re.escape(why)):
        read_traffic_options(kind, texts, seed=1, run_token="t")


def test_a_wrong_seed_is_named() -> None:
    with pytest.raises(TrafficOptionError, match="--seed is -1"):
        read_traffic_options("orders", {}, seed=-1, run_token="t")


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        OrderTrafficOptions.draw(seed=1, run_token="t", abnormal_shares=0.1)


def test_every_option_is_described_in_the_reference() -> None:
    described = set(re.findall(r"^\| `(--[a-z-]+)", REFERENCE.read_text(), re.MULTILINE))
    assert described == {option.flag for option in TEXT_OPTIONS}


def test_every_kind_is_described_in_the_reference() -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| `([a-z-]+)` \| `([A-Za-z,]+)` \| `([A-Za-z]+)`", REFERENCE.read_text(), re.M)
    assert rows == [(kind.name, kind.stream, ",".join(kind.columns), kind.key_field) for kind in KINDS.values()]


@pytest.mark.parametrize("locale", sorted(AVAILABLE_LOCALES))
def test_every_locale_makes_orders_and_readings_that_obey_the_grammar(locale: str) -> None:
    """As the pools are all that a locale decides, the pools are looked at; and one record."""
    for kind in ("orders", "trades", "temperatures", "clicks"):
        model = find_kind(kind).options
        faker = seeded_faker(locale, 3)
        for name, texts in model.pools(faker).items():
            assert all(re.fullmatch(r"[^,\x00-\x1f\x7f-\x9f]{1,128}", text) for text in texts), (kind, name)
            assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("locale", ["de_DE", "ja_JP", "ar_AA", "en_NZ"])
def test_a_locale_makes_records(locale: str) -> None:
    for kind in ("orders", "trades", "temperatures", "clicks"):
        traffic = read_traffic_options(kind, {"locale": locale}, seed=1, run_token="t").build()
        for value in traffic.records(0, TIMES_MS).values:
            fields = value.decode().split(",")
            assert len(fields) == len(KINDS[kind].columns)
            assert all(1 <= len(field) <= 128 for field in fields)


def test_what_the_grammar_refuses_is_taken_out_of_drawn_texts() -> None:
    drawn = iter(["a,b", "\x00", " c\td ", "a b", "x" * 200])
    assert draw_texts(lambda: next(drawn), 3) == ("a b", "c d", "x" * 128)
    with pytest.raises(ValueError, match="no text"):
        draw_texts(lambda: ",", 2)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_records_are_made_where_none_are_due(kind: str) -> None:
    batch = read_traffic_options(kind, {}, seed=1, run_token="t").build().records(7, TIMES_MS[:0])
    assert (batch.keys, batch.values) == ([], [])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_series_ends_with_twelve_digits(kind: str) -> None:
    traffic = read_traffic_options(kind, {"record_bytes": "120"}, seed=1, run_token="t").build()
    values = traffic.records(10**12 - 4096, TIMES_MS[:5]).values
    assert all(len(value.split(b",")[0]) <= 128 for value in values)
    if kind in {"orders", "trades"}:
        assert values[0].startswith(b"t-999999995904")
        with pytest.raises(ValueError, match="at most 1000000000000 records"):
            traffic.records(10**12, TIMES_MS[:5])


def test_payloads_are_of_any_size_and_any_bytes() -> None:
    for size in (64, 200, 1_000_000):
        traffic = read_traffic_options("payloads", {"record_bytes": str(size)}, seed=1, run_token="t").build()
        batch = traffic.records(40, TIMES_MS[:3])
        assert [len(value) for value in batch.values] == [size] * 3
        assert batch.values[2].startswith(b"t-0000000042,1763000000000,")
        assert batch.keys[2] == "t-0000000042"
        assert len({value[30:] for value in batch.values}) == 3
    assert len(set(batch.values[0])) == 256
    for wrong in ("63", str(10 * 1024 * 1024 + 1)):
        with pytest.raises(TrafficOptionError, match="--record-bytes is"):
            read_traffic_options("payloads", {"record_bytes": wrong}, seed=1, run_token="t")
    with pytest.raises(TrafficOptionError, match="no keys by the field 'amount': there is id"):
        read_traffic_options("payloads", {"keys": "field:amount"}, seed=1, run_token="t")
