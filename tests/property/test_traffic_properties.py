"""A record is a function of its index: who makes it, in whatever stretch, makes the same bytes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.traffic.orders import OrderTrafficOptions

OPTIONS = OrderTrafficOptions(seed=3, run_token="p", abnormal_share=0.1, regions=("a", "b"), categories=("c",))
WHOLE = OPTIONS.build().records(0, np.arange(5000) + 1_763_000_000_000)


@settings(deadline=None)
@given(st.integers(0, 4999), st.integers(0, 2500))
def test_any_stretch_holds_the_same_records(first: int, count: int) -> None:
    times = np.arange(first, min(first + count, 5000)) + 1_763_000_000_000
    batch = OPTIONS.build().records(first, times)
    assert batch.values == WHOLE.values[first : first + len(times)]
    assert batch.keys == WHOLE.keys[first : first + len(times)]
