"""A Flink cluster by its REST interface."""

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import urllib3
from pydantic import BaseModel, ValidationError

from floodmark.errors import EnvironmentFailedError
from floodmark.systems.flink.causes import root_cause
from floodmark.systems.flink.client import Job, JobState, Overview, VertexMetrics

TIMEOUT_S = 10.0

_SHARES = ("busyTimeMsPerSecond", "backPressuredTimeMsPerSecond")
_RECORDS_OUT = ".numRecordsOut"
_METRIC_NAMES_A_REQUEST_MAX = 50
_SAID_CHARACTERS_MAX = 200

_Model = TypeVar("_Model", bound=BaseModel)


class RestFlinkClient:
    """The cluster at an address such as http://127.0.0.1:8081. A `FlinkClient`; safe to use from several threads."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT_S, maxsize=4)

    def is_up(self) -> bool:
        try:
            self.overview()
        except EnvironmentFailedError:
            return False
        return True

    def overview(self) -> Overview:
        return self._read(Overview, "/overview")

    def jobs(self) -> dict[str, JobState]:
        with self._understood("/jobs"):
            return {one["id"]: one["status"] for one in self._get("/jobs")["jobs"]}

    def job(self, job_id: str) -> Job:
        return self._read(Job, f"/jobs/{job_id}")

    def cancel(self, job_id: str) -> None:
        self._request("PATCH", f"/jobs/{job_id}?mode=cancel")

    def failure(self, job_id: str) -> str | None:
        path = f"/jobs/{job_id}/exceptions?maxExceptions=1"
        with self._understood(path):
            entries = self._get(path)["exceptionHistory"]["entries"]
            if not entries:
                return None
            return root_cause(entries[0]["stacktrace"]) or str(entries[0]["exceptionName"])

    def vertex_metrics(self, job_id: str) -> list[VertexMetrics]:
        return [self._metrics_of(job_id, vertex.id) for vertex in self.job(job_id).vertices]

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        return dict(self._get(f"/jobs/{job_id}/checkpoints"))

    def checkpoint_configuration(self, job_id: str) -> dict[str, Any]:
        return dict(self._get(f"/jobs/{job_id}/checkpoints/config"))

    def checkpoint_alignment_ms(self, job_id: str, checkpoint_id: int) -> int | None:
        details = f"/jobs/{job_id}/checkpoints/details/{checkpoint_id}"
        with self._understood(details):
            subtasks = [self._get(f"{details}/subtasks/{vertex}") for vertex in self._get(details)["tasks"]]
            return max((int(one["summary"]["alignment"]["duration"]["max"]) for one in subtasks), default=None)

    @contextmanager
    def _understood(self, path: str) -> Iterator[None]:
        """Turn an answer of another form than expected into the error that callers handle."""
        try:
            yield
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise EnvironmentFailedError(
                f"Flink at {self._address} answered {path} in a form that is not known: {error!r}",
                "check that Flink 1.20 answers there",
            ) from error

    def _metrics_of(self, job_id: str, vertex_id: str) -> VertexMetrics:
        path = f"/jobs/{job_id}/vertices/{vertex_id}/subtasks/metrics"
        known = [str(one["id"]) for one in self._get(path)]
        wanted = [name for name in known if name in _SHARES or re.fullmatch(rf"[^.]+{re.escape(_RECORDS_OUT)}", name)]
        figures: dict[str, dict[str, Any]] = {}
        for first in range(0, len(wanted), _METRIC_NAMES_A_REQUEST_MAX):
            names = ",".join(wanted[first : first + _METRIC_NAMES_A_REQUEST_MAX])
            figures |= {one["id"]: one for one in self._get(path, {"get": names, "agg": "max,sum"})}
        busy, backpressured = (_ratio(figures.get(name)) for name in _SHARES)
        return VertexMetrics(
            vertex_id=vertex_id,
            busy_ratio_max=busy,
            backpressured_ratio_max=backpressured,
            records_out_by_operator={
                name.removesuffix(_RECORDS_OUT): int(one["sum"])
                for name, one in figures.items()
                if name.endswith(_RECORDS_OUT)
            },
        )

    def _read(self, model: type[_Model], path: str) -> _Model:
        answer = self._get(path)
        try:
            return model.model_validate(answer)
        except ValidationError as error:
            raise _stranger(self._address + path, error) from error

    def _get(self, path: str, fields: dict[str, str] | None = None) -> Any:
        return self._request("GET", path, fields)

    def _request(self, method: str, path: str, fields: dict[str, str] | None = None) -> Any:
        url = self._address + path
        try:
            answer = self._pool.request(method, url, fields=fields)
        except urllib3.exceptions.HTTPError as error:
            raise EnvironmentFailedError(
                f"Flink at {self._address} does not answer: {_reason(error)}", "check that the cluster runs"
            ) from error
        if answer.status >= 400:
            raise EnvironmentFailedError(
                f"Flink refused {method} {path} ({answer.status}): {_complaint(answer.data)}",
                "the JobManager's log tells more",
            )
        try:
            return json.loads(answer.data or b"{}")
        except ValueError as error:
            raise _stranger(url, error) from error


def _stranger(url: str, error: ValueError) -> EnvironmentFailedError:
    said = " ".join(str(error).split())[:_SAID_CHARACTERS_MAX]
    return EnvironmentFailedError(
        f"{url} does not speak as Flink 1.20 does: {said}", "check what listens there; Flink's own address is needed"
    )


def _ratio(figure: dict[str, Any] | None) -> float | None:
    """A share of one from Flink's milliseconds a second, in which a missing figure is the text "NaN"."""
    value = float(figure["max"]) if figure else math.nan
    return None if math.isnan(value) else value / 1000


def _reason(error: urllib3.exceptions.HTTPError) -> str:
    return "no answer in time" if isinstance(error, urllib3.exceptions.TimeoutError) else "nothing listens there"


def _complaint(body: bytes) -> str:
    """The cause in the errors of an answer, each of which may be a stack trace."""
    try:
        errors = json.loads(body)["errors"]
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:_SAID_CHARACTERS_MAX]
    text = "\n".join(str(error) for error in errors)
    return root_cause(text) or (text.splitlines() or ["it gave no reason"])[0][:_SAID_CHARACTERS_MAX]
