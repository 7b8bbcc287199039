"""The page as a whole: the same files always give the same one. FLOODMARK_UPDATE_GOLDEN=1 accepts what there is."""

import os
import re
import runpy
import shutil
from pathlib import Path

import pytest

from floodmark.report import render

HERE = Path(__file__).parent
EXAMPLES = runpy.run_path(str(HERE / "example_runs.py"))
KINDS = tuple(EXAMPLES["PLANS"])
SVG = re.compile(r"<svg (?P<head>.*?)>(?P<body>.*?)</svg>", re.DOTALL)
TEXT = re.compile(r"<text [^>]*>(.*?)</text>", re.DOTALL)


def without_paths(page: str) -> str:
    """The page with every plot reduced to the texts on it: what it says, not where each line runs."""

    def reduce(svg: re.Match[str]) -> str:
        texts = "\n".join(f"  {text.strip()}" for text in TEXT.findall(svg["body"]))
        return f"<svg {svg['head']}>\n{texts}\n</svg>\n"

    return SVG.sub(reduce, page)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_the_one_that_was_accepted(kind: str, tmp_path: Path) -> None:
    page = without_paths(render(EXAMPLES["build_run"](tmp_path, kind)).read_text())
    golden = HERE / f"report_{kind}.html"
    if os.environ.get("FLOODMARK_UPDATE_GOLDEN"):
        golden.write_text(page)
    assert page == golden.read_text(), "look at the page; FLOODMARK_UPDATE_GOLDEN=1 accepts it"


def test_the_same_files_give_the_same_page_wherever_they_lie(tmp_path: Path) -> None:
    first = EXAMPLES["build_run"](tmp_path / "here", "fail")
    second = tmp_path / "there" / first.name
    shutil.copytree(first, second)
    page = render(first).read_bytes()
    assert render(second).read_bytes() == page
    assert render(first).read_bytes() == page
    assert str(tmp_path).encode() not in page
