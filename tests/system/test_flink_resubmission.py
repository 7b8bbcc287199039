"""Jobs submitted and cancelled over and over in one cluster leave nothing behind in it."""

import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from floodmark.systems.embedded import EmbeddedSystem
from tests.system import flink_resubmission
from tests.system.flink_resubmission import Settings, write_settings

pytestmark = pytest.mark.system

MIXTURE = [
    ["order_count", "--api", "datastream"],
    ["live_sales"],
    ["pass_through", "--api", "datastream"],
    ["trade_risk"],
    ["abnormal_orders"],
]
ROUNDS = 4

CLASSES_A_JOB_MAX = 30
"""Code that Flink generates for a job stays in a cache of limited size. Connectors or Python's runtime loaded anew by
each job are thousands of classes."""


@pytest.mark.timeout(600)
def test_twenty_submissions_leave_nothing_behind(
    system: EmbeddedSystem, new_streams: Callable[..., Any], tmp_path: Path
) -> None:
    streams = new_streams(input_shards=1, output_shards=1)
    now_ms = time.time_ns() // 1_000_000
    streams.put([b"id,20000,eu,%d" % now_ms, b"id,account,20000,%d" % now_ms, b"id,90,%d" % now_ms])
    held, settings = tmp_path / "held", tmp_path / "settings.json"
    write_settings(
        settings,
        Settings(
            jobs=MIXTURE * ROUNDS,
            options=[*streams.options, "--start", "TRIM_HORIZON"],
            address=system.cluster.address,
            metrics=system.cluster.metrics_addresses()["task-manager-1"],
            held=str(held),
        ),
    )
    command = [system.cluster.layout.command, "run", "-d", "-py", flink_resubmission.__file__, settings]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=570, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    classes = [int(line) for line in held.read_text().splitlines()]
    assert len(classes) == len(MIXTURE) * ROUNDS
    added = [after - before for before, after in pairwise(classes)]
    for position, job in enumerate(MIXTURE):
        # Some code is needed once, whenever it first is: by the first checkpoint, say. A leak comes every time.
        again = added[position + len(MIXTURE) - 1 :: len(MIXTURE)]
        assert len(again) == ROUNDS - 1
        assert min(again) <= CLASSES_A_JOB_MAX, (job, classes)
    ours = str(system.cluster.layout.directory)
    for process in psutil.process_iter(["cmdline", "environ"]):
        is_worker = "pyflink.fn_execution" in str(process.info["cmdline"])
        assert not (is_worker and ours in str(process.info["environ"])), process
