"""A program for `flink run`: submits jobs of `flink_jobs` one after another, each cancelled as soon as it has run.

One client for all of them saves starting a Java and a Python for each. It is given a file of `Settings`, and writes how
many classes the TaskManager holds after each job.
"""

import importlib
import json
import re
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import urllib3

from floodmark import paths
from floodmark.systems.flink import RestFlinkClient, wait_until_running

WAIT_S = 60.0
RUN_S = 0.5


@dataclass(frozen=True)
class Settings:
    """Which jobs to submit, as names and their own options, where to, and the options that all of them have."""

    jobs: list[list[str]]
    options: list[str]
    address: str
    metrics: str
    held: str


def main() -> None:
    settings = Settings(**json.loads(Path(sys.argv[1]).read_text()))
    sys.path.insert(0, str(paths.FLINK_JOBS))
    client = RestFlinkClient(settings.address)
    with Path(settings.held).open("w") as held:
        for name, *options in settings.jobs:
            before = client.jobs().keys()
            sys.argv = [name, *settings.options, *options]
            importlib.import_module(name).main()
            (job_id,) = client.jobs().keys() - before
            wait_until_running(client, job_id, timeout_s=WAIT_S)
            time.sleep(RUN_S)
            client.cancel(job_id)
            wait_until_cancelled(client, job_id)
            held.write(f"{classes_held(settings.metrics)}\n")


def wait_until_cancelled(client: RestFlinkClient, job_id: str) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while client.job(job_id).state != "CANCELED":
        assert time.monotonic() < deadline_s, client.job(job_id)
        time.sleep(0.1)


def classes_held(metrics: str) -> int:
    """How many classes are loaded now."""
    exposed = urllib3.request("GET", metrics).data.decode()
    loaded, unloaded = (
        re.search(rf"^flink_taskmanager_Status_JVM_ClassLoader_Classes{what}{{.*}} (\S+)$", exposed, re.MULTILINE)
        for what in ("Loaded", "Unloaded")
    )
    assert loaded
    assert unloaded
    return int(float(loaded.group(1)) - float(unloaded.group(1)))


def write_settings(file: Path, settings: Settings) -> None:
    """Write the file that the program is given."""
    file.write_text(json.dumps(asdict(settings)))


if __name__ == "__main__":
    main()
