"""A stand-in for Amazon Kinesis Data Streams that speaks its protocols and enforces its quotas.

    command ─▶ server ─▶ application ─▶ service ─▶ actions_* ─▶ account ─▶ stream ─▶ shard ─▶ bucket, record_log
                             │             └─ model, protocol                 └▶ consumer ─▶ subscription
                             └─ fan_out, metrics, status_page

Everything from `service` on is synchronous and takes the moment as a parameter, so that it can be tested in simulated
time (`direct`). One process and one event loop hold the whole state; no locks are needed.
"""
