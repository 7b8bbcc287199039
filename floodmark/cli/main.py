"""The `floodmark` command: its subcommands, and the way every error leaves the process."""

import errno
import logging
import os
import signal
import sys
import traceback
from types import FrameType

import click
from rich.console import Console
from rich.text import Text

from floodmark import __version__, paths
from floodmark.cli.console import open_console
from floodmark.cli.doctor import doctor
from floodmark.cli.kinesis import kinesis
from floodmark.cli.produce import produce
from floodmark.cli.report import report
from floodmark.cli.run import demo, run
from floodmark.cli.runs import runs
from floodmark.cli.system import down, status, up
from floodmark.errors import ConfigurationError, EnvironmentFailedError, FloodmarkError

EXIT_INTERRUPTED = 130

_NO_SPACE = "free some space; runs are kept in `runs` (--out names another place), the rest in `.floodmark`"
_NOT_YOURS = "name a folder of your own with --out, FLOODMARK_RUNS or FLOODMARK_HOME"
_REMEDIES = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EACCES: _NOT_YOURS,
    errno.EPERM: _NOT_YOURS,
    errno.EROFS: _NOT_YOURS,
    errno.EMFILE: "allow more open files (`ulimit -n 4096`)",
    errno.ENOMEM: "close what else runs",
}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="floodmark")
def cli() -> None:
    """Load testing, traffic simulation and capacity planning for Apache Flink on Amazon Kinesis."""


for command in (demo, run, produce, report, runs, up, status, down, kinesis, doctor):
    cli.add_command(command)


def main() -> None:
    """Run the command line and leave with its exit code."""
    os.environ.setdefault("MPLCONFIGDIR", str(paths.home() / "matplotlib"))  # nothing of ours goes into the home folder
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, _interrupt)
    sys.exit(run_command_line(sys.argv[1:]))


def run_command_line(arguments: list[str]) -> int:
    """Run one command; returns its exit code. No traceback reaches the user."""
    console = open_console(stderr=True)
    logging.getLogger("floodmark").addHandler(logging.NullHandler())  # what matters is in the result, not on the way
    try:
        code = cli.main(arguments, prog_name="floodmark", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return ConfigurationError.exit_code
    except (click.Abort, KeyboardInterrupt):
        console.print("interrupted; everything that was started has been stopped", style="yellow")
        return EXIT_INTERRUPTED
    except FloodmarkError as error:
        notes = "".join(f"\n  {note}" for note in getattr(error, "__notes__", ()))
        _complain(console, f"{error}{notes}")
        return error.exit_code
    except OSError as error:
        _complain(console, _refusal(error))
        return EnvironmentFailedError.exit_code
    except Exception:  # the last line of defence: a fault of our own, kept so that it can be reported
        _complain(console, f"a fault in floodmark itself, kept in {_keep_fault()}")
        return EnvironmentFailedError.exit_code


def _complain(console: Console, what: str) -> None:
    # Wrapped by the terminal, not in the text: addresses and paths stay in one piece.
    console.print(Text("error: ", style="bold red") + Text(what), soft_wrap=True)


def _refusal(error: OSError) -> str:
    """What the operating system refused, to what, and what to do; most code says so itself, with more knowledge."""
    where = f"{error.filename}: " if error.filename else ""
    remedy = _REMEDIES.get(error.errno or 0, "mend this, then try again")
    return f"{where}{error.strerror or error}\n  → {remedy}"


def _keep_fault() -> str:
    path = paths.home() / "fault.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc())
    except OSError:
        return "no file, since none can be written:\n" + traceback.format_exc()
    return str(path)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """`kill` and a closed terminal end a command as Ctrl-C does: everything on the way out is stopped."""
    raise KeyboardInterrupt
