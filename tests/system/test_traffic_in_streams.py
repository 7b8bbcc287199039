"""What is in the streams is what the manifest makes again, byte for byte, whatever was asked of the traffic."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from floodmark import paths
from floodmark.ledger import read_manifest
from tests.system.locust_bench import Service

pytestmark = pytest.mark.system

HOW_TO = paths.PROJECT / "docs" / "how-to" / "own-records.md"
FLOODMARK = Path(sys.executable).with_name("floodmark")
RECORDS = 1200
STIRRED = (
    *("--bad-ratio", "0.05", "--late-ratio", "0.05", "--out-of-order-ms", "300", "--locale", "de_DE"),
    *("--duplicate-ratio", "0.1", "--keys", "moving-hot:0.3:1s", "--record-bytes", "110"),
)
SCHEDULE = ("--rate", "600", "--duration", "2s", "--warm-up", "0s")


@pytest.fixture
def how_to(tmp_path: Path) -> Path:
    """A folder with the files of the how-to, under the names that it gives them."""
    for text in re.findall(r"```python\n(.*?)```", HOW_TO.read_text(), re.DOTALL):
        name = re.match(r'"""(\w+\.py)', text)
        assert name
        (tmp_path / name[1]).write_text(text)
    return tmp_path


def run(folder: Path, *argv: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(paths.LOADTESTS)}
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_made_again(service: Service, stream: str, ledger: Path) -> None:
    manifest = read_manifest(ledger)
    assert manifest.schedule().total == RECORDS
    due_ms = manifest.due_times()(np.arange(RECORDS))
    traffic = manifest.traffic()
    made: Counter[tuple[str, bytes]] = Counter()
    for first in range(0, RECORDS, 77):
        batch = traffic.records(first, due_ms[first : first + 77])
        made.update(zip(batch.keys, batch.values, strict=True))
    stored = Counter((record.partition_key, record.value) for _, record in service.records(stream))
    assert stored == made


@pytest.mark.parametrize("kind", ["orders", "trades", "temperatures", "clicks", "payments.py:Payment"])
def test_every_kind_comes_as_it_is_made_again(service: Service, how_to: Path, kind: str) -> None:
    stream = service.create(3)
    where = ("--endpoint", service.endpoint, "--stream", stream, "--ledger-dir", str(how_to / "ledger"))
    run(how_to, str(FLOODMARK), "produce", kind, *SCHEDULE, *STIRRED, *where)
    assert_made_again(service, stream, how_to / "ledger")


def test_the_how_to_s_locustfile_sends_its_records(service: Service, how_to: Path) -> None:
    stream = service.create(3)
    where = ("--endpoint", service.endpoint, "--stream", stream, "--ledger-dir", str(how_to / "ledger"))
    run(how_to, sys.executable, "-m", "locust", "-f", "payments_load.py", "--headless", *SCHEDULE, *where)
    assert_made_again(service, stream, how_to / "ledger")
