"""Clicks: `userId,page,eventTime`."""

from typing import NamedTuple

from floodmark.oracle.grammar import Grammar


class Click(NamedTuple):
    """One well-formed click."""

    user_id: str
    page: str
    event_time_ms: int


def _click(user_id: str, page: str, event_time: str) -> Click:
    return Click(user_id, page, int(event_time))


CLICKS = Grammar(_click, "id", "text", "time")
