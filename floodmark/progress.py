"""How far a piece of work is, told to whoever shows it. The command line shows it; tests and scripts need not."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Phase(Protocol):
    """One stretch of work, such as starting Flink."""

    def update(self, done: float | None = None, note: str = "") -> None:
        """Say how much of the phase's total is done, and in a few words what is going on."""


class Progress(Protocol):
    """The whole work, phase after phase."""

    def phase(self, title: str, total: float | None = None) -> AbstractContextManager[Phase]:
        """Begin a phase that ends with the context; `total` in whatever `done` counts, None if nobody can know."""


class SilentPhase:
    """Shows nothing."""

    def update(self, done: float | None = None, note: str = "") -> None:
        return


class SilentProgress:
    """Shows nothing."""

    def phase(self, title: str, total: float | None = None) -> AbstractContextManager[Phase]:
        return nullcontext(SilentPhase())
