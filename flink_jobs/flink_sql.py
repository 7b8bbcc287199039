"""Pieces of Flink SQL that more than one module needs."""

from collections.abc import Mapping


def literal(text: str) -> str:
    """A text as a string of Flink SQL."""
    return "'" + text.replace("'", "''") + "'"


def listed(options: Mapping[str, str]) -> str:
    """The options of a table's connector, as they stand in its statement."""
    return ", ".join(f"{literal(name)} = {literal(value)}" for name, value in options.items())


def interval(duration_ms: int) -> str:
    """A duration as an interval of Flink SQL."""
    seconds, milliseconds = divmod(duration_ms, 1_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"INTERVAL '{days} {hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}' DAY TO SECOND(3)"


def epoch_ms(column: str) -> str:
    """The expression for a column of points in time, in epoch milliseconds, as BIGINT.

    Right where `table.local-time-zone` is UTC, which `create_environment` sees to.
    """
    return f"(EXTRACT(EPOCH FROM {column}) * 1000 + EXTRACT(MILLISECOND FROM {column}))"
