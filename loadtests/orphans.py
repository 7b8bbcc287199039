"""Forked workers end soon after the process that forked them; Locust may leave them behind for ever.

That goes for a parent that is killed, and for one that refuses its options while its workers are still connecting.
"""

import os
import signal

from gevent import monkey

LOOK_S = 0.5

_start_thread = monkey.get_original("_thread", "start_new_thread")
_sleep = monkey.get_original("time", "sleep")

_parent_id: int | None = None


def end_with_parent() -> None:
    """Interrupt whatever this process forks from now on, as Ctrl-C would, once this process is gone."""
    parent_id = os.getpid()
    os.register_at_fork(after_in_child=lambda: _begin(parent_id))


def is_orphaned() -> bool:
    """Whether the process that forked this one is gone."""
    return _parent_id is not None and os.getppid() != _parent_id


def _begin(parent_id: int) -> None:
    global _parent_id
    _parent_id = parent_id
    _start_thread(_watch, ())  # a real one: greenlets may not run while Locust still connects


def _watch() -> None:
    while not is_orphaned():
        _sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGINT)
