"""The load generator as a process of its own: Locust with the scenario's load test, writing the ledger.

A process of its own, because Locust patches the interpreter that imports it, and because a generator that shares its
interpreter with the probe would delay both.
"""

import sys
from pathlib import Path

from floodmark import paths
from floodmark.config import TrialConfig
from floodmark.scenarios import Scenario
from floodmark.systems.ports import free_ports
from floodmark.systems.process import OwnedProcess, ProcessSpec

DRAIN_GRACE_S = 20.0
"""How long the generator may take to finish what is in flight when it is told to stop."""


def _shared_by(processes: int) -> dict[str, int]:
    """What lets several processes share the sending, under a master of their own."""
    if processes == 1:
        return {}
    (port,) = free_ports(1)
    return {"--processes": processes, "--master-port": port, "--master-bind-port": port}


def start_generator(config: TrialConfig, scenario: Scenario, *, endpoint: str, ledger: Path, log: Path) -> OwnedProcess:
    """Start Locust without its web page, in as many processes as are asked for; it ends when the schedule does."""
    options = {
        "--endpoint": endpoint,
        "--region": config.region,
        "--stream": scenario.input_stream,
        "--rate": config.rate_records_per_second,
        "--duration": f"{config.duration_s}s",
        "--warm-up": f"{config.warm_up_s}s",
        "--profile": config.profile,
        "--spacing": config.spacing,
        "--seed": config.seed,
        **{f"--{name.replace('_', '-')}": text for name, text in config.traffic.items()},
        "--batch": config.batch_records,
        "--linger-ms": config.linger_ms,
        "--senders": config.senders,
        "--ledger-dir": ledger,
        **_shared_by(config.generators),
    }
    arguments = [str(part) for pair in options.items() for part in pair]
    argv = (sys.executable, "-m", "locust", "-f", str(scenario.loadtest), "--headless", "--only-summary", *arguments)
    spec = ProcessSpec(name="generator", argv=argv, log=log, directory=paths.PROJECT)
    return OwnedProcess(spec, grace_s=DRAIN_GRACE_S)
