"""How the interpreter is set while it serves: its garbage collector and its memory.

What is stored grows to millions of objects, none of which is ever part of a cycle. Both defaults are made for programs
that are not like that.
"""

import ctypes
import gc

YOUNG_OBJECTS_MAX = 2_000
MIDDLE_EVERY = 20
OLD_EVERY = 100
"""The collector looks at new objects after so many of them, at those that survived every so often, and so on.

A look at the old ones stops everything for milliseconds, and longer the more is stored. Nothing here makes cycles but
exceptions, whose cycles are young when they become garbage; so once in four million objects is enough.
"""

MAPPED_BYTES_MIN = 32 * 1024 * 1024
"""Smaller blocks come from the heap, which keeps them: 32 MiB is the most that the C library takes here.

By default it asks the system for every block of some size, such as a large answer, and gives it back at once. To clear
its pages anew each time costs three times what making and sending the answer does.
"""

KEPT_BYTES_MAX = 64 * 1024 * 1024
"""How much free memory at the end of the heap is kept for the next time."""

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
"""Parameters of mallopt(3)."""


def settle() -> None:
    """Get ready to serve: to be called once, when everything is loaded that stays for good."""
    _keep_memory()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, MIDDLE_EVERY, OLD_EVERY)


def _keep_memory() -> None:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library than glibc; it has its own ways
        return
    mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES_MIN)
    mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES_MAX)
