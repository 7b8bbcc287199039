"""Clicks of people into `click-stream`.

locust -f loadtests/clicks.py                                  the web page, on http://127.0.0.1:8089
locust -f loadtests/clicks.py --headless --rate 1500 --duration 45s
locust -f loadtests/clicks.py --headless --rate 200000 --processes 4
"""

from kinesis_user import KinesisUser, ScheduleShape, register

register(kind="clicks")


class ClickSender(KinesisUser):
    """Sends clicks."""


class ClickSchedule(ScheduleShape):
    """Lasts as long as there are clicks due."""
