"""A stand-in for Amazon Kinesis Data Streams that speaks its protocols and enforces its quotas.

    command ─▶ server ─▶ application ─▶ service ─▶ actions_* ─▶ account ─▶ stream ─▶ shard ─▶ bucket, record_log
                             │             └─ model, protocol                 └▶ consumer ─▶ subscription
                             └─ fan_out, metrics, status_page

Latency and faults come in between application and service: `disturbances` makes calls wait, `faults` says which fault
meets which call (`call_plan`), and `faulty_call` carries such a call out.

Everything from `service` on is synchronous and takes the moment as a parameter, so that it can be tested in simulated
time (`direct`). One process and one event loop hold the whole state; no locks are needed.
"""
