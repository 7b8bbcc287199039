"""Tumbling windows of event time, in Flink SQL."""

from flink_sql import epoch_ms, interval

WINDOW_MS = 5_000
"""The windows in which orders, sales and page views are counted."""

BOUNDS = f"{epoch_ms('window_start')}, {epoch_ms('window_end')}"
"""The expressions for a window's start and its end, which is no part of it, in epoch milliseconds."""

BY_WINDOW = "window_start, window_end"
"""What to group by."""


def tumbling(table: str, size_ms: int = WINDOW_MS) -> str:
    """The rows of a table, each with the window of its `event_time`: window_start, window_end, window_time.

    A window is emitted once the watermark has reached its last millisecond; rows of it that come later are dropped,
    and counted by Flink as `numLateRecordsDropped`.
    """
    return f"TABLE(TUMBLE(TABLE {table}, DESCRIPTOR(event_time), {interval(size_ms)}))"
