"""Trades of accounts into `trade-stream`.

locust -f loadtests/trades.py                                  the web page, on http://127.0.0.1:8089
locust -f loadtests/trades.py --headless --rate 1500 --duration 45s
locust -f loadtests/trades.py --headless --rate 200000 --processes 4
"""

from kinesis_user import KinesisUser, ScheduleShape, register

register(kind="trades")


class TradeSender(KinesisUser):
    """Sends trades."""


class TradeSchedule(ScheduleShape):
    """Lasts as long as there are trades due."""
