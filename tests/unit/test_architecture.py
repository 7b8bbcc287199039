"""The import table of docs/architecture.md holds, and it speaks of every room there is."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("floodmark", "simulators", "flink_jobs", "loadtests")
ROW = re.compile(r"^\| `([a-z_.]+)` \|([^|]*)\|")


def read_table() -> dict[str, set[str]]:
    text = (PROJECT / "docs" / "architecture.md").read_text().partition("<!-- import rules")[2]
    rows = (ROW.match(line) for line in text.splitlines())
    return {row[1]: set(re.findall(r"`([a-z_.]+)`", row[2])) for row in rows if row}


TABLE = read_table()


def room_of(module: str) -> str | None:
    """The most exact room of the table that the module lies in."""
    rooms = [room for room in TABLE if module == room or module.startswith(room + ".")]
    return max(rooms, key=len, default=None)


def modules() -> list[tuple[str, Path]]:
    files = (file for package in PACKAGES for file in (PROJECT / package).rglob("*.py"))
    return sorted((module_name(file), file) for file in files)


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def imported(module: str, file: Path) -> set[str]:
    """Modules that a file imports; `from a import b` counts as `a.b` where that is a module of ours."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module if file.name == "__init__.py" else module.rpartition(".")[0]
                parts = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parts, *filter(None, [node.module])])
            names |= {f"{base}.{alias.name}" if is_module(f"{base}.{alias.name}") else base for alias in node.names}
    return names


def is_module(name: str) -> bool:
    path = PROJECT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


@pytest.mark.parametrize(("module", "file"), [pytest.param(*one, id=one[0]) for one in modules()])
def test_a_module_imports_only_what_its_room_may(module: str, file: Path) -> None:
    room = room_of(module)
    if module in {"floodmark", "simulators"}:  # the packages themselves hold a version and a sentence
        assert not any(name.split(".")[0] in PACKAGES for name in imported(module, file))
        return
    assert room, f"docs/architecture.md does not say what {module} may import"
    allowed = TABLE[room] | {room}
    for name in imported(module, file):
        if name.split(".")[0] in PACKAGES and name != "floodmark":
            assert room_of(name) in allowed, f"{module} ({room}) may not import {name} ({room_of(name)})"
        if module.startswith(("floodmark", "simulators")):
            assert name.split(".")[0] not in {"locust", "gevent"}, f"{module} may not import {name}"


def test_the_table_names_only_rooms_that_exist() -> None:
    assert [room for room in TABLE if not is_module(room)] == []
    assert [name for names in TABLE.values() for name in names if name not in TABLE] == []


def test_no_rooms_import_each_other() -> None:
    def reachable(room: str, seen: frozenset[str] = frozenset()) -> set[str]:
        return {far for near in TABLE[room] - seen for far in {near, *reachable(near, seen | {room})}}

    assert [room for room in TABLE if room in reachable(room)] == []
