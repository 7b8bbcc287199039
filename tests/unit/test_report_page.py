"""What the page says is what the files say: each figure, each gap, and nothing from outside."""

import re
import runpy
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from floodmark import store
from floodmark.errors import ConfigurationError, EnvironmentFailedError
from floodmark.report import render
from floodmark.run import STAGES

EXAMPLES = runpy.run_path(str(Path(__file__).parents[1] / "golden" / "example_runs.py"))
VOID = {"meta", "link", "br", "img", "hr", "input", "path", "use", "rect"}


class Page(HTMLParser):
    """Rows of tables, words of everything, ids and references."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in {"href", "xlink:href", "src"} and value:
                self.references.append(value)
            self.references += [f"#{one}" for one in re.findall(r"url\(#([^)]+)\)", value or "")]
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._cell = False

    def handle_data(self, data: str) -> None:
        if "style" in self.tags[-1:]:
            return
        text = " ".join(data.replace("\xa0", " ").split())
        self.words.append(text)
        if self._cell:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {text}".strip()

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)

    def row(self, first: str) -> list[str]:
        (found,) = [row[1:] for row in self.rows if row[0] == first]
        return found


Made = Callable[[str], tuple[Path, Page]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The directory and the page of a kind of run, rendered once for all tests that only look at it."""
    parent, known = tmp_path_factory.mktemp("runs"), dict[str, tuple[Path, Page]]()

    def make(kind: str) -> tuple[Path, Page]:
        if kind not in known:
            directory = EXAMPLES["build_run"](parent, kind)
            known[kind] = directory, Page(render(directory).read_text())
        return known[kind]

    return make


@pytest.mark.parametrize("kind", ["pass", "fail", "unknown", "bare"])
def test_every_figure_is_the_one_in_run_json(made: Made, kind: str) -> None:
    directory, page = made(kind)
    run = store.read_run(directory)
    for stage in STAGES:
        summary = getattr(run.latency_ms, stage)
        if stage == "held_back" and not summary.count:
            continue
        points = (summary.p50, summary.p90, summary.p99, summary.p99_9, summary.max)
        shown = [f"{summary.count:,}", *("–" if point is None else f"{point:,.0f} ms" for point in points)]
        assert page.row(stage.replace("_", " ")) == shown
    records, outputs = run.records, run.outputs
    for name, value in {
        "offered": records.offered,
        "accepted": records.accepted,
        "failed, given up": records.failed,
        "unknown, no answer came": records.unknown,
        "missed, never sent": records.missed,
        "throttling answers, each tried again": records.throttled,
        "expected": outputs.expected,
        "observed": outputs.observed,
        "lost": outputs.lost,
        "duplicated": outputs.duplicated,
        "unexpected": outputs.unexpected,
        "late, not to be counted by the job": outputs.late,
        "refused as unreadable (dead letters)": outputs.dead_letters,
    }.items():
        assert page.row(name) == [f"{value:,}"]
    for reason in run.reasons:
        assert reason in page.text
    for result in run.slos:
        mark = {"PASS": "✓ met", "FAIL": "✗ not met", "UNKNOWN": "? unknown"}[result.verdict]
        assert page.row("Objective") == [result.slo, result.observed, mark]
    assert run.bottleneck.evidence in page.text
    assert f"{run.checkpoints.completed} completed and {run.checkpoints.failed} failed" in page.text


@pytest.mark.parametrize(
    ("kind", "verdict", "headline"),
    [
        ("pass", "PASS", "The system did what was asked of it."),
        ("fail", "FAIL", "The system did not do what was asked of it."),
        ("unknown", "UNKNOWN", "The measurement cannot be believed, so there is no verdict on the system."),
    ],
)
def test_the_verdict_comes_first(made: Made, kind: str, verdict: str, headline: str) -> None:
    _, page = made(kind)
    assert page.text.index(verdict) < page.text.index(headline) < page.text.index("Asked and achieved")
    assert ("They are no result." in page.text) == (verdict == "UNKNOWN")


@pytest.mark.parametrize("kind", ["pass", "bare"])
def test_the_page_needs_nothing_but_itself(made: Made, kind: str) -> None:
    directory, page = made(kind)
    text = (directory / store.REPORT).read_text()
    assert "script" not in page.tags
    assert set(re.findall(r"https?://[^\"'\s>]+", text)) <= {
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/2000/svg",
    }
    assert "@import" not in text
    inside = [one for one in page.references if one != "data:,"]
    assert all(one.startswith("#") for one in inside)
    assert {one[1:] for one in inside} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "default-src 'none'" in text


def test_what_others_wrote_cannot_become_markup(made: Made) -> None:
    directory, page = made("fail")
    assert "<b>eu</b>" in page.text
    assert "b" not in page.tags
    assert "<b>eu</b>" not in (directory / store.REPORT).read_text()


def test_every_plot_names_its_units(made: Made) -> None:
    directory, _ = made("pass")
    plots = re.findall(r'<svg class="(\w+)".*?</svg>', (directory / store.REPORT).read_text(), re.DOTALL)
    assert plots.count("wide") == plots.count("narrow") == 7
    for svg in re.findall(r"<svg .*?</svg>", (directory / store.REPORT).read_text(), re.DOTALL):
        texts = " | ".join(re.findall(r"<text [^>]*>(.*?)</text>", svg, re.DOTALL))
        assert re.search(r"seconds since the load began|percentile of records \(%\)|latency \(ms\)", texts)
        assert re.search(r"\(ms\)|per second|CPU cores|hiccup \(ms\)", texts)


