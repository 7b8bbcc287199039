"""Record types that users write: the how-to's example, and everything that can be wrong with one."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from floodmark.errors import ConfigurationError
from floodmark.ledger import Manifest
from floodmark.schedule import ProfileOptions
from simulators.traffic.catalogue import find_kind
from simulators.traffic.option_table import TrafficOptionError, read_traffic_options, text_options
from simulators.traffic.own_options import OwnTrafficOptions

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "own-records.md"
TIMES_MS = 1_763_000_000_000 + np.arange(20_000)


@pytest.fixture
def payments(tmp_path: Path) -> Path:
    """The example of the how-to, as a file."""
    path = tmp_path / "payments.py"
    path.write_text(re.findall(r"```python\n(.*?)```", HOW_TO.read_text(), re.DOTALL)[0])
    return path


def read(path: Path, name: str = "Payment", **texts: str) -> OwnTrafficOptions:
    options = read_traffic_options(f"{path}:{name}", texts, seed=3, run_token="t0")
    assert isinstance(options, OwnTrafficOptions)
    return options


def write(tmp_path: Path, fields: str, *, stream: str = "s", key_field: str = "number") -> Path:
    path = tmp_path / "records.py"
    body = f"    stream = {stream!r}\n    key_field = {key_field!r}\n    {fields}\n"
    path.write_text(f"from simulators.traffic.own import *\n\nclass Payment(OwnRecord):\n{body}")
    return path


def test_the_example_makes_what_it_says(payments: Path) -> None:
    batch = read(payments).build().records(0, TIMES_MS)
    pattern = r"Pt0-[0-9]{10},[0-9]{12,19},[0-9]{1,4}\.[0-9]{2},(chip|contactless|online),[0-9]{1,3},[0-9]{13}"
    rows = [value.decode().split(",") for value in batch.values if re.fullmatch(pattern, value.decode())]
    assert len(rows) == 20_000
    assert batch.keys == [row[1] for row in rows]
    methods = Counter(row[3] for row in rows)
    assert [methods[name] / 20_000 for name in ("chip", "contactless", "online")] == pytest.approx(
        [6 / 17, 9 / 17, 2 / 17], abs=0.01
    )
    amounts = np.array([float(row[2]) for row in rows])
    assert abs(np.median(amounts) - 40) < 1.5
    assert abs(np.log(amounts).std() - 1.1) < 0.03
    terminals = np.bincount([int(row[4]) for row in rows])[1:]
    assert len(terminals) == 400
    assert ((terminals - 50) ** 2 / 50).sum() < 399 + 5 * (2 * 399) ** 0.5


def test_the_example_s_options_say_what_it_is(payments: Path) -> None:
    kind = find_kind(f"{payments}:Payment")
    assert (kind.stream, kind.key_field) == ("payment-stream", "card")
    assert kind.columns == ("payment", "card", "amount", "method", "terminal", "time")
    flags = {option.flag for option in text_options(f"{payments}:Payment")}
    assert {"--keys", "--locale", "--bad-ratio", "--record-bytes"} <= flags
    assert "--abnormal-ratio" not in flags


def test_any_stretch_holds_the_same_records(payments: Path) -> None:
    whole = read(payments, bad_ratio="0.1", record_bytes="130").build().records(0, TIMES_MS)
    part = read(payments, bad_ratio="0.1", record_bytes="130").build().records(4000, TIMES_MS[4000:9000])
    assert part.values == whole.values[4000:9000]
    assert 3000 < sum(len(value) == 130 for value in part.values) < 5000


def test_a_ledger_s_records_are_made_again_unless_the_file_has_changed(payments: Path) -> None:
    manifest = Manifest(
        traffic_options=read(payments),
        profile=ProfileOptions(rate_records_per_second=100, duration_s=10, warm_up_s=0),
        start_ns=1_763_000_000_000_000_000,
        stream="payment-stream",
        region="us-east-1",
        endpoint="http://127.0.0.1:1",
    )
    again = Manifest.model_validate_json(manifest.model_dump_json())
    assert again.traffic().records(5, TIMES_MS[:3]).values == manifest.traffic().records(5, TIMES_MS[:3]).values
    payments.write_text(payments.read_text() + "\n# a later thought\n")
    with pytest.raises(ConfigurationError, match=r"payments\.py has changed since"):
        again.traffic()
    payments.unlink()
    with pytest.raises(ConfigurationError, match=r"payments\.py cannot be read"):
        again.traffic()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ("number = running_id('x' * 65)", "more than 64 characters"),
        ("number = choice()", "weights above zero"),
        ("number = choice(a=0)", "weights above zero"),
        ("number = faker_text('nothing_like_it')", "nothing_like_it"),
        ("number = faker_text('name', pool=0)", "a pool has 1 to 100000 texts"),
        ("number = log_normal(median=0, sigma=1, most=5)", "no log-normal distribution"),
        ("number = log_normal(median=1, sigma=1, most=5, decimals=7)", "0 to 6 decimals"),
        ("number = normal(mean=-1, sigma=1)", "no normal distribution above 0"),
        ("number = whole_number(5, 4)", "no whole numbers lie between 5 and 4"),
        ("number = whole_number(0, 10**12)", "too large"),
        ("other = event_time()", "key_field is 'number': none of other"),
        ("number = 5", "has 0 fields"),
        ("number = undefined", "NameError"),
        ("number = event_time()", "no keys by the field 'number'"),
    ],
)
def test_what_cannot_be_is_said_in_words(tmp_path: Path, fields: str, why: str) -> None:
    with pytest.raises(TrafficOptionError, match=why):
        read(write(tmp_path, fields))


def test_a_record_type_needs_a_stream(tmp_path: Path) -> None:
    with pytest.raises(TrafficOptionError, match="which stream"):
        read(write(tmp_path, "number = running_id()", stream=""))


def test_padding_needs_an_id_and_has_an_end(tmp_path: Path, payments: Path) -> None:
    with pytest.raises(TrafficOptionError, match="pads a running_id"):
        read(write(tmp_path, "number = whole_number(1, 5)"), record_bytes="50")
    with pytest.raises(TrafficOptionError, match="can have up to 150 bytes"):
        read(payments, record_bytes="151")


def test_a_missing_file_or_class_is_named(tmp_path: Path, payments: Path) -> None:
    with pytest.raises(TrafficOptionError, match=r"nowhere\.py cannot be read: No such file"):
        read(tmp_path / "nowhere.py")
    with pytest.raises(TrafficOptionError, match="has no record type 'Pay'; there is Payment"):
        read(payments, "Pay")


@pytest.mark.parametrize(
    ("sampler", "least", "most", "mean"),
    [
        ("normal(mean=50, sigma=10, decimals=1)", 10, 90, 50.0),
        ("whole_number(3, 5)", 3, 5, 4.0),
        ("whole_number(7, 7)", 7, 7, 7.0),
        ("log_normal(median=8, sigma=0.01, most=9, decimals=0)", 7, 9, 8.0),
    ],
)
def test_numbers_lie_where_they_should(tmp_path: Path, sampler: str, least: float, most: float, mean: float) -> None:
    path = write(tmp_path, f"number = {sampler}\n    time = event_time()")
    values = np.array([float(key) for key in read(path).build().records(0, TIMES_MS).keys])
    assert least <= values.min() <= values.max() <= most
    assert abs(values.mean() - mean) < 0.3


def test_texts_come_by_weight_and_rank(tmp_path: Path) -> None:
    texts = 'number = weighted({"pet food": 3, "garden": 1})\n    page = ranked(["a", "b"], exponent=2)'
    batch = read(write(tmp_path, texts)).build().records(0, TIMES_MS)
    counts = Counter(batch.keys)
    assert abs(counts["pet food"] / 20_000 - 0.75) < 0.015
    assert abs(sum(value.endswith(b",a") for value in batch.values) / 20_000 - 0.8) < 0.015
