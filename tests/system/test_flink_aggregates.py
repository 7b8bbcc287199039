"""Flink's sources take the Kinesis Producer Library's aggregates apart, by polling and by enhanced fan-out."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from floodmark.ledger import read_manifest

pytestmark = pytest.mark.system

FLOODMARK = Path(sys.executable).with_name("floodmark")
RECORDS = 300
A_SERVICE_RECORD = 20


def test_every_order_of_an_aggregate_raises_its_alert(
    run_job: Callable[..., str], streams: Any, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    options = ("--rate", 3000, "--records", RECORDS, "--warm-up", "0s", "--abnormal-ratio", 1, "--ledger-dir", ledger)
    where = ("--endpoint", streams.endpoint, "--stream", streams.input, "--aggregate", A_SERVICE_RECORD)
    command = [str(part) for part in (FLOODMARK, "produce", "orders", *options, *where)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert len(streams.records(streams.input)) < RECORDS / 5

    for consumer in ("polling", "efo"):
        run_job("abnormal_orders", "--consumer", consumer, "--start", "TRIM_HORIZON", "--parallelism", "2")
    alerts = Counter(alert.document["orderId"] for alert in streams.outputs(streams.output, 2 * RECORDS))
    manifest = read_manifest(ledger)
    made = manifest.traffic().records(0, manifest.due_times()(np.arange(RECORDS)))
    assert alerts == {value.decode().partition(",")[0]: 2 for value in made.values}
    assert streams.records(streams.dead_letter) == [], json.dumps(streams.records(streams.dead_letter), default=str)
