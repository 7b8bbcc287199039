"""`floodmark produce`: a load without Locust and without Flink, or a look at its records."""

import inspect
import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from floodmark import paths
from floodmark.cli.console import open_console
from floodmark.cli.options import JSON, chosen_traffic, traffic_options
from floodmark.cli.progress import open_progress
from floodmark.clock import SystemClock
from floodmark.config import is_loopback
from floodmark.errors import ConfigurationError
from floodmark.ledger import LedgerFollower, LedgerProgress
from floodmark.limits import BATCH_RECORDS_MAX
from floodmark.load_options import OPTIONS, SWITCHES, LoadOptions, check_ledger, options_of, read_options
from floodmark.price import on_demand_dollars, provisioned_dollars, read_prices
from floodmark.produce import Load, Outcome, Sample, Workers, prepare_load, sample, write_records
from floodmark.scenarios import SCENARIOS, find_scenario
from floodmark.schedule import PROFILE_NAMES
from floodmark.share import WORKERS_MAX
from floodmark.store import LEDGER, new_run_id
from floodmark.systems.kinesis import open_shards
from simulators.traffic.catalogue import KINDS, find_kind

EXIT_INTERRUPTED = 130
LOOK_EVERY_S = 1.0
PRODUCED = "produce"
"""The folder of these loads below the runs: they have no verdict, and the history does not list them."""

_AT_INTERRUPT = (
    "interrupted: what is due is still sent; Ctrl-C again waits for nothing",
    "interrupted again: what is in flight counts as unknown",
)

_NOWHERE = "http://127.0.0.1"
"""Where a dry run sends its records to: it never asks."""


