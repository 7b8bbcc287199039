"""A load test on the master: it plans the load, leads the workers through it, and judges what they did together."""

import logging
from collections.abc import Callable
from typing import Any

import gevent
from load_plan import LoadPlan, plan_load
from load_report import LoadReport
from load_summary import log_outcome
from load_worker import ORDER, PLAN, REPORT, WORD
from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner

from floodmark.clock import SystemClock
from floodmark.errors import EnvironmentFailedError
from floodmark.fleet import GRANT_AHEAD_S, PULSE_S, SILENCE_MAX_S, Fleet, Result, Word
from floodmark.fleet_result import Absence, judge, look_up
from floodmark.load_options import LoadOptions

FINISH_GRACE_S = 10.0
"""Beyond the drain time and the last grant: workers that still have not said what they did are silent by then."""

CLOCK_OFFSET_MAX_NS = 250_000_000

logger = logging.getLogger("floodmark")


class LoadLeader:
    """Leads the workers that are connected when a load begins; one that joins later has a part in the next."""

    session = None
    """The master sends nothing itself."""

    def __init__(self, environment: Environment, runner: MasterRunner) -> None:
        self.exit_code = 0
        self._runner = runner
        self._clock = SystemClock()
        self._plan: LoadPlan | None = None
        self._fleet: Fleet | None = None
        self._clients: dict[int, str] = {}
        self._reports: dict[int, LoadReport] = {}
        self._pulse: Any = None
        self._is_reported = True
        self._told_lost: set[int] = set()
        self._deadline_ns = 0
        runner.register_message(WORD, self._on_word)
        runner.register_message(REPORT, self._on_report)
        events: Any = environment.events
        events.worker_report.add_listener(self._on_worker_report)
        events.worker_connect.add_listener(self._on_worker_connect)

    @property
    def processes(self) -> int:
        """How many processes would send if the load began now."""
        return int(self._runner.worker_count)

    @property
    def is_running(self) -> bool:
        """Whether a load has begun and not been cleared away."""
        return self._fleet is not None

    @property
    def is_over(self) -> bool:
        """Whether every worker has come to its end, or has had all the time that there is for it."""
        return self._fleet is None or self._fleet.is_over or self._clock.now_ns() > self._deadline_ns

    def start(self, read: Callable[[], LoadOptions]) -> None:
        """Plan the load and tell the workers. FloodmarkError if it cannot be."""
        nodes = self._runner.clients
        ids = [one.id for one in (*nodes.ready, *nodes.running, *nodes.spawning)]
        if not ids:
            raise EnvironmentFailedError("no worker is connected", "start some with --worker, or use --processes")
        ids.sort(key=self._runner.get_worker_index)
        plan = plan_load(read(), self._clock, workers=len(ids))
        assert plan.manifest.shares
        self._plan, self._clients, self._reports = plan, dict(enumerate(ids)), {}
        self._told_lost, self._is_reported = set(), False
        self._deadline_ns = plan.manifest.load_end_ns + round((plan.settings.drain_timeout_s + FINISH_GRACE_S) * 1e9)
        self._fleet = Fleet(plan.load, plan.manifest.shares, plan.manifest.schedule(), plan.manifest.start_ns)
        for worker, client in self._clients.items():
            self._runner.send_message(PLAN, plan.for_worker(worker).model_dump(mode="json"), client_id=client)
        self._pulse = gevent.spawn(self._lead)

    def finish(self) -> None:
        """Let the workers come to their end, and say what came of it. A second call does nothing."""
        fleet, plan = self._fleet, self._plan
        if fleet is None or plan is None or self._is_reported:
            return
        if not fleet.is_over:
            fleet.end()
            self._send_orders(fleet)
        deadline_ns = self._clock.now_ns() + round(
            (GRANT_AHEAD_S + plan.settings.drain_timeout_s + FINISH_GRACE_S) * 1e9
        )
        while not fleet.is_over and self._clock.now_ns() < deadline_ns:
            gevent.sleep(PULSE_S / 2)
        if self._is_reported:
            return
        self._is_reported = True
        self._send_orders(fleet)
        self._conclude(fleet, plan)

    def leave(self) -> None:
        """Come to an end because the process does."""
        self.finish()

    def clear(self) -> None:
        """Make room for the next start."""
        if self._pulse is not None:
            self._pulse.kill()
        self._fleet = None

    def give_up(self) -> None:
        """Workers get the same signal, or wait for no longer than the drain time."""

    def reports(self) -> list[LoadReport]:
        """How each worker stands, by what it said last."""
        states = self._fleet.states if self._fleet else {}
        return [
            one.model_copy(update={"state": str(states.get(worker, one.state))})
            for worker, one in sorted(self._reports.items())
        ]

    def _lead(self) -> None:
        while fleet := self._fleet:
            self._send_orders(fleet)
            self._tell_of_losses(fleet)
            gevent.sleep(PULSE_S)

    def _send_orders(self, fleet: Fleet) -> None:
        order = fleet.pulse(self._clock.now_ns()).model_dump(mode="json")
        for client in self._clients.values():
            self._runner.send_message(ORDER, order, client_id=client)

    def _tell_of_losses(self, fleet: Fleet) -> None:
        for worker in set(fleet.shares.lost) - self._told_lost:
            self._told_lost.add(worker)
            logger.warning(
                "worker %d (%s) said nothing for %g s and is given up for lost; the others have its part from record"
                " %s on",
                worker,
                self._clients[worker],
                SILENCE_MAX_S,
                f"{fleet.shares.assignments[-1].from_index:,}",
            )

    def _on_word(self, msg: Message, **_: object) -> None:
        if self._fleet:
            word = Word.model_validate(msg.data)
            is_first = word.worker not in self._fleet.clock_offsets_ns
            self._fleet.hear(word, self._clock.now_ns())
            if is_first:
                self._compare_clocks(word.worker, self._fleet.clock_offsets_ns.get(word.worker, 0))

    def _compare_clocks(self, worker: int, offset_ns: int) -> None:
        if abs(offset_ns) > CLOCK_OFFSET_MAX_NS:
            logger.warning(
                "the clock of worker %d (%s) is off by %.1f s, and so is all that it sends: set it by NTP",
                worker,
                self._clients[worker],
                offset_ns / 1e9,
            )

    def _on_worker_connect(self, client_id: str, **_: object) -> None:
        if self.is_running and client_id not in self._clients.values():
            logger.info("%s has joined a load that had begun: it gets a part in the next", client_id)

    def _on_report(self, msg: Message, **_: object) -> None:
        self._keep(msg.data)

    def _on_worker_report(self, data: dict[str, Any], **_: object) -> None:
        if found := data.pop("floodmark", None):
            self._keep(found)

    def _keep(self, data: Any) -> None:
        report = LoadReport.model_validate(data)
        if self._plan and report.load == self._plan.load:
            self._reports[report.worker] = report

    def _conclude(self, fleet: Fleet, plan: LoadPlan) -> None:
        absent = [worker for worker in self._clients if worker not in fleet.results]
        absences = look_up(absent, plan.ledger, fleet.shares)
        for absence in absences:
            logger.warning(_describe(absence, self._clients[absence.worker]))
        result = judge(fleet.results, absences)
        self.exit_code = result.exit_code
        log_outcome(result, self.reports(), f"{plan.ledger} ({len(self._clients)} workers)")
        for failure, workers in _failures(fleet.results).items():
            logger.error("worker %s: %s", ", ".join(map(str, workers)), failure)


def _failures(results: dict[int, Result]) -> dict[str, list[int]]:
    """The workers that failed, by why."""
    found: dict[str, list[int]] = {}
    for worker, result in sorted(results.items()):
        if result.failure:
            found.setdefault(result.failure, []).append(worker)
    return found


def _describe(absence: Absence, client: str) -> str:
    if absence.result is None:
        return (
            f"worker {absence.worker} ({client}) was lost: what became of its {absence.records:,} records stands in its"
            " ledger alone, on the machine that it ran on"
        )
    counts = ", ".join(f"{name} {getattr(absence.result, name):,}" for name in ("accepted", "unknown", "missed"))
    return f"worker {absence.worker} ({client}) was lost: of its {absence.records:,} records, {counts}"
