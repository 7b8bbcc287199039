"""Where commands print: as wide as the terminal, and wide enough for a path where there is none."""

import os
import sys

from rich.console import Console

WIDTH_WITHOUT_TERMINAL = 160


def open_console(*, stderr: bool = False) -> Console:
    """A console on standard output, or on standard error for what is not the result."""
    stream = sys.stderr if stderr else sys.stdout
    is_sized = stream.isatty() or os.environ.get("COLUMNS")
    return Console(stderr=stderr, highlight=False, width=None if is_sized else WIDTH_WITHOUT_TERMINAL)
