"""`floodmark report`: the report of a run, made again from its files."""

import json
from pathlib import Path

import click

from floodmark import paths, store
from floodmark.report import render


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The result document on standard output.")
def report(directory: Path, as_json: bool) -> int:
    """Render the report of a run again, from its files alone.

    DIRECTORY is a run directory, or the id of a run that `floodmark runs` lists.
    """
    directory = _find(directory)
    run = store.read_run(directory)
    path = render(directory)
    click.echo(f"{path}", err=as_json)
    if as_json:
        click.echo(json.dumps(run.model_dump(mode="json"), indent=2, ensure_ascii=False))
    return 0


def _find(directory: Path) -> Path:
    """The directory as it was named, else the one of that name among the runs."""
    known = paths.runs() / directory
    return known if not directory.exists() and len(directory.parts) == 1 and known.exists() else directory
