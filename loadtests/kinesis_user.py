"""What every load test shares: a user that sends, and a shape that lasts as long as the schedule does.

A user is a sender. It takes the next batch that is due and puts it; more users can keep more calls in flight, and never
change the rate, which is the schedule's alone.
"""

from load_control import LoadControl
from load_statistics import report
from locust import LoadTestShape, User, task
from locust.exception import StopUser

SPAWN_RATE_MAX = 100.0
"""Above this, Locust warns that starting users may take longer than it should."""

_controls: list[LoadControl] = []


def register(*, kind: str) -> None:
    """Make this process a load test that sends records of a kind. A locustfile calls it once."""
    control = LoadControl(kind)
    control.attach()
    _controls.append(control)


class KinesisUser(User):
    """Sends batches, from the first that is due to the last."""

    abstract = True

    @task
    def send(self) -> None:
        """Send until there is nothing left to send; the shape then ends the test."""
        session = _controls[-1].session
        while session and (batch := session.producer.next_batch()):
            report(self.environment, session.options.stream, session.producer.send(batch))
        raise StopUser


class ScheduleShape(LoadTestShape):
    """As many users as there are to be senders, until the schedule is over."""

    abstract = True

    _senders = 1

    def tick(self) -> tuple[int, float] | None:
        session = _controls[-1].session
        if session is None:  # asked for the first time, before the test starts
            assert self.runner is not None
            self._senders = int(vars(self.runner.environment.parsed_options)["senders"])
        elif session.producer.is_over:
            return None
        return self._senders, min(float(self._senders), SPAWN_RATE_MAX)
