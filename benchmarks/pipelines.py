"""Every pipeline end to end, judged record by record: `python benchmarks/pipelines.py` (a quick look: `--seconds 20`).

Each scenario is a run of `floodmark run` at 1,000 records/s on 3 shards with parallelism 3, 5 % of the records out of
order and 1 % bad, in SQL and, where the job has it, in the DataStream API with Python functions; trade risk once more
with event time at twenty times the speed, so that its ten minutes open and expire. The table says what was expected,
what came, what was late, and how long it took. The exit code is 1 if a single output was lost, doubled or wrong.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from floodmark.run import Run
from floodmark.scenarios import SCENARIOS

FLOODMARK = Path(sys.executable).with_name("floodmark")
TRAFFIC = ("--out-of-order-ratio", "0.05", "--out-of-order-ms", "3000", "--bad-ratio", "0.01")
COMPRESSED = ("--event-time-scale", "20", "--risk-ratio", "0.5")


def cases(only: list[str]) -> list[tuple[str, list[str]]]:
    """(what the row is called, what follows `floodmark run`) of every run."""
    found: list[tuple[str, list[str]]] = []
    for name, scenario in SCENARIOS.items():
        found += [(f"{name}, {api}", [name, "--api", api]) for api in scenario.apis]
        if name == "trade-risk":
            found.append((f"{name}, event time × 20", [name, *COMPRESSED]))
    return [case for case in found if not only or case[1][0] in only]


def run(arguments: list[str], *, seconds: float, runs: Path) -> Run:
    """One trial; SystemExit if it left no result."""
    load = ("--rate", "1000", "--duration", f"{seconds}s", "--warm-up", "10s", "--shards", "3", "--parallelism", "3")
    command = [str(FLOODMARK), "run", *arguments, *load, *TRAFFIC, "--out", str(runs), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    document: dict[str, Any] = json.loads(done.stdout)
    return Run.model_validate(document)


def row(name: str, found: Run) -> str:
    """One line of the table."""
    outputs, whole = found.outputs, found.latency_ms.end_to_end
    doubt = f" + {outputs.late_in_doubt} in doubt" if outputs.late_in_doubt else ""
    dropped = "–" if outputs.late_dropped is None else f"{outputs.late_dropped:,}"
    point, latency_ms = ("p99", whole.p99) if whole.p99 is not None else ("max", whole.max)
    cells = [
        name,
        found.verdict,
        f"{found.records.accepted:,}",
        f"{outputs.expected:,}",
        f"{outputs.observed:,}",
        f"{outputs.lost} · {outputs.duplicated} · {outputs.unexpected}",
        f"{outputs.late:,}{doubt} / {dropped}",
        f"{outputs.dead_letters:,}",
        "–" if latency_ms is None else f"{point} {latency_ms:,.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def is_right(found: Run) -> bool:
    """Whether every output came once and nothing else did; a late generator is no fault of the job."""
    outputs = found.outputs
    return outputs.judged and outputs.expected > 0 and not (outputs.lost or outputs.duplicated or outputs.unexpected)


def main() -> None:
    """Run all, or those that are named, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenarios", nargs="*", help="which (all of them)")
    parser.add_argument("--seconds", type=float, default=60.0, help="measured part of each load (60)")
    options = parser.parse_args()
    print(
        "| pipeline | verdict | accepted | expected | observed | lost · duplicated · unexpected | late / dropped |",
        end="",
    )
    print(" dead letters | end to end ms |\n|---|---|---:|---:|---:|---|---|---:|---:|")
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as runs:
        for name, arguments in cases(options.scenarios):
            found = run(arguments, seconds=options.seconds, runs=Path(runs))
            print(row(name, found), flush=True)
            if not is_right(found):
                wrong.append(name)
                print("\n".join(found.reasons), file=sys.stderr)
    if wrong:
        raise SystemExit(f"not right: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