def _load_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every kind of load, from the table that the load tests have too."""
    command = traffic_options(command)
    for option in reversed(OPTIONS):
        text = option.help.replace("--host, else ", "")  # which is Locust's
        default = f"  [default: {option.default}]" if option.default else ""
        command = click.option(option.flag, option.name, default=None, help=f"{text}{default}", metavar="TEXT")(command)
    for flag, text in SWITCHES.items():
        if flag != "--allow-remote":  # here one is asked, or says --yes
            command = click.option(flag, is_flag=True, help=text)(command)
    profiles = f"How the rate moves: {', '.join(PROFILE_NAMES)}; docs/reference/profiles.md."
    return click.option("--profile", default=None, help=profiles, metavar="TEXT")(command)


@click.command("produce", short_help="Traffic only, without Flink.")
@click.argument("what", metavar="SCENARIO|KIND")
@_load_options
@click.option("--workers", type=click.IntRange(1, WORKERS_MAX), default=1, show_default=True, help="Sending processes.")
@click.option(
    "--aggregate",
    type=click.IntRange(1, BATCH_RECORDS_MAX),
    default=1,
    show_default=True,
    help="Records in one of the service's, in the format of the Kinesis Producer Library.",
)
@click.option("--dry-run", is_flag=True, help="Send nothing: show some records and what it costs to make them.")
@click.option("--to", default=None, metavar="FILE", help="With --dry-run: every record, a line each; `-`: here.")
@click.option("--yes", is_flag=True, help="Send to another machine without asking.")
@JSON
def produce(
    what: str, workers: int, aggregate: int, dry_run: bool, to: str | None, yes: bool, as_json: bool, **texts: Any
) -> int:
    """Send the load of SCENARIO, or records of a KIND, on schedule, and account for every one of them.

    Exit code: 0 all accepted on schedule, 1 some not, 2 wrong usage, 3 the load is void, 4 the environment failed,
    130 interrupted, after what was due has been sent.
    """
    if to and not dry_run:
        raise ConfigurationError("--to belongs to --dry-run", "a load that is sent leaves its ledger in --ledger-dir")
    options = _aggregated(_read(_find_kind(what), texts, dry_run), aggregate)
    if options.settings.ordered and workers > 1:
        raise ConfigurationError("--ordered needs one worker", "several share the records of a key among them")
    console = open_console(stderr=True)
    if dry_run:
        return _dry_run(options, to, as_json, console)
    check_ledger(options)
    shards = open_shards(endpoint=options.endpoint, region=options.region, stream=options.stream)
    clock, randomness = SystemClock(), random.SystemRandom()
    run_id = new_run_id(find_kind(options.kind).name, clock.now_ns(), randomness)
    directory = options.ledger or paths.runs() / PRODUCED / run_id / LEDGER
    load = prepare_load(options, directory, workers=workers, clock=clock, randomness=randomness)
    load = load.model_copy(update={"shard_starts": tuple(str(shard.hash_start) for shard in shards)})
    if not is_loopback(options.endpoint) and not yes:
        _ask(load, len(shards))
    return _send(load, workers, as_json, console)


produce.help = inspect.cleandoc(produce.help or "") + (
    f"\n\nScenarios: {', '.join(sorted(SCENARIOS))}. Kinds: {', '.join(KINDS)}, FILE.py:CLASS."
)


def _find_kind(what: str) -> str:
    if what in SCENARIOS:
        return find_scenario(what).kind
    try:
        find_kind(what)
    except ValueError as error:
        raise ConfigurationError(str(error), f"or name a scenario: {', '.join(sorted(SCENARIOS))}") from None
    return what


def _read(kind: str, given: dict[str, Any], dry_run: bool) -> LoadOptions:
    chosen_traffic(kind, given)
    known = {option.name: option for option in options_of(kind)}
    texts: dict[str, Any] = {name: option.default for name, option in known.items()}
    texts |= {name: value for name, value in given.items() if value is not None}
    texts["allow_remote"] = True
    if dry_run:
        texts["endpoint"] = _NOWHERE
    return read_options(kind, texts)


def _aggregated(options: LoadOptions, records: int) -> LoadOptions:
    if records > 1 and options.settings.ordered:
        raise ConfigurationError("--aggregate and --ordered exclude each other", "leave one of them out")
    return replace(options, settings=options.settings.model_copy(update={"aggregate_records": records}))


def _ask(load: Load, shards: int) -> None:
    """Say what the load would cost, and go on only if that is wanted."""
    manifest, look, prices = load.manifest, sample(load.manifest), read_prices()
    duration_s = (manifest.load_end_ns - manifest.start_ns) / 1e9
    measures: dict[str, Any] = {"duration_s": duration_s, "records": look.total, "record_bytes": look.size_bytes}
    click.echo(
        f"{look.total:,} records of about {look.size_bytes:,.0f} bytes over {duration_s:,.0f} s go to "
        f"{manifest.stream} ({shards} shards) at {manifest.endpoint}.\n"
        f"At the prices of {prices.region} in {prices.read_on} that is about "
        f"${provisioned_dollars(prices, shards=shards, **measures):,.2f} with provisioned shards, or "
        f"${on_demand_dollars(prices, **measures):,.2f} on demand, reading not included.",
        err=True,
    )
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{manifest.endpoint} is not on this machine", "add --yes if you mean it")
    click.confirm("Send them?", abort=True, err=True)


def _dry_run(options: LoadOptions, to: str | None, as_json: bool, console: Console) -> int:
    seeded = random.Random(options.seed)  # noqa: S311 - so that two dry runs show the same records
    load = prepare_load(options, Path(), workers=1, clock=SystemClock(), randomness=seeded)
    if to is None:
        look = sample(load.manifest)
        _show_sample(look, options, console)
        if as_json:
            click.echo(_json(_sample_document(look)))
        return 0
    try:
        if to == "-":
            count = write_records(load.manifest, sys.stdout.buffer, as_json=as_json)
            sys.stdout.buffer.flush()
        else:
            with _new_file(Path(to)) as file:
                count = write_records(load.manifest, file, as_json=as_json or Path(to).suffix == ".jsonl")
    except BrokenPipeError:  # as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    console.print(f"{count:,} records written to {to}", soft_wrap=True)
    return 0


def _new_file(path: Path) -> BinaryIO:
    """A file that was not there before: what somebody recorded is not written over."""
    try:
        return path.open("xb")
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already", "remove it, or name another file with --to") from None


def _send(load: Load, count: int, as_json: bool, console: Console) -> int:
    progress = open_progress(console)
    follower = LedgerFollower(load.directory)
    interrupts = 0
    with Workers(count, SystemClock()) as workers:
        workers.send(load)
        total_s = (load.manifest.load_end_ns - load.manifest.start_ns) / 1e9
        try:
            with progress.phase("load", total_s) as phase:
                started_s = time.monotonic()
                while not workers.are_over:
                    try:
                        time.sleep(LOOK_EVERY_S)
                        phase.update(min(time.monotonic() - started_s, total_s), _note(follower.poll()))
                    except KeyboardInterrupt:
                        interrupts += 1
                        console.print(_AT_INTERRUPT[min(interrupts, len(_AT_INTERRUPT)) - 1], soft_wrap=True)
                        workers.stop() if interrupts == 1 else workers.give_up()
        finally:
            progress.close()
        outcome = workers.outcome()
    _show_outcome(outcome, load.directory, console)
    code = EXIT_INTERRUPTED if interrupts else outcome.exit_code
    if as_json:
        click.echo(_json({**outcome.model_dump(), "exit_code": code, "ledger": str(load.directory)}))
    return code


def _note(at: LedgerProgress) -> str:
    """What may be wrong comes first: 80 columns have room for no more."""
    return (
        f"p99 {at.schedule_delay_p99_ms:,.0f} ms late · backlog {at.backlog:,} · throttled {at.throttled:,} · "
        f"accepted {at.accepted:,} of {at.due:,} due"
    )


def _show_sample(look: Sample, options: LoadOptions, console: Console) -> None:
    table = Table("due s", Column("key", overflow="fold"), Column("record", overflow="fold"), box=None)
    for due_s, key, value in look.shown:
        table.add_row(f"{due_s:.3f}", Text(_printable(key)), Text(_printable(_text(value[:200]))))
    console.print(table)
    console.print(
        f"{look.total:,} records of {look.size_bytes:,.0f} bytes with their key; of the first {look.sampled:,}: "
        f"{look.keys:,} keys, the busiest of them in {look.busiest_key_share:.2%}; "
        f"{look.making_us_a_record:.2f} µs of processor time to make one.\n"
        f"They would go to {options.stream}."
    )


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")


def _printable(text: str) -> str:
    """Line breaks, and whatever else a terminal would obey, written out."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _sample_document(look: Sample) -> dict[str, Any]:
    shown = [{"due_s": due_s, "key": key, "value": _text(value)} for due_s, key, value in look.shown]
    measures = ("total", "sampled", "size_bytes", "keys", "busiest_key_share", "making_us_a_record")
    return {**{name: getattr(look, name) for name in measures}, "records": shown}


