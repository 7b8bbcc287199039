"""What every load test shares: a user that sends, and a shape that lasts as long as the schedule does.

A user is a sender. It takes the next batch that is due and puts it; more users can keep more calls in flight, and never
change the rate, which is the schedule's alone.
"""

from load_control import LoadControl
from load_statistics import report
from locust import LoadTestShape, User, task
from locust.exception import StopUser

SPAWN_RATE_MAX = 100.0
"""Above this in a process, Locust warns that starting users may take longer than it should."""

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
        """Send the next batch that is due. When there will be none, the user is done; the shape then ends the test."""
        session = _controls[-1].session
        batch = session.producer.next_batch() if session else None
        if session is None or batch is None:
            raise StopUser
        report(self.environment, session.stream, session.producer.send(batch))


class ScheduleShape(LoadTestShape):
    """As many users in each process as there are to be senders, until the schedule is over."""

    abstract = True

    _users = 1
    _processes = 1

    def tick(self) -> tuple[int, float] | None:
        role = _controls[-1].role
        if not role.is_running:  # asked for the first time, before the test starts
            assert self.runner is not None
            self._processes = max(1, role.processes)
            self._users = int(vars(self.runner.environment.parsed_options)["senders"]) * self._processes
        elif role.is_over:
            return None
        return self._users, min(float(self._users), SPAWN_RATE_MAX * self._processes)
