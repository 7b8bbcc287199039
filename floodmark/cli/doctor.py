"""`floodmark doctor`: what is installed, what is missing, and the command that mends it."""

import dataclasses
import json

import click
from rich.text import Text

from floodmark.cli.console import open_console
from floodmark.doctor import Finding, examine
from floodmark.errors import EnvironmentFailedError


@click.command(short_help="What is installed, what is missing, and what mends it.")
@click.option("--json", "as_json", is_flag=True, help="Findings as JSON on standard output.")
def doctor(as_json: bool) -> int:
    """Tell what is installed, what is missing, and the command that mends it."""
    console = open_console()
    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            console.print(_line(finding))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    missing = [finding for finding in findings if not finding.present and not finding.optional]
    if not missing and not as_json:
        console.print("everything that a run needs is here")
    return EnvironmentFailedError.exit_code if missing else 0


def _line(finding: Finding) -> Text:
    mark, style = ("✓", "green") if finding.present else ("–", "yellow") if finding.optional else ("✗", "bold red")
    line = Text(f"{mark} ", style=style) + Text(f"{finding.subject}: {finding.detail}", style="default")
    return line if finding.present else line + Text(f"\n    → {finding.mend}")
