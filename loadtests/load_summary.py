"""What a load came to, in the words of the log."""

import logging
from collections.abc import Sequence

from load_report import LoadReport, all_delays

from floodmark.fleet import Result

logger = logging.getLogger("floodmark")


def log_outcome(result: Result, reports: Sequence[LoadReport], where: str) -> None:
    """One line with the counts; another one where the load is void for a reason that is no failure of ours."""
    delays = all_delays(reports)
    logger.info(
        "records: accepted %s, failed %s, unknown %s, missed %s; throttling answers %s; schedule delay p99 %.1f ms,"
        " largest %.1f ms; ledger in %s",
        *(f"{count:,}" for count in (result.accepted, result.failed, result.unknown, result.missed, result.throttled)),
        delays.percentile_ms(99),
        delays.max_ms,
        where,
    )
    if result.void_reason and not result.failure:
        logger.error("the load is void: %s", result.void_reason)
