"""A load test on a worker: it sends the part that the master gives it, and tells the master how that goes."""

import logging
from collections.abc import Callable
from typing import Any

import gevent
from load_plan import LoadPlan
from load_report import LoadReport
from load_session import LoadSession
from locust.env import Environment
from locust.rpc import Message
from locust.runners import WorkerRunner

from floodmark.clock import SystemClock
from floodmark.errors import FloodmarkError
from floodmark.fleet import GRANT_AHEAD_S, PULSE_S, SILENCE_MAX_S, Order, Result, Word
from floodmark.fleet_result import failed_result
from floodmark.load_options import LoadOptions
from floodmark.schedule import NANOSECONDS_PER_SECOND

PLAN = "floodmark-plan"
"""Master to one worker, when a load begins: a `LoadPlan`."""

ORDER = "floodmark-order"
"""Master to every worker, several times a second: an `Order`."""

WORD = "floodmark-word"
"""Worker to master, in answer to an order: a `Word`."""

REPORT = "floodmark-report"
"""Worker to master, when its part is over: a `LoadReport`. Before that, they travel with Locust's own statistics."""

LEAVE_GRACE_S = 5.0
"""Beyond the last grant and the drain time: how long a worker that leaves waits for the master."""

logger = logging.getLogger("floodmark")


class LoadWorker:
    """One worker's part in one load after the other. `session` is the one that it sends now."""

    is_over = False
    """It is the master who ends a test."""

    processes = 1

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self.session: LoadSession | None = None
        self.exit_code = 0
        self._runner = runner
        self._clock = SystemClock()
        self._plan: LoadPlan | None = None
        self._order: Order | None = None
        self._ordered_ns = 0
        self._result: Result | None = None
        self._is_leaving = False
        self._ending: Any = None
        runner.register_message(PLAN, self._on_plan)
        runner.register_message(ORDER, self._on_order)
        events: Any = environment.events
        events.report_to_master.add_listener(self._on_report_to_master)

    @property
    def is_running(self) -> bool:
        """Whether a load has begun and not been cleared away."""
        return self.session is not None

    def start(self, read: Callable[[], LoadOptions]) -> None:  # noqa: ARG002 - the options come with the plan
        """Begin the part that the master has planned. What goes wrong here is told to the master, who ends the load."""
        if self._plan is None:
            return  # it joined a load that had begun
        try:
            self.session = LoadSession(self._plan)
        except FloodmarkError as error:
            self._result = failed_result(error)
            self._say()
            return
        self._follow()

    def finish(self) -> None:
        """End with what is due by now: the master does not wait for more. Mostly, everything is over by then."""
        if self.session:
            self._end(self.session, at_once=True)

    def leave(self) -> None:
        """Leave the load while it goes on: send what is granted, hand the rest over, and tell what came of it."""
        session = self.session
        if session is None or self._result:
            return
        self._is_leaving = True
        self._say()
        deadline_ns = self._clock.now_ns() + round(
            (GRANT_AHEAD_S + session.plan.settings.drain_timeout_s + LEAVE_GRACE_S) * 1e9
        )
        while not self._result and self._has_master() and self._clock.now_ns() < deadline_ns:
            gevent.sleep(PULSE_S / 2)
        if not self._result:  # no master, or one that takes too long
            self._end(session, at_once=True)

    def clear(self) -> None:
        """Make room for the next start."""
        if self.session:
            self._end(self.session, at_once=True)
        self.session = self._plan = self._order = self._result = None
        self._is_leaving = False

    def give_up(self) -> None:
        """Wait for no answers any more."""
        if self.session:
            self.session.producer.give_up()

    def reports(self) -> list[LoadReport]:
        """Workers have no page."""
        return []

    def _on_plan(self, msg: Message, **_: object) -> None:
        plan = LoadPlan.model_validate(msg.data)
        if self.session is None:
            self._plan = plan

    def _on_order(self, msg: Message, **_: object) -> None:
        order = Order.model_validate(msg.data)
        if self._plan and order.load == self._plan.load:
            self._order, self._ordered_ns = order, self._clock.now_ns()
            self._follow()
            self._say()

    def _has_master(self) -> bool:
        return self._clock.now_ns() - self._ordered_ns < SILENCE_MAX_S * NANOSECONDS_PER_SECOND

    def _follow(self) -> None:
        """Do what was ordered last, and notice when there is nothing left to do."""
        if self.session and self._order:
            producer = self.session.producer
            producer.follow(self._order.shares)
            if self._order.void_reason:
                producer.void(self._order.void_reason)
            if producer.is_over and self._ending is None and self._result is None:
                self._ending = gevent.spawn(self._end, self.session, at_once=False)

    def _end(self, session: LoadSession, *, at_once: bool) -> None:
        if self._result is None:
            self._result = session.finish(at_once=at_once)
            self.exit_code = self._result.exit_code
            self._runner.send_message(REPORT, session.report("done").model_dump(mode="json"))
            self._say()
        self._ending = None

    def _say(self) -> None:
        if plan := self._plan:
            word = Word(
                load=plan.load,
                worker=plan.manifest.worker,
                now_ns=self._clock.now_ns(),
                is_leaving=self._is_leaving,
                void_reason=self.session.producer.void_reason if self.session else "",
                result=self._result,
            )
            self._runner.send_message(WORD, word.model_dump(mode="json"))

    def _on_report_to_master(self, data: dict[str, Any], **_: object) -> None:
        if self.session:
            data["floodmark"] = self.session.report("sending").model_dump(mode="json")
