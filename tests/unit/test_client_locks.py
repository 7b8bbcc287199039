"""The clients of the contract tests: what is asked for is locked, by checksum, and from nowhere in particular."""

import json
import re
import tomllib
from pathlib import Path

import pytest

CONTRACT = Path(__file__).parents[1] / "contract"
LOCKS = ["command_line/requirements.lock", "java/jars.lock", "javascript/package-lock.json"]


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_says_where_packages_are_fetched_from(lock: str) -> None:
    assert not re.search('"resolved"|index-url|find-links|registry|repository', (CONTRACT / lock).read_text())


def test_every_package_of_the_command_line_has_its_hashes() -> None:
    text = (CONTRACT / "command_line" / "requirements.lock").read_text()
    packages = re.findall(r"^(\S+)==(\S+) ((?:\\\n +--hash=sha256:[0-9a-f]{64} ?)+)", text, re.MULTILINE)
    assert len(packages) == len(re.findall(r"^\S+==", text, re.MULTILINE)) > 5
    wanted = (CONTRACT / "command_line" / "requirements.txt").read_text().split()
    assert {f"{name}=={version}" for name, version, _ in packages} >= set(wanted)


def test_every_package_of_javascript_has_its_checksum_and_runs_on_node_18() -> None:
    wanted = json.loads((CONTRACT / "javascript" / "package.json").read_text())
    packages = json.loads((CONTRACT / "javascript" / "package-lock.json").read_text())["packages"]
    assert packages.pop("")["dependencies"] == wanted["dependencies"]
    for name, version in wanted["dependencies"].items():
        assert packages[f"node_modules/{name}"]["version"] == version
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        needed = re.fullmatch(r">= ?(\d+)[.\d]*", package.get("engines", {}).get("node", ">=0"))
        assert needed, name
        assert int(needed[1]) <= 18, name


def test_every_jar_that_is_asked_for_is_locked() -> None:
    wanted = tomllib.loads((CONTRACT / "java" / "jars.toml").read_text())["coordinates"]
    locked = tomllib.loads((CONTRACT / "java" / "jars.lock").read_text())["jar"]
    assert {jar["coordinate"] for jar in locked} >= set(wanted)
    assert all(re.fullmatch("[0-9a-f]{64}", jar["sha256"]) for jar in locked)
