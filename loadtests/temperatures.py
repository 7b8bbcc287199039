"""Temperatures of devices into `temperature-stream`.

locust -f loadtests/temperatures.py                                  the web page, on http://127.0.0.1:8089
locust -f loadtests/temperatures.py --headless --rate 1500 --duration 45s
locust -f loadtests/temperatures.py --headless --rate 200000 --processes 4
"""

from kinesis_user import KinesisUser, ScheduleShape, register

register(kind="temperatures")


class TemperatureSender(KinesisUser):
    """Sends temperatures."""


class TemperatureSchedule(ScheduleShape):
    """Lasts as long as there are temperatures due."""
