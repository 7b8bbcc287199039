"""Holds one process for its owner, and ends it when the owner is gone.

Run as a program of its own (`python leash.py OPTIONS -- COMMAND …`), because an owner that is killed outright cannot
clean up after itself. The owner keeps the other end of standard input: when that closes, for whatever reason, the
command and everything in its process group is ended. A detached leash ignores standard input and lives until
it is told to stop (SIGTERM). Standard output carries one line: `started PID`, or `failed REASON`.

Only the standard library is imported, so that a leash costs little and starts quickly.
"""

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def _prepare(niceness: int) -> None:
    """Runs in the child: on Linux the kernel ends it even if the leash itself is killed outright."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(niceness)


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left in the group


def hold(command: list[str], log: Path, *, detached: bool, grace_s: float, niceness: int) -> int:
    """Start `command`, wait for its end, leave nothing of its group behind; returns its exit code."""
    with log.open("ab") as log_file:
        try:
            # A session of its own: a Ctrl-C in the terminal is for the owner, who stops things in order.
            child = subprocess.Popen(  # noqa: S603 the owner chose the command
                command,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: _prepare(niceness),
            )
        except OSError as error:
            os.write(1, f"failed {error}\n".encode())
            return 127
    os.write(1, f"started {child.pid}\n".encode())
    os.close(1)

    def stop(*_: object) -> None:
        _signal_group(child.pid, signal.SIGTERM)
        killer = threading.Timer(grace_s, _signal_group, (child.pid, signal.SIGKILL))
        killer.daemon = True
        killer.start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not detached:
        threading.Thread(target=_wait_for_owner, daemon=True).start()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    _signal_group(child.pid, signal.SIGKILL)  # what the command itself left behind; its id is still ours to name
    return child.wait()


def _wait_for_owner() -> None:
    """The owner never writes; end of file means that it closed the leash or is dead."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """Read the options, hold the command, end with its exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--grace-s", type=float, default=10.0)
    parser.add_argument("--detached", action="store_true")
    parser.add_argument("--niceness", type=int, default=0)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    code = hold(
        options.command,
        options.log,
        detached=options.detached,
        grace_s=options.grace_s,
        niceness=options.niceness,
    )
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