def _show_outcome(outcome: Outcome, directory: Path, console: Console) -> None:
    console.print(
        f"accepted {outcome.accepted:,} · failed {outcome.failed:,} · unknown {outcome.unknown:,} · "
        f"missed {outcome.missed:,} · throttling answers {outcome.throttled:,}\n"
        f"schedule delay p99 {outcome.schedule_delay_p99_ms:,.1f} ms, largest {outcome.schedule_delay_max_ms:,.1f} ms"
        f" · every sender waited for the service for {outcome.all_calls_open_s:,.1f} s"
        f" · {outcome.cpu_s:,.1f} s of processor time\nledger: {directory}",
        soft_wrap=True,
    )
    if outcome.failed and outcome.throttled:
        console.print(
            "a shard takes 1,000 records or 1 MiB a second; what is throttled is given up after --retry-deadline: "
            "more shards, a lower --rate or other --keys help",
            soft_wrap=True,
        )
    if outcome.failure:
        console.print(Text("error: ", style="bold red") + Text(outcome.failure), soft_wrap=True)
    elif outcome.void_reason:
        console.print(Text(f"void: {outcome.void_reason}", style="yellow"), soft_wrap=True)


def _json(document: dict[str, Any]) -> str:
    return json.dumps({"format_version": 1, **document}, indent=2)
