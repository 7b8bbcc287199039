"""Orders of a shop into `order-stream`.

locust -f loadtests/orders.py                                  the web page, on http://127.0.0.1:8089
locust -f loadtests/orders.py --headless --rate 1500 --duration 45s
locust -f loadtests/orders.py --headless --rate 200000 --processes 4
"""

from kinesis_user import KinesisUser, ScheduleShape, register

register(kind="orders")


class OrderSender(KinesisUser):
    """Sends orders."""


class OrderSchedule(ScheduleShape):
    """Lasts as long as there are orders due."""
