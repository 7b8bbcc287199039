"""From the files of a run to its result: a pure function, so it can be repeated at any time with the same outcome."""

from floodmark.analysis.analysis import EXAMPLES, analyse

__all__ = ["EXAMPLES", "analyse"]
