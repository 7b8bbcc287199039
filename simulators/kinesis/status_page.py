"""The page for people: what streams there are, what goes through them, how near to its quota each shard is."""

import time
from html import escape

from simulators.kinesis.account import Account
from simulators.kinesis.rates import WINDOW_S, Rates, RateSampler
from simulators.kinesis.shard import Shard
from simulators.kinesis.stream import Stream

SHARDS_SHOWN_MAX = 200
"""For each stream; a page of thousands of rows helps nobody."""

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --alarm: #d1495b; }
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
p { margin: .3rem 0; } code { font-size: .92em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
.name { text-align: left; } .group { text-align: center; } .group, .first { border-left: 1px solid var(--line); }
th { font-weight: 600; } td.range { font-family: ui-monospace, monospace; font-size: .85em; text-align: left; }
meter { width: 3.5rem; vertical-align: middle; } .refused { color: var(--alarm); font-weight: 600; }
"""


def render(account: Account, sampler: RateSampler, now_ms: int) -> str:
    """The whole page; it needs nothing from elsewhere and loads itself again every two seconds."""
    streams = account.streams(now_ms)
    body = "".join(_stream(stream, sampler, now_ms) for stream in streams) or "<p>There are no streams yet.</p>"
    settings = account.settings
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Kinesis simulator</title><style>{_STYLE}</style></head><body>"
        "<h1>Kinesis simulator</h1>"
        f"<p>{len(streams)} stream{'' if len(streams) == 1 else 's'} with "
        f"{_open_shards(account.open_shard_count(now_ms))}; "
        f"{account.stored_bytes / 2**20:,.1f} of {settings.memory_bytes_max / 2**20:,.0f} MiB in use. "
        f"Rates are averages over {WINDOW_S} seconds; "
        '<a href="/metrics">metrics for Prometheus</a>.</p>'
        f"{body}<p><small>{time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(now_ms / 1000))}</small></p>"
        "</body></html>"
    )


def _stream(stream: Stream, sampler: RateSampler, now_ms: int) -> str:
    shards = stream.shards
    rows = "".join(
        _row(shard, sampler.rates(stream.name, stream.created_ms, shard.id)) for shard in shards[:SHARDS_SHOWN_MAX]
    )
    hidden = len(shards) - SHARDS_SHOWN_MAX
    more = f"<p>… and {hidden} more shards.</p>" if hidden > 0 else ""
    return (
        f"<h2>{escape(stream.name)}</h2><p>{stream.status(now_ms)}, {_open_shards(len(stream.open_shards))}, "
        f"{len(stream.consumers)} fan-out consumer{'' if len(stream.consumers) == 1 else 's'}, "
        f"retention {stream.settings.retention_hours} h</p>"
        f'<div class="scroll"><table>{_HEAD}<tbody>{rows}</tbody></table></div>{more}'
    )


_SIDE = '<th class="first">records/s</th><th>KiB/s</th><th>of quota</th><th>refused</th>'
_HEAD = (
    '<thead><tr><th class="name" rowspan="2">shard</th><th class="name" rowspan="2">hash keys from</th>'
    '<th rowspan="2">records</th><th class="group" colspan="4">put</th>'
    f'<th class="group" colspan="4">got by polling</th></tr><tr>{_SIDE}{_SIDE}</tr></thead>'
)


def _open_shards(count: int) -> str:
    return f"{count:,} open shard{'' if count == 1 else 's'}"


def _row(shard: Shard, rates: Rates) -> str:
    quotas, counters = shard.quotas, shard.counters
    write_share = max(
        rates.incoming_bytes / (quotas.write_bytes_per_second or float("inf")),
        rates.incoming_records / (quotas.write_records_per_second or float("inf")),
    )
    read_share = rates.outgoing_bytes / (quotas.read_bytes_per_second or float("inf"))
    return (
        f'<tr><td class="name">{shard.id}{"" if shard.is_open else " (closed)"}</td>'
        f'<td class="range">{shard.hash_range.first:032x}</td><td>{len(shard.log):,}</td>'
        f'<td class="first">{rates.incoming_records:,.0f}</td><td>{rates.incoming_bytes / 1024:,.0f}</td>'
        f"<td>{_meter(write_share)}</td>{_refused(counters.write_throttled_records)}"
        f'<td class="first">{rates.outgoing_records:,.0f}</td><td>{rates.outgoing_bytes / 1024:,.0f}</td>'
        f"<td>{_meter(read_share)}</td>{_refused(counters.read_throttled_calls)}</tr>"
    )


def _meter(share: float) -> str:
    return f'{share:.0%} <meter min="0" max="1" high="0.8" value="{min(share, 1):.3f}">{share:.0%}</meter>'


def _refused(count: int) -> str:
    return f'<td class="refused">{count:,}</td>' if count else "<td>0</td>"
