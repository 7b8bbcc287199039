"""The tabs of Locust's page, in a real browser."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from floodmark.systems.ports import free_ports
from tests.system.locust_bench import Load, Page, wait_for

pytestmark = pytest.mark.system


@pytest.fixture
def rendered(chromium: list[str], tmp_path: Path) -> Callable[[str], str]:
    """The text of a page once its scripts have run for five seconds."""

    def render(address: str) -> str:
        options = (f"--user-data-dir={tmp_path / 'browser'}", "--virtual-time-budget=5000", "--dump-dom")
        done = subprocess.run([*chromium, *options, address], capture_output=True, text=True, timeout=90, check=True)
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
