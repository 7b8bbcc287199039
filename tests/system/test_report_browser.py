"""The report in a real browser: it fits every screen, shows the right plots, fetches nothing, and prints."""

import html
import json
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from floodmark.report import render

pytestmark = pytest.mark.system

EXAMPLES = runpy.run_path(str(Path(__file__).parents[1] / "golden" / "example_runs.py"))
KINDS = ("pass", "fail", "unknown", "bare")

# The report allows no scripts, so a page around it does the measuring.
FRAME = """<!doctype html><iframe id="frame" src="%s" style="width:%dpx;height:900px;border:0"></iframe>
<pre id="found"></pre><script>
document.getElementById("frame").onload = (event) => {
  const inner = event.target.contentDocument, view = event.target.contentWindow;
  const shown = (one) => view.getComputedStyle(one).display !== "none";
  const sizes = [...inner.querySelectorAll("svg")].filter(shown).map((one) => {
    const box = one.getBoundingClientRect();
    const text = one.querySelector("text").getBoundingClientRect();
    return {kind: one.getAttribute("class"), width: box.width, text: text.height};
  });
  document.getElementById("found").textContent = JSON.stringify({
    title: inner.title,
    overflow: inner.documentElement.scrollWidth - view.innerWidth,
    plots: sizes,
    fetched: view.performance.getEntriesByType("resource").map((one) => one.name),
  });
};
</script>"""


def browse(chromium: list[str], profile: Path, *arguments: str) -> str:
    command = [*chromium, f"--user-data-dir={profile}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.parametrize("width", [360, 1280, 3840])
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_fits_the_screen(chromium: list[str], tmp_path: Path, kind: str, width: int) -> None:
    report = render(EXAMPLES["build_run"](tmp_path, kind))
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME % (report.as_uri(), width))
    dom = browse(
        chromium,
        tmp_path / "profile",
        "--allow-file-access-from-files",
        "--virtual-time-budget=10000",
        "--dump-dom",
        frame.as_uri(),
    )
    found: dict[str, Any] = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)[1]))  # type: ignore[index]
    assert "abnormal-orders" in found["title"]
    assert found["overflow"] <= 0
    assert found["fetched"] == []
    assert {plot["kind"] for plot in found["plots"]} == {"narrow" if width == 360 else "wide"}
    assert len(found["plots"]) == (1 if kind == "bare" else 7)
    for plot in found["plots"]:
        assert plot["width"] <= width
        assert plot["text"] >= 9, "the writing on the plots can be read"


def test_the_page_prints(chromium: list[str], tmp_path: Path) -> None:
    report, pdf = render(EXAMPLES["build_run"](tmp_path, "fail")), tmp_path / "report.pdf"
    browse(chromium, tmp_path / "profile", "--no-pdf-header-footer", f"--print-to-pdf={pdf}", report.as_uri())
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF-")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 10
