"""A load test in one process: it plans, sends and judges by itself."""

import logging
from collections.abc import Callable

from load_plan import plan_load
from load_report import LoadReport
from load_session import LoadSession
from load_summary import log_outcome

from floodmark.clock import SystemClock
from floodmark.load_options import LoadOptions

logger = logging.getLogger("floodmark")


class LoadAlone:
    """The whole of a load. `session` is there from its start to its end."""

    def __init__(self) -> None:
        self.session: LoadSession | None = None
        self.exit_code = 0
        self._last: LoadReport | None = None
        self._is_reported = True

    @property
    def processes(self) -> int:
        """How many processes send."""
        return 1

    @property
    def is_running(self) -> bool:
        """Whether a load has begun and not been cleared away."""
        return self.session is not None

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to send or to wait for."""
        return self.session is None or self.session.producer.is_over

    def start(self, read: Callable[[], LoadOptions]) -> None:
        """Begin a load. FloodmarkError if it cannot be."""
        self.session = LoadSession(plan_load(read(), SystemClock()))
        self._is_reported = False

    def finish(self) -> None:
        """Drain, close the ledger and say what came of it; users go on sending meanwhile.

        A second call does nothing.
        """
        session = self.session
        if session is None:
            return
        result = session.finish(at_once=True)
        if self._is_reported:
            return
        self._is_reported = True
        self._last = session.report("done")
        self.exit_code = result.exit_code
        log_outcome(result, [self._last], str(session.plan.ledger))
        if result.failure:
            logger.error(result.failure)

    def leave(self) -> None:
        """Come to an end because the process does."""
        self.finish()

    def clear(self) -> None:
        """Make room for the next start."""
        self.session = None

    def give_up(self) -> None:
        """Wait for no answers any more."""
        if self.session:
            self.session.producer.give_up()

    def reports(self) -> list[LoadReport]:
        """How the load stands, or stood when it ended."""
        if self.session and not self._is_reported:
            self._last = self.session.report("sending")
        return [self._last] if self._last else []
