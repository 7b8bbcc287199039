"""A stand-in for Amazon Kinesis Data Streams that speaks its protocols and enforces its quotas.

    settings → server ─ protocol ─ model ─▶ service (actions) ─▶ account ─▶ stream ─▶ shard ─▶ quota, record_log
                   └──▶ metrics, status_page, rates

Everything to the right of `server` is synchronous and takes the moment as a parameter, so that it can be tested in
simulated time. One process and one event loop hold the whole state; no locks are needed.
"""
