"""Every job in the plainest way: what it puts out for records that it takes in, all at once and without event time."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal

from tests.unit.oracle_bench import document

Input = tuple[bytes, int]
"""A good record, and when it arrived."""

Output = tuple[str, bytes]


def columns(value: bytes) -> list[str]:
    return value.decode().split(",")


def abnormal_orders(inputs: Sequence[Input]) -> list[bytes]:
    return [
        document(
            orderId=name, amount=Decimal(amount), region=region, eventTime=int(time), arrivalTime=arrival, message="m"
        )
        for (name, amount, region, time, *_), arrival in ((columns(value), arrival) for value, arrival in inputs)
        if Decimal(amount) > Decimal("10000")
    ]


def overheating(inputs: Sequence[Input]) -> list[bytes]:
    return [
        document(deviceId=device, temperature=Decimal(temperature), eventTime=int(time), arrivalTime=arrival)
        for (device, temperature, time), arrival in ((columns(value), arrival) for value, arrival in inputs)
        if Decimal(temperature) > Decimal("80.000")
    ]


def pass_through(inputs: Sequence[Input]) -> list[bytes]:
    return [b"Processed: " + value for value, _ in inputs]


def order_count(inputs: Sequence[Input]) -> list[bytes]:
    windows: dict[int, int] = defaultdict(int)
    for value, _ in inputs:
        windows[int(columns(value)[3]) // 5000] += 1
    return [document(windowStart=n * 5000, windowEnd=n * 5000 + 5000, orders=count) for n, count in windows.items()]


def live_sales(inputs: Sequence[Input]) -> list[bytes]:
    windows: dict[tuple[int, str, str], list[Decimal]] = defaultdict(list)
    for value, _ in inputs:
        _, amount, region, time, *category = columns(value)
        windows[int(time) // 5000, region, "".join(category)].append(Decimal(amount))
    return [
        document(
            region=region,
            category=category,
            windowStart=n * 5000,
            windowEnd=n * 5000 + 5000,
            orders=len(amounts),
            revenue=sum(amounts, Decimal(0)),
        )
        for (n, region, category), amounts in windows.items()
    ]


def clickstream(inputs: Sequence[Input]) -> list[bytes]:
    windows: dict[tuple[int, str], int] = defaultdict(int)
    for value, _ in inputs:
        _, page, time = columns(value)
        windows[int(time) // 5000, page] += 1
    return [
        document(page=page, windowStart=n * 5000, windowEnd=n * 5000 + 5000, views=count)
        for (n, page), count in windows.items()
    ]


def trade_risk(inputs: Sequence[Input]) -> list[bytes]:
    accounts: dict[str, list[tuple[int, Decimal, int]]] = defaultdict(list)
    for value, arrival in inputs:
        _, account, amount, time = columns(value)
        accounts[account].append((int(time), Decimal(amount), arrival))
    return [alert for account, trades in accounts.items() for alert in _alerts(account, trades)]


def _alerts(account: str, trades: Sequence[tuple[int, Decimal, int]]) -> list[bytes]:
    found, was_risky = [], False
    for now in sorted({time for time, _, _ in trades}):
        recent = [amount for time, amount, _ in trades if now - 600_000 <= time <= now]
        is_risky = len(recent) >= 5 and sum(recent) > 50_000
        if is_risky and not was_risky:
            found.append(
                document(
                    accountId=account,
                    trades=len(recent),
                    total=sum(recent, Decimal(0)),
                    windowStart=now - 600_000,
                    eventTime=now,
                    arrivalTime=max(arrival for time, _, arrival in trades if time == now),
                )
            )
        was_risky = is_risky
    return found


JOBS: dict[str, Callable[[Sequence[Input]], list[bytes]]] = {
    "abnormal-orders": abnormal_orders,
    "clickstream": clickstream,
    "live-sales": live_sales,
    "order-count": order_count,
    "overheating": overheating,
    "pass-through": pass_through,
    "trade-risk": trade_risk,
}
