"""From the files of a run to its result: a pure function, so it can be repeated at any time with the same outcome."""

from floodmark.analysis.analysis import analyse

__all__ = ["analyse"]
