"""`floodmark run` and `floodmark demo`: one trial, from an empty machine to a report."""

import inspect
import shlex
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from floodmark import paths
from floodmark.cli.console import open_console
from floodmark.cli.options import JSON, OUT, chosen_traffic, traffic_options, trial_options
from floodmark.cli.progress import open_progress
from floodmark.cli.summary import summary_table
from floodmark.cli.verdicts import VERDICT_EXIT_CODES
from floodmark.config import TrialConfig, build_config
from floodmark.errors import ConfigurationError
from floodmark.scenarios import ABNORMAL_ORDERS, SCENARIOS, Scenario, find_scenario
from floodmark.slo import parse_slo
from floodmark.trial import TrialOutcome, run_trial
from simulators.traffic.option_table import TEXT_OPTIONS, TrafficOptionError, read_traffic_options

DEMO_SETTINGS = {"duration_s": 45.0, "warm_up_s": 10.0, "rate_records_per_second": 1500.0}


@click.command(short_help="One trial: traffic → Kinesis → job → probe → verdict.")
@click.argument("scenario", metavar="SCENARIO")
@trial_options
@traffic_options
@OUT
@JSON
def run(scenario: str, out: Path | None, as_json: bool, **settings: Any) -> int:
    """Load SCENARIO's job, check every output, measure its latency, and write a report.

    Exit code: 0 passed, 1 an objective failed, 2 wrong usage, 3 the measurement is void, 4 the environment failed.
    """
    return _run(find_scenario(scenario), settings, out, as_json)


run.help = inspect.cleandoc(run.help or "") + f"\n\nScenarios: {', '.join(sorted(SCENARIOS))}."


@click.command(short_help="The main job under 1,500 orders a second, ending with a report.")
@OUT
@JSON
def demo(out: Path | None, as_json: bool) -> int:
    """Run the abnormal-orders job for 45 s under 1,500 orders a second: 3 shards, parallelism 3, and a report."""
    return _run(ABNORMAL_ORDERS, dict(DEMO_SETTINGS), out, as_json)


def _run(scenario: Scenario, settings: dict[str, Any], out: Path | None, as_json: bool) -> int:
    config = _resolve(scenario, settings)
    console = open_console(stderr=True)
    progress = open_progress(console)
    command = shlex.join(["floodmark", *sys.argv[1:]])
    try:
        outcome = run_trial(config, scenario, parent=out or paths.runs(), command=command, progress=progress)
    finally:
        progress.close()
    _show(outcome, console)
    if as_json:
        click.echo(outcome.run.model_dump_json(indent=2))
    return VERDICT_EXIT_CODES[outcome.run.verdict]


def _resolve(scenario: Scenario, given: dict[str, Any]) -> TrialConfig:
    """What was given, the rest by default. Objectives are parsed here, so that a misspelt one ends nothing but this."""
    texts = {option.name: given.pop(option.name, None) for option in TEXT_OPTIONS}
    settings = {name: value for name, value in given.items() if value is not None}
    settings["traffic"] = chosen_traffic(scenario.kind, texts)
    for name in ("checkpoint_interval", "watermark_delay", "idle_timeout"):
        if name in settings:
            settings[f"{name}_ms"] = round(settings.pop(name) * 1000)
    if "shards" in settings:
        settings.setdefault("output_shards", settings["shards"])
    settings["slos"] = tuple(settings.get("slos") or scenario.default_slos)
    for slo in settings["slos"]:
        parse_slo(slo)
    config = build_config({"scenario": scenario.name, **settings})
    if config.api not in scenario.apis:
        raise ConfigurationError(
            f"the job of {scenario.name} is written in {' and '.join(scenario.apis)}, and not in {config.api}",
            f"leave --api out; {config.api} there is for {', '.join(_written_in(config.api))}",
        )
    try:
        read_traffic_options(scenario.kind, config.traffic, seed=config.seed, run_token=scenario.kind)
    except TrafficOptionError as error:
        raise ConfigurationError(str(error), "docs/reference/traffic.md lists the options") from None
    return config


def _written_in(api: str) -> list[str]:
    return sorted(scenario.name for scenario in SCENARIOS.values() if api in scenario.apis)


def _show(outcome: TrialOutcome, console: Console) -> None:
    console.print(summary_table(outcome.run))
    console.print(f"report: {outcome.report}", soft_wrap=True)
