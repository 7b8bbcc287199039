"""The tabs of Locust's page, in a real browser."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from floodmark.systems.ports import free_ports
from tests.system.locust_bench import Load, Page, Service, serving, starting, wait_for

pytestmark = pytest.mark.system

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as one:
        yield one


@pytest.fixture
def start(service: Service, tmp_path: Path) -> Iterator[Callable[..., Load]]:
    with starting(service, tmp_path) as start:
        yield start


@pytest.fixture
def rendered(tmp_path: Path) -> Callable[[str], str]:
    """The text of a page once its scripts have run for five seconds."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        if os.environ.get("FLOODMARK_REQUIRE_CHROMIUM"):
            pytest.fail("FLOODMARK_REQUIRE_CHROMIUM is set, and there is no Chromium")
        pytest.skip("there is no Chromium on the path")

    def render(address: str) -> str:
        options = (*QUIET, f"--user-data-dir={tmp_path / 'browser'}", "--virtual-time-budget=5000", "--dump-dom")
        done = subprocess.run([browser, *options, address], capture_output=True, text=True, timeout=90, check=True)
        return re.sub(r"<[^>]+>", "|", done.stdout.partition("<script>")[0])

    return render


def test_the_tabs_show_processes_and_shards(start: Callable[..., Load], rendered: Callable[[str], str]) -> None:
    (web_port, port) = free_ports(2)
    master = ("--master-port", port, "--master-bind-port", port)
    start("--web-port", web_port, "--processes", 2, *master, shards=2)
    page = Page(web_port)
    wait_for("the web page", page.is_up)
    wait_for("both workers", lambda: page.json("/worker-count")["worker_count"] == 2)
    assert page.start(rate="200", duration="10m", warm_up="0s", batch="20")["success"] is True
    wait_for("figures of both", lambda: len(page.json("/floodmark/report")["processes"]) == 3)
    load_tab = rendered(f"{page.address}/floodmark")
    for text in ("Schedule delay p50 (ms)", "p99.9 (ms)", "Backlog", "all together", "worker 0", "worker 1", "sending"):
        assert f"|{text}|" in load_tab, text
    shards_tab = rendered(f"{page.address}/?tab=floodmark-shards")
    for text in ("Accepted records", "shardId-000000000000", "shardId-000000000001"):
        assert f"|{text}|" in shards_tab, text
    page.stop()
    wait_for("the stop", lambda: page.state() == "stopped")
