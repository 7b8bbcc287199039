"""The `floodmark` command: its subcommands, and the way every error leaves the process."""

import logging
import signal
import sys
import traceback
from types import FrameType

import click
from rich.text import Text

from floodmark import __version__, paths
from floodmark.cli.console import open_console
from floodmark.cli.doctor import doctor
from floodmark.cli.kinesis import kinesis
from floodmark.cli.report import report
from floodmark.cli.run import demo, run
from floodmark.cli.runs import runs
from floodmark.cli.system import down, status, up
from floodmark.errors import FloodmarkError

EXIT_USAGE = 2
EXIT_ENVIRONMENT = 4
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="floodmark")
def cli() -> None:
    """Load testing, traffic simulation and capacity planning for Apache Flink on Amazon Kinesis."""


for command in (demo, run, report, runs, up, status, down, kinesis, doctor):
    cli.add_command(command)


def main() -> None:
    """Run the command line and leave with its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
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
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        console.print("interrupted; everything that was started has been stopped", style="yellow")
        return EXIT_INTERRUPTED
    except FloodmarkError as error:
        console.print(Text("error: ", style="bold red") + Text(str(error)))
        return error.exit_code
    except OSError as error:
        console.print(Text("error: ", style="bold red") + Text(f"{error}"))
        return EXIT_ENVIRONMENT
    except Exception:  # the last line of defence: a fault of our own, kept so that it can be reported
        console.print(Text("error: ", style="bold red") + Text(f"a fault in floodmark itself, kept in {_keep_fault()}"))
        return EXIT_ENVIRONMENT


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
