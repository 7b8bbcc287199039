"""Keeps the memory of a sender where it is.

Every call takes and gives back a few hundred kilobytes. The C library returns such pieces to the system at once, and
gets them back page by page: at full speed that is a quarter of the cost of a call.
"""

import ctypes

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
"""Of mallopt in the GNU C library."""

KEPT_BYTES = 64 * 1024 * 1024
STEP_BYTES = 8 * 1024 * 1024
LARGE_BYTES = 16 * 1024 * 1024
"""Pieces from this size on are still given back at once."""


def keep_heap() -> bool:
    """Let this process keep up to 64 MiB that it does not use; False where the C library has no such setting."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_M_TRIM_THRESHOLD, KEPT_BYTES), (_M_TOP_PAD, STEP_BYTES), (_M_MMAP_THRESHOLD, LARGE_BYTES))
    return all(mallopt(name, value) == 1 for name, value in settings)
