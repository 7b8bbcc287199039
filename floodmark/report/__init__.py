"""The report of a run: one self-contained page, made from the files of its directory and nothing else."""

from pathlib import Path


def render(run_directory: Path) -> Path:
    """Write `report.html` into a run directory and return its path. The same files give the same page, byte for byte.

    Files that are missing or damaged leave gaps which the page names; only `run.json` must be there. Raises
    ConfigurationError if this is no run directory, EnvironmentFailedError if it is damaged or cannot be written.
    """
    from floodmark.report.page import compose  # drawing is slow to import, and most commands never draw
    from floodmark.store import REPORT, write_bytes

    page = compose(run_directory)
    write_bytes(run_directory / REPORT, page.encode())
    return run_directory / REPORT
