"""The judge of the quota benchmark, against truths that are planted."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_FILE = Path(__file__).parents[2] / "benchmarks" / "quota_windows.py"
_SPEC = importlib.util.spec_from_file_location("quota_windows", _FILE)
assert _SPEC
assert _SPEC.loader
windows: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(windows)

BEGIN_S = 1_800_000_000.0
QUOTA = 1_000.0


def judged(rate: float, *, burst: float = 1_000.0, pause: tuple[float, float] | None = None, end: float = 24.0) -> Any:
    """A bucket that gave `burst` at once and `rate` from then on; in a pause nobody asks, and then it gives all."""
    stamps = np.arange(0, end, 0.01)
    amounts = np.full(len(stamps), rate * 0.01)
    amounts[0] = burst
    if pause:
        asked = (stamps <= pause[0]) | (stamps > pause[1])
        amounts[np.argmax(stamps > pause[1])] += amounts[~asked].sum()
        stamps, amounts = stamps[asked], amounts[asked]
    return windows.judge(stamps + BEGIN_S, amounts, stamps + BEGIN_S, quota_per_second=QUOTA, begin_s=BEGIN_S)


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({"rate": 1_000}, True),
        ({"rate": 1_009}, True),
        ({"rate": 991}, True),
        ({"rate": 1_012}, False),
        ({"rate": 988}, False),
        ({"rate": 1_000, "burst": 1_100}, False),
        ({"rate": 1_000, "burst": 0}, True),
        ({"rate": 1_000, "pause": (12.0, 12.9)}, True),
        ({"rate": 1_020, "pause": (12.0, 12.9)}, False),
        ({"rate": 1_000, "end": 9.0}, False),
    ],
)
def test_what_strays_is_seen(given: dict[str, Any], holds: bool) -> None:
    assert judged(**given).holds() is holds


def test_slack_is_for_what_cannot_be_divided() -> None:
    assert not judged(1_015).holds()
    assert judged(1_015).holds(slack=0.01)


def test_nothing_refused_is_nothing_judged() -> None:
    none = np.array([])
    truth = windows.judge(np.array([BEGIN_S]), np.array([1.0]), none, quota_per_second=QUOTA, begin_s=BEGIN_S)
    assert truth.windows == 0
    assert not truth.holds()
