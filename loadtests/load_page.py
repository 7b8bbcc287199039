"""The tabs *Floodmark* and *Shards* of Locust's web page, and the same figures as JSON.

Locust's page shows a tab's table from what `/stats/requests` says under `extended_stats`.
"""

import json
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request
from load_report import LoadReport, shard_rows, worker_rows
from locust.web import WebUI

LOAD_TAB = "floodmark"
SHARDS_TAB = "floodmark-shards"

_LOAD_COLUMNS = {
    "name": "Process",
    "state": "State",
    "accepted": "Accepted",
    "throttled": "Throttling answers",
    "failed": "Failed",
    "unknown": "Unknown",
    "missed": "Missed",
    "backlog": "Backlog",
    "retrying": "Waiting for another try",
    "delay_p50": "Schedule delay p50 (ms)",
    "delay_p99": "p99 (ms)",
    "delay_p99_9": "p99.9 (ms)",
    "delay_max": "largest (ms)",
}
_SHARD_COLUMNS = {
    "name": "Shard",
    "accepted": "Accepted records",
    "share": "Share of all (%)",
    "of_even": "Of an even spread (%)",
}
_TABS = {LOAD_TAB: ("Floodmark", _LOAD_COLUMNS), SHARDS_TAB: ("Shards", _SHARD_COLUMNS)}

SHARDS_SHOWN_MAX = 500
"""A browser takes long over more, as Locust says of its own tables."""

Reports = Callable[[], list[LoadReport]]


def add_page(web_ui: WebUI, reports: Reports) -> None:
    """Add the tabs to Locust's page, `/floodmark` as their address, and `/floodmark/report` as their JSON."""
    web_ui.template_args["extended_tabs"] = [{"key": key, "title": title} for key, (title, _) in _TABS.items()]
    web_ui.template_args["extended_tables"] = [
        {"key": key, "structure": [{"key": name, "title": text} for name, text in columns.items()]}
        for key, (_, columns) in _TABS.items()
    ]
    app = web_ui.app
    assert app is not None
    base = str(vars(web_ui.environment.parsed_options)["web_base_path"] or "")
    blueprint = Blueprint("floodmark", __name__, url_prefix=base)

    @blueprint.route("/floodmark")
    def open_tab() -> Any:
        return redirect(f"{base}/?tab={LOAD_TAB}")

    @blueprint.route("/floodmark/report")
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def report() -> Response:
        found = reports()
        return jsonify({"processes": worker_rows(found), "shards": shard_rows(found)})

    @app.after_request
    def extend(response: Response) -> Response:
        if request.path != f"{base}/stats/requests" or response.status_code != 200:
            return response
        found = reports()
        rows = {LOAD_TAB: worker_rows(found), SHARDS_TAB: hottest(shard_rows(found))}
        extended = [{"key": key, "data": data} for key, data in rows.items()]
        response.set_data(json.dumps({**json.loads(response.get_data()), "extended_stats": extended}))
        return response

    app.register_blueprint(blueprint)


def hottest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many shards as the page can show: those that accepted the most."""
    return sorted(rows, key=lambda row: int(row["accepted"]), reverse=True)[:SHARDS_SHOWN_MAX]