def test_what_is_missing_is_said_to_be_missing(made: Made) -> None:
    _, page = made("bare")
    for name in (store.TIME_SERIES, store.LATENCY, store.CHECKPOINTS, store.CONFIG, store.ENVIRONMENT):
        assert f"{name} could not be used (it is not in the run directory)" in page.text
    for words in (
        "No latency by second",
        "No rates by second",
        "The use of each shard’s quota was not recorded",
        "Single checkpoints are not known",
        "The CPU of the processes was not recorded",
        "The machine and the versions were not recorded",
        "the command is not known",
    ):
        assert words in page.text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (store.CHECKPOINTS, '{"checkpoints": 3}'),
        (store.CONFIG, '{"duration_s": "long"}'),
        (store.ENVIRONMENT, '{"packages": []}'),
        ("examples.json", '{"lost": [{"what": 1}]}'),
    ],
)
def test_a_document_of_another_shape_leaves_a_gap_too(tmp_path: Path, name: str, content: str) -> None:
    directory = EXAMPLES["build_run"](tmp_path, "pass")
    (directory / name).write_text(content)
    assert f"{name} could not be used (it is damaged: " in Page(render(directory).read_text()).text


@pytest.mark.parametrize("name", [store.TIME_SERIES, store.LATENCY, store.CHECKPOINTS, store.CONFIG, "examples.json"])
def test_a_damaged_file_leaves_a_gap_with_its_name(tmp_path: Path, name: str) -> None:
    directory = EXAMPLES["build_run"](tmp_path, "fail")
    damage = b"Tag=end_to_end,1.000,1.000,5.0,HISTnonsense\n" if name == store.LATENCY else b"\x00not what it was"
    (directory / name).write_bytes(damage)
    page = Page(render(directory).read_text())
    assert f"{name} could not be used (it is damaged" in page.text
    assert str(tmp_path) not in page.text


def test_only_a_run_has_a_report(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a run directory"):
        render(tmp_path)
    directory = EXAMPLES["build_run"](tmp_path, "bare")
    (directory / "run.json").write_text("{")
    with pytest.raises(EnvironmentFailedError, match="is damaged"):
        render(directory)


def test_a_run_without_oracle_or_samples_is_shown_without_invented_figures(tmp_path: Path) -> None:
    directory = EXAMPLES["build_run"](tmp_path, "bare")
    run = store.read_run(directory)
    nothing = {"count": 0, "negative": 0, "p50": None, "p90": None, "p99": None, "p99_9": None, "max": None}
    document = run.model_dump(mode="json") | {
        "latency_ms": dict.fromkeys(STAGES, nothing),
        "outputs": run.outputs.model_dump() | {"judged": False, "expected": 0},
        "rate_achieved_records_per_second": None,
        "scenario": "my-own-job",
        "slos": [],
    }
    store.write_json(directory / "run.json", document)
    page = Page(render(directory).read_text())
    assert page.row("end to end") == ["0", "–", "–", "–", "–", "–"]
    assert page.row("Rate accepted")[1] == "not measured"
    assert page.row("lost") == ["–"]
    assert page.row("Outputs")[2] == "? unknown"
    assert "my-own-job" in page.text


def test_the_command_and_the_seed_are_there(tmp_path: Path) -> None:
    directory = EXAMPLES["build_run"](tmp_path, "pass")
    page = Page(render(directory).read_text())
    assert ".venv/bin/floodmark run abnormal-orders --rate 1500 --duration 45s --seed 20261120" in page.text
    assert "The seed 20261120 makes the same records" in page.text
    config = store.read_json(directory / store.CONFIG)
    del config["command"]
    store.write_json(directory / store.CONFIG, config)
    again = Page(render(directory).read_text()).text
    assert (
        ".venv/bin/floodmark run abnormal-orders --rate 1500 --duration 45s --profile constant --shards 3 "
        "--parallelism 3 --consumer polling --checkpoint-interval 10000ms --seed 20261120 --slo 'p99<1s'"
    ) in again


@pytest.mark.parametrize(
    ("p99", "missed", "mark"),
    [(20.0, 0, "✓ met"), (21.0, 0, "✗ missed"), (3.0, 1, "✗ missed"), (None, 0, "? unknown")],
)
def test_a_late_generator_missed_its_target_and_only_no_figure_is_unknown(
    tmp_path: Path, p99: float | None, missed: int, mark: str
) -> None:
    directory = EXAMPLES["build_run"](tmp_path, "pass")
    document = store.read_run(directory).model_dump(mode="json")
    document["latency_ms"]["schedule"] |= {"p99": p99, "max": p99}
    document["records"] |= {"missed": missed, "accepted": document["records"]["accepted"] - missed}
    store.write_json(directory / "run.json", document)
    assert Page(render(directory).read_text()).row("Generator’s delay")[2] == mark


def test_shards_are_listed_in_order_of_their_id(made: Made) -> None:
    directory, _ = made("pass")
    shards = re.findall(r'<p class="shard">(.*?)</p>', (directory / store.REPORT).read_text())
    assert len(shards) == 3
    assert shards == sorted(shards)
