"""The ledger and the stream agree under throttling, failures and lost answers: the benchmark, in small."""

import subprocess
import sys

import pytest

from floodmark import paths

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    "options",
    [
        ("--overload", "1.6"),
        ("--overload", "1.6", "--workers", "2"),
        ("--overload", "1.6", "--ordered"),
        ("--overload", "20", "--aggregate", "8", "--records", "150000"),
    ],
)
def test_the_ledger_agrees_with_the_stream(options: tuple[str, ...]) -> None:
    command = (sys.executable, "benchmarks/agreement.py", "--records", "20000", "--shards", "4", *options)
    done = subprocess.run(command, cwd=paths.PROJECT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "disagreements" in done.stdout
