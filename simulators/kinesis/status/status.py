"""What there is and what goes on, as plain values: for the page, and for programs as `/status.json`."""

from typing import Any

from simulators.kinesis.accounts.account import Account
from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.faults.disturbances import Disturbances
from simulators.kinesis.status.rates import WINDOW_S, Rates, RateSampler
from simulators.kinesis.streams.shard import Shard
from simulators.kinesis.streams.stream import Stream

FORMAT_VERSION = 1

HOTTEST_MAX = 10
"""How many shards of all and how many keys of each stream are called the hottest."""

HOT_FROM_SHARE = 0.01
"""Below this share of a quota or of a stream's records nothing is hot."""

SHARDS_SHOWN_MAX = 200
"""Of each stream; more rows help nobody, and hold up the calls that wait meanwhile."""

Document = dict[str, Any]


def document(accounts: Accounts, sampler: RateSampler, disturbances: Disturbances, now_ms: int) -> Document:
    """Everything; rates are a second's worth, averaged over the window, and shares are of the quota in force."""
    described = [_account(account, sampler, now_ms) for account in accounts.all()]
    return {
        "format_version": FORMAT_VERSION,
        "time_ms": now_ms,
        "rates_window_seconds": WINDOW_S,
        "memory": {"stored_bytes": accounts.memory.stored_bytes, "bytes_max": accounts.memory.bytes_max},
        "hottest_shards": _hottest_shards(described),
        "disturbances": disturbances.settings.described(),
        "faults": [armed.described(now_ms) for armed in disturbances.faults.listed()],
        "accounts": described,
    }


def _account(account: Account, sampler: RateSampler, now_ms: int) -> Document:
    return {
        "account": account.settings.account_id,
        "region": account.settings.region,
        "open_shards": account.open_shard_count(now_ms),
        "shards_max": account.shards_max,
        "on_demand_streams": account.on_demand_stream_count(now_ms),
        "minimum_throughput_billing_commitment": account.commitment.status(now_ms),
        "streams": [_stream(stream, sampler, now_ms) for stream in account.streams(now_ms)],
    }


def _stream(stream: Stream, sampler: RateSampler, now_ms: int) -> Document:
    shards = stream.shards
    keys = [one for one in stream.hot_keys.top(HOTTEST_MAX) if one.share >= HOT_FROM_SHARE]
    return {
        "account": stream.account_id,
        "region": stream.region,
        "name": stream.name,
        "arn": stream.arn,
        "status": stream.status(now_ms),
        "mode": stream.settings.mode,
        "capacity_shards": stream.on_demand.capacity() if stream.on_demand else None,
        "distribution": stream.settings.distribution,
        "retention_hours": stream.settings.retention_hours,
        "consumers": [{"name": one.name, "status": one.status(now_ms)} for one in stream.consumers.values()],
        "open_shards": len(stream.open_shards),
        "closed_shards": len(shards) - len(stream.open_shards),
        "hottest_keys": [{"key": one.key, "share": round(one.share, 4)} for one in keys],
        "shards": [_shard(shard, sampler.rates(stream, shard)) for shard in shards[:SHARDS_SHOWN_MAX]],
    }


def _shard(shard: Shard, rates: Rates) -> Document:
    quotas, counters = shard.quotas, shard.counters
    return {
        "shard": shard.id,
        "is_open": shard.is_open,
        "first_hash_key": f"{shard.hash_range.first:032x}",
        "stored_records": len(shard.log),
        "stored_bytes": shard.log.stored_bytes,
        "put": {
            "records_per_second": rates.incoming_records,
            "bytes_per_second": rates.incoming_bytes,
            "share_of_quota": max(
                _share(rates.incoming_bytes, quotas.write_bytes_per_second),
                _share(rates.incoming_records, quotas.write_records_per_second),
            ),
            "throttled_records": counters.write_throttled_records,
        },
        "got_by_polling": {
            "records_per_second": rates.outgoing_records,
            "bytes_per_second": rates.outgoing_bytes,
            "share_of_quota": _share(rates.outgoing_bytes, quotas.read_bytes_per_second),
            "throttled_calls": counters.read_throttled_calls,
        },
    }


def _share(rate: float, quota: int | None) -> float:
    return rate / quota if quota else 0.0


def _hottest_shards(accounts: list[Document]) -> list[Document]:
    """The shards nearest to a quota, the hottest first."""
    found = [
        {
            **{name: stream[name] for name in ("account", "region")},
            "stream": stream["name"],
            "shard": shard["shard"],
            "share_of_quota": max(shard["put"]["share_of_quota"], shard["got_by_polling"]["share_of_quota"]),
        }
        for account in accounts
        for stream in account["streams"]
        for shard in stream["shards"]
        if shard["is_open"]
    ]
    hot = [one for one in found if one["share_of_quota"] >= HOT_FROM_SHARE]
    return sorted(hot, key=lambda one: -one["share_of_quota"])[:HOTTEST_MAX]
