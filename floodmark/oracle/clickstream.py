"""Clickstream: how often each page was seen in every 5 seconds."""

from typing import Any

from floodmark.oracle import OracleSettings
from floodmark.oracle.clicks import CLICKS, Click
from floodmark.oracle.documents import text_of
from floodmark.oracle.windowed import Group, WindowedOracle


class ClickstreamOracle(WindowedOracle[Click]):
    """Oracle of the clickstream job: `page, windowStart, windowEnd, views`."""

    _count_name = "views"
    _names = frozenset({"page", "windowStart", "windowEnd", "views"})

    def __init__(self, settings: OracleSettings) -> None:
        super().__init__(settings, CLICKS)

    def _group(self, line: Click) -> Group:
        return (line.page,)

    def _group_of(self, output: dict[str, Any]) -> Group:
        return (text_of(output, "page"),)
