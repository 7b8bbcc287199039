"""Every error that a user can meet.

    FloodmarkError                 exit code
    ├── ConfigurationError         2    what was asked for is wrong or incomplete
    ├── MeasurementVoidError       3    the figures cannot be believed
    └── EnvironmentFailedError     4    a port, a process, a program, a disk or an endpoint failed
        ├── MissingProgramError    4    something that set-up installs is not there
        └── ProcessFailedError     4    a process that floodmark started ended or never got healthy

An error says what happened and to what (`message`) and what to do about it (`remedy`). Library code raises;
only `floodmark.cli` turns an error into an exit code.
"""

from pathlib import Path


class FloodmarkError(Exception):
    """The root of the tree. `exit_code` is what the command line ends with."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.remedy}" if self.remedy else self.message


class ConfigurationError(FloodmarkError):
    """What was asked for is wrong, incomplete or contradicts itself."""

    exit_code = 2


class MeasurementVoidError(FloodmarkError):
    """The figures cannot be believed, so none are given."""

    exit_code = 3


class EnvironmentFailedError(FloodmarkError):
    """Something around the product failed: a port, a process, a program, a disk, an endpoint."""

    exit_code = 4


class MissingProgramError(EnvironmentFailedError):
    """A part that set-up installs is missing or damaged."""


class ProcessFailedError(EnvironmentFailedError):
    """A process that floodmark started ended by itself or did not get healthy in time."""

    def __init__(self, message: str, remedy: str = "", *, log: Path | None = None, log_tail: str = "") -> None:
        super().__init__(message, remedy)
        self.log = log
        self.log_tail = log_tail

    def __str__(self) -> str:
        quoted = "".join(f"\n  | {line}" for line in self.log_tail.splitlines())
        where = f"\n  the end of {self.log}:{quoted}" if self.log and quoted else ""
        return f"{self.message}{where}" + (f"\n  → {self.remedy}" if self.remedy else "")
