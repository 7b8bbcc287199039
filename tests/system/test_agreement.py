"""The ledger and the stream agree under throttling, failures and lost answers: the benchmark, in small."""

import subprocess
import sys

import pytest

from floodmark import paths

pytestmark = pytest.mark.system


@pytest.mark.parametrize("workers", [1, 2])
def test_the_ledger_agrees_with_the_stream(workers: int) -> None:
    command = (sys.executable, "benchmarks/agreement.py", "--records", "20000", "--shards", "4")
    done = subprocess.run(
        (*command, "--overload", "1.6", "--workers", str(workers)),
        cwd=paths.PROJECT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20,000 records due" in done.stdout
