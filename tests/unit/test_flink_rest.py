"""The REST client against canned answers: what Flink says, and what it fails to say."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from floodmark.errors import EnvironmentFailedError
from floodmark.systems.flink import RestFlinkClient, VertexMetrics

JOB = "a" * 32
VERTEX = "b" * 32


class Canned:
    """A server that answers each path as it was told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []

    def tell(self, path: str, document: Any, status: int = 200) -> None:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers[path] = (status, content)


@pytest.fixture
def served() -> Iterator[tuple[Canned, RestFlinkClient]]:
    canned = Canned()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            canned.asked.append(f"{self.command} {self.path}")
            status, content = canned.answers.get(self.path, (404, b'{"errors": ["Not found"]}'))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PATCH = do_GET  # noqa: N815 the name that the standard library looks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield canned, RestFlinkClient(f"http://127.0.0.1:{server.server_port}/")
    server.shutdown()
    thread.join()
    server.server_close()


def job_document(state: str, running: int) -> dict[str, Any]:
    vertex = {"id": VERTEX, "name": "Source", "parallelism": 3, "tasks": {"RUNNING": running}, "status": "RUNNING"}
    return {"jid": JOB, "name": "orders", "state": state, "start-time": 5, "vertices": [vertex], "plan": {}}


def test_an_overview_has_the_slots(served: tuple[Canned, RestFlinkClient]) -> None:
    canned, client = served
    canned.tell("/overview", {"taskmanagers": 2, "slots-total": 8, "slots-available": 5, "flink-version": "1.20.5"})
    overview = client.overview()
    assert (overview.version, overview.task_managers, overview.slots_total, overview.slots_available) == (
        "1.20.5",
        2,
        8,
        5,
    )
    assert client.is_up()


@pytest.mark.parametrize(
    ("state", "running", "whole"), [("RUNNING", 3, True), ("RUNNING", 2, False), ("RESTARTING", 3, False)]
)
def test_a_job_runs_when_every_subtask_does(
    served: tuple[Canned, RestFlinkClient], state: str, running: int, whole: bool
) -> None:
    canned, client = served
    canned.tell(f"/jobs/{JOB}", job_document(state, running))
    assert client.job(JOB).is_running is whole


def test_metrics_without_a_figure_are_none_and_records_count_by_operator(
    served: tuple[Canned, RestFlinkClient],
) -> None:
    canned, client = served
    canned.tell(f"/jobs/{JOB}", job_document("RUNNING", 3))
    path = f"/jobs/{JOB}/vertices/{VERTEX}/subtasks/metrics"
    names = ["busyTimeMsPerSecond", "backPressuredTimeMsPerSecond", "Source__orders[1].numRecordsOut", "numRecordsOut"]
    shard = "Source__orders[1].KinesisConsumer.stream.s.shardId.0.numRecordsOut"
    canned.tell(path, [{"id": name} for name in [*names, shard, "numBytesOut"]])
    asked = "busyTimeMsPerSecond%2CbackPressuredTimeMsPerSecond%2CSource__orders%5B1%5D.numRecordsOut"
    figures = [
        {"id": "busyTimeMsPerSecond", "max": "NaN", "sum": "NaN"},
        {"id": "backPressuredTimeMsPerSecond", "max": 250.0, "sum": 300.0},
        {"id": "Source__orders[1].numRecordsOut", "max": 20.0, "sum": 41.0},
    ]
    canned.tell(f"{path}?get={asked}&agg=max%2Csum", figures)
    assert client.vertex_metrics(JOB) == [
        VertexMetrics(
            vertex_id=VERTEX,
            busy_ratio_max=None,
            backpressured_ratio_max=0.25,
            records_out_by_operator={"Source__orders[1]": 41},
        )
    ]


def test_a_failure_is_its_root_cause(served: tuple[Canned, RestFlinkClient]) -> None:
    canned, client = served
    path = f"/jobs/{JOB}/exceptions?maxExceptions=1"
    trace = "java.lang.RuntimeException: outer\n\tat a.B.c(B.java:1)\nCaused by: java.io.IOException: disk full\n"
    entry = {"exceptionName": "java.lang.RuntimeException", "stacktrace": trace}
    canned.tell(path, {"exceptionHistory": {"entries": [entry]}})
    assert client.failure(JOB) == "IOException: disk full"
    canned.tell(path, {"exceptionHistory": {"entries": []}})
    assert client.failure(JOB) is None


def test_the_longest_alignment_of_all_vertices_counts(served: tuple[Canned, RestFlinkClient]) -> None:
    canned, client = served
    details = f"/jobs/{JOB}/checkpoints/details/7"
    canned.tell(details, {"tasks": {"v1": {}, "v2": {}}})
    for vertex, longest_ms in (("v1", 4), ("v2", 9)):
        summary = {"alignment": {"duration": {"min": 0, "max": longest_ms}}}
        canned.tell(f"{details}/subtasks/{vertex}", {"summary": summary})
    assert client.checkpoint_alignment_ms(JOB, 7) == 9


def test_cancelling_is_asked_for_once(served: tuple[Canned, RestFlinkClient]) -> None:
    canned, client = served
    canned.tell(f"/jobs/{JOB}?mode=cancel", b"")
    client.cancel(JOB)
    assert canned.asked == [f"PATCH /jobs/{JOB}?mode=cancel"]


def test_a_refusal_quotes_the_cause_and_not_the_stack(served: tuple[Canned, RestFlinkClient]) -> None:
    canned, client = served
    trace = "org.apache.flink.runtime.rest.NotFoundException: Job was not found\n\tat x.Y.z(Y.java:1)\n"
    canned.tell(f"/jobs/{JOB}", {"errors": ["Not found", trace]}, status=404)
    with pytest.raises(EnvironmentFailedError, match=r"\(404\): NotFoundException: Job was not found\n"):
        client.job(JOB)


@pytest.mark.parametrize("errors", [[], [""]])
def test_a_refusal_without_a_reason_says_so(served: tuple[Canned, RestFlinkClient], errors: list[str]) -> None:
    canned, client = served
    canned.tell(f"/jobs/{JOB}", {"errors": errors}, status=500)
    with pytest.raises(EnvironmentFailedError, match=r"\(500\): it gave no reason"):
        client.job(JOB)


@pytest.mark.parametrize("content", [b"<html>hello</html>", b'{"taskmanagers": "many"}'])
def test_something_that_is_not_flink_is_named(served: tuple[Canned, RestFlinkClient], content: bytes) -> None:
    canned, client = served
    canned.tell("/overview", content)
    with pytest.raises(EnvironmentFailedError, match="does not speak as Flink"):
        client.overview()
    assert not client.is_up()


def test_nothing_at_all_is_named() -> None:
    client = RestFlinkClient("http://127.0.0.1:1")
    with pytest.raises(EnvironmentFailedError, match=r"Flink at http://127\.0\.0\.1:1 does not answer"):
        client.jobs()
    assert not client.is_up()
