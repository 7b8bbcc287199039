"""Progress on the terminal: a bar for each phase, or plain lines where there is no terminal. Always standard error."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

PLAIN_NOTICE_EVERY_S = 10.0


class TerminalPhase:
    """One line with a bar."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def update(self, done: float | None = None, note: str = "") -> None:
        self._bars.update(self._task, completed=done, note=note)


class TerminalProgress:
    """Bars that stay where they are when their phase is done, so that the whole run can be read afterwards."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓", table_column=Column(no_wrap=True, min_width=1)),
            TextColumn("{task.description:<9}", table_column=Column(no_wrap=True, min_width=9)),
            BarColumn(bar_width=16, table_column=Column(no_wrap=True, min_width=16)),
            TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
            # On a narrow terminal this is the only one that gives way.
            TextColumn(
                "{task.fields[note]}",
                style="dim",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            ),
            console=console,
            expand=True,
        )

    @contextmanager
    def phase(self, title: str, total: float | None = None) -> Iterator[TerminalPhase]:
        task = self._bars.add_task(title, total=total, note="")
        self._bars.start()
        yield TerminalPhase(self._bars, task)
        self._bars.update(task, total=total or 1, completed=total or 1)
        self._bars.refresh()

    def close(self) -> None:
        """Give the terminal back."""
        self._bars.stop()


class PlainPhase:
    """A line when something is new, at most one in ten seconds."""

    def __init__(self, console: Console, title: str, total: float | None) -> None:
        self._console = console
        self._title = title
        self._total = total
        self._shown_s = time.monotonic()

    def update(self, done: float | None = None, note: str = "") -> None:
        if note and time.monotonic() - self._shown_s >= PLAIN_NOTICE_EVERY_S:
            self._shown_s = time.monotonic()
            share = f" {done / self._total:.0%}" if done is not None and self._total else ""
            self._console.print(f"{self._title}{share}: {note}", markup=False)


class PlainProgress:
    """Lines for a log."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def phase(self, title: str, total: float | None = None) -> Iterator[PlainPhase]:
        started_s = time.monotonic()
        self._console.print(f"{title} …", markup=False)
        yield PlainPhase(self._console, title, total)
        self._console.print(f"{title} done in {time.monotonic() - started_s:.1f} s")

    def close(self) -> None:
        return


def open_progress(console: Console) -> TerminalProgress | PlainProgress:
    """Bars on a terminal, lines elsewhere."""
    return TerminalProgress(console) if console.is_terminal else PlainProgress(console)
