"""The page for people: what streams there are, what goes through them, how near to its quota each shard is."""

import time
from html import escape

from simulators.kinesis.accounts.accounts import Accounts
from simulators.kinesis.faults.disturbances import Disturbances
from simulators.kinesis.status import status
from simulators.kinesis.status.rates import RateSampler
from simulators.kinesis.status.status import Document

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --alarm: #d1495b; }
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .3rem; }
p { margin: .3rem 0; } code { font-size: .92em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
.name { text-align: left; } .group { text-align: center; } .group, .first { border-left: 1px solid var(--line); }
th { font-weight: 600; } td.range { font-family: ui-monospace, monospace; font-size: .85em; text-align: left; }
meter { width: 3.5rem; vertical-align: middle; } .refused { color: var(--alarm); font-weight: 600; }
"""


def render(accounts: Accounts, sampler: RateSampler, disturbances: Disturbances, now_ms: int) -> str:
    """The whole page; it needs nothing from elsewhere and loads itself again every two seconds."""
    found = status.document(accounts, sampler, disturbances, now_ms)
    described: list[Document] = found["accounts"]
    streams = [stream for account in described for stream in account["streams"]]
    memory = found["memory"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Kinesis simulator</title><style>{_STYLE}</style></head><body>"
        "<h1>Kinesis simulator</h1>"
        f"<p>{_counted(len(streams), 'stream')} with "
        f"{_counted(sum(stream['open_shards'] for stream in streams), 'open shard')}; "
        f"{memory['stored_bytes'] / 2**20:,.1f} of {memory['bytes_max'] / 2**20:,.0f} MiB in use. "
        f"Rates are averages over {found['rates_window_seconds']} seconds; "
        '<a href="/status.json">the same as JSON</a>, <a href="/metrics">metrics for Prometheus</a>.</p>'
        f"{_disturbances(found['disturbances'])}{_faults(found['faults'])}"
        f"{_hottest(found['hottest_shards'])}"
        f"{''.join(_account(account, is_only=len(described) == 1) for account in described)}"
        f"<p><small>{time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(now_ms / 1000))}</small></p>"
        "</body></html>"
    )


def _disturbances(disturbances: Document) -> str:
    latency, propagation_ms = disturbances["latency"], disturbances["propagation_ms"]
    said = [f"latency {name}: {text}" for name, text in latency.items() if text != "none"]
    said += [
        f"propagation {name.replace('_', '-')}: {delay_ms} ms" for name, delay_ms in propagation_ms.items() if delay_ms
    ]
    return f"<p>Added on purpose: {escape('; '.join(said))}.</p>" if said else ""


def _faults(faults: list[Document]) -> str:
    """Those that are set: nobody should take what they do for what the service does."""
    if not faults:
        return ""
    rows = "".join(
        f'<tr><td class="name">{escape(one["id"])}</td><td class="name">{escape(one["fault"]["kind"])}</td>'
        f'<td class="name">{escape(_said(one["fault"]))}</td><td class="name">{one["state"]}</td>'
        f"<td>{one['injected']:,}</td></tr>"
        for one in faults
    )
    head = "".join(f'<th class="name">{name}</th>' for name in ("fault", "kind", "how", "state"))
    return (
        f'<h2>Faults</h2><div class="scroll"><table><thead><tr>{head}<th>injected</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _said(fault: Document) -> str:
    """What was said about a fault, as on the command line."""
    return " ".join(
        f"{name}={','.join(value) if isinstance(value, list) else value}"
        for name, value in fault.items()
        if name != "kind"
    )


def _hottest(shards: list[Document]) -> str:
    if not shards:
        return ""
    named = ", ".join(
        f"{escape(one['stream'])} <code>{one['shard']}</code> at {one['share_of_quota']:.0%}" for one in shards[:3]
    )
    return f"<p>Nearest to a quota: {named}.</p>"


def _account(account: Document, *, is_only: bool) -> str:
    streams = "".join(_stream(stream) for stream in account["streams"]) or "<p>There are no streams yet.</p>"
    # Whoever uses one account in one region, as most do, need not read which.
    return streams if is_only else f"<h2>Account {account['account']}, {escape(account['region'])}</h2>{streams}"


def _stream(stream: Document) -> str:
    shards = stream["shards"]
    hidden = stream["open_shards"] + stream["closed_shards"] - len(shards)
    more = f"<p>… and {hidden} more shards.</p>" if hidden > 0 else ""
    mode = (
        ""
        if stream["mode"] == "PROVISIONED"
        else f" on demand with room for the load of {stream['capacity_shards']} shards,"
    )
    return (
        f"<h3>{escape(stream['name'])}</h3><p>{stream['status']},{mode} "
        f"{_counted(stream['open_shards'], 'open shard')}, {_counted(len(stream['consumers']), 'fan-out consumer')}, "
        f"retention {stream['retention_hours']} h"
        f"{_keys(stream['hottest_keys'])}</p>"
        f'<div class="scroll"><table>{_HEAD}<tbody>{"".join(map(_row, shards))}</tbody></table></div>{more}'
    )


def _keys(keys: list[Document]) -> str:
    named = ", ".join(f"<code>{escape(_short(one['key']))}</code> {one['share']:.0%}" for one in keys[:5])
    return f"; busiest keys {named}" if named else ""


def _short(key: str) -> str:
    return key if len(key) <= 40 else key[:39] + "…"


_SIDE = '<th class="first">records/s</th><th>KiB/s</th><th>of quota</th><th>refused</th>'
_HEAD = (
    '<thead><tr><th class="name" rowspan="2">shard</th><th class="name" rowspan="2">hash keys from</th>'
    '<th rowspan="2">records</th><th class="group" colspan="4">put</th>'
    f'<th class="group" colspan="4">got by polling</th></tr><tr>{_SIDE}{_SIDE}</tr></thead>'
)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _row(shard: Document) -> str:
    put, got = shard["put"], shard["got_by_polling"]
    return (
        f'<tr><td class="name">{shard["shard"]}{"" if shard["is_open"] else " (closed)"}</td>'
        f'<td class="range">{shard["first_hash_key"]}</td><td>{shard["stored_records"]:,}</td>'
        f"{_side(put, put['throttled_records'])}{_side(got, got['throttled_calls'])}</tr>"
    )


def _side(rates: Document, refused: int) -> str:
    return (
        f'<td class="first">{rates["records_per_second"]:,.0f}</td><td>{rates["bytes_per_second"] / 1024:,.0f}</td>'
        f"<td>{_meter(rates['share_of_quota'])}</td>{_refused(refused)}"
    )


def _meter(share: float) -> str:
    return f'{share:.0%} <meter min="0" max="1" high="0.8" value="{min(share, 1):.3f}">{share:.0%}</meter>'


def _refused(count: int) -> str:
    return f'<td class="refused">{count:,}</td>' if count else "<td>0</td>"
