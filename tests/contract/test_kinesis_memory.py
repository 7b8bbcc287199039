"""How much memory the simulator takes for what it stores."""

import base64
import http.client
from collections.abc import Callable
from typing import Any

import orjson
import psutil
import pytest

pytestmark = pytest.mark.system

MIB = 2**20
RECORDS = 1_000_000
BATCH = 500
HEADERS = {"X-Amz-Target": "Kinesis_20131202.PutRecords", "Content-Type": "application/x-amz-json-1.1"}


def put(port: int, records: int, data_bytes: int) -> None:
    """Put records with keys of their own, from one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    data = base64.b64encode(bytes(data_bytes)).decode()
    for first in range(0, records, BATCH):
        batch = [{"Data": data, "PartitionKey": f"key-{first + index:07d}"} for index in range(BATCH)]
        connection.request("POST", "/", orjson.dumps({"StreamName": "s", "Records": batch}), HEADERS)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        assert orjson.loads(body)["FailedRecordCount"] == 0
    connection.close()


def resident_mib(process: Any) -> float:
    return float(psutil.Process(process.pid).memory_info().rss) / MIB


def test_a_million_records_of_a_hundred_bytes_take_less_than_400_mib(start_simulator: Callable[..., Any]) -> None:
    one = start_simulator("--quotas", "off", "--streams", "s:50")
    before_mib = resident_mib(one.process)
    put(one.port, RECORDS, 100)
    # Not so little either that the records cannot be there.
    assert before_mib + RECORDS * 100 / MIB < resident_mib(one.process) < 400_000_000 / MIB


def test_beyond_its_bound_memory_grows_no_more(start_simulator: Callable[..., Any]) -> None:
    one = start_simulator("--quotas", "off", "--streams", "s:50", "--memory-mib", "64")
    before_mib = resident_mib(one.process)
    put(one.port, 400_000, 100)
    full_mib = resident_mib(one.process)
    assert full_mib - before_mib < 64 * 1.25 + 16
    put(one.port, 400_000, 100)
    assert resident_mib(one.process) < full_mib + 8
