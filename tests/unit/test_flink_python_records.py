"""The Python functions of the jobs: the grammar record by record, and what is made of good records."""

import importlib
from decimal import Decimal
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pyflink.common import Row

from floodmark import paths
from simulators.traffic.bad_records import Fault, Role, faults_of

NOW_MS = 1_763_000_000_000
HOUR_MS = 3_600_000

FORMATS = {
    "ORDERS": (b"order,120.00,region,%d,toys", [Role.ID, Role.AMOUNT, Role.TEXT, Role.TIME, Role.TEXT]),
    "TRADES": (b"trade,account,120.00,%d", [Role.ID, Role.ID, Role.AMOUNT, Role.TIME]),
    "TEMPERATURES": (b"device,-21.5,%d", [Role.ID, Role.TEMPERATURE, Role.TIME]),
    "CLICKS": (b"user,/page,%d", [Role.ID, Role.TEXT, Role.TIME]),
}
FAULTS = [
    pytest.param(name, line % NOW_MS, fault, id=f"{name.lower()}-{fault.name}")
    for name, (line, roles) in FORMATS.items()
    for fault in faults_of(roles)
]


@pytest.fixture(autouse=True)
def jobs_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(paths.FLINK_JOBS)


@pytest.fixture
def python_records() -> ModuleType:
    return importlib.import_module("python_records")


@pytest.fixture
def stream_functions() -> ModuleType:
    return importlib.import_module("stream_functions")


def reader(python_records: ModuleType, name: str = "ORDERS") -> Any:
    record_format = getattr(importlib.import_module("record_grammar"), name)
    return python_records.RecordReader(record_format, max_future_ms=HOUR_MS)


@pytest.mark.parametrize(("name", "line", "fault"), FAULTS)
def test_every_fault_has_its_reason(python_records: ModuleType, name: str, line: bytes, fault: Fault) -> None:
    record = fault.apply(line.split(b","))
    read = reader(python_records, name).read(record, NOW_MS)
    assert isinstance(read, python_records.DeadLetter)
    assert read.reason == fault.reason


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_good_records_are_read(python_records: ModuleType, name: str, end: bytes) -> None:
    line = FORMATS[name][0] % NOW_MS
    read = reader(python_records, name).read(line + end, NOW_MS)
    assert read == python_records.GoodRecord(tuple(line.decode().split(",")), NOW_MS)


def test_a_category_may_be_left_out(python_records: ModuleType) -> None:
    read = reader(python_records).read(b"order,1,eu,%d\n" % NOW_MS, NOW_MS)
    assert read.fields == ("order", "1", "eu", str(NOW_MS), "")


@pytest.mark.parametrize(("ahead_ms", "is_good"), [(HOUR_MS, True), (HOUR_MS + 1, False)])
def test_an_event_time_may_be_so_far_ahead_of_the_arrival(
    python_records: ModuleType, ahead_ms: int, is_good: bool
) -> None:
    read = reader(python_records).read(b"order,1,eu,%d,toys" % (NOW_MS + ahead_ms), NOW_MS)
    assert isinstance(read, python_records.GoodRecord) is is_good


@pytest.mark.parametrize(
    ("record", "text", "raw", "is_cut"),
    [
        (b"x" * 65_536, "x" * 65_536, None, False),
        (b"x" * 65_537, "x" * 65_536, None, True),
        (b"x" * 65_535 + "é".encode(), "x" * 65_535, None, True),
        (b"x" * 65_533 + "😀".encode(), "x" * 65_533, None, True),
        (b"\xff" * 65_537, None, b"\xff" * 65_536, True),
        (b"x" * 65_535 + b"\xc3", None, b"x" * 65_535 + b"\xc3", False),
    ],
)
def test_dead_letters_quote_64_kib(
    python_records: ModuleType, record: bytes, text: str | None, raw: bytes | None, is_cut: bool
) -> None:
    letter = python_records.dead_letter(record, "columns", NOW_MS)
    assert letter == ("columns", text, raw, is_cut, NOW_MS)


@pytest.mark.parametrize(("amount", "is_abnormal"), [("10000", False), ("10000.00", False), ("10000.01", True)])
def test_alerts_are_for_amounts_above_the_limit(
    python_records: ModuleType, stream_functions: ModuleType, amount: str, is_abnormal: bool
) -> None:
    order = reader(python_records).read(b"order,%s,eu,%d" % (amount.encode(), NOW_MS), NOW_MS + 5)
    alert = stream_functions.AlertAbove(Decimal(10_000))(order, NOW_MS + 5)
    assert alert == (Row("order", amount, "eu", NOW_MS, NOW_MS + 5) if is_abnormal else None)


def emitted(function: Any, record: bytes) -> list[Any]:
    return list(function.process_element(record.decode("latin-1"), SimpleNamespace(timestamp=lambda: NOW_MS)))


def test_records_go_one_way_or_the_other(python_records: ModuleType, stream_functions: ModuleType) -> None:
    read = stream_functions.ReadRecords(reader(python_records), stream_functions.event_time_of)
    assert emitted(read, "größe,1,süd,%d".encode() % NOW_MS) == [NOW_MS]
    ((tag, letter),) = emitted(read, b"\xff,1")
    assert tag.tag_id == "dead-letters"
    assert letter == Row("encoding", None, b"\xff,1", False, NOW_MS)


def test_any_bytes_are_passed_through_up_to_a_size(stream_functions: ModuleType) -> None:
    function = stream_functions.PrefixRecords(b"> ", output_bytes_max=258)
    assert emitted(function, bytes(range(256))) == [Row(b"> " + bytes(range(256)))]
    ((_, letter),) = emitted(function, b"x" * 257)
    assert letter == Row("too-large", "x" * 257, None, False, NOW_MS)


def test_counting(stream_functions: ModuleType) -> None:
    count = stream_functions.Count()
    one = count.add(5, count.create_accumulator())
    assert count.get_result(count.merge(one, count.add(7, one))) == 3
    context = SimpleNamespace(window=lambda: SimpleNamespace(start=0, end=5_000))
    assert list(stream_functions.WithBounds().process(context, [3])) == [Row(0, 5_000, 3)]
