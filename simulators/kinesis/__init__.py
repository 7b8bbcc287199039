"""A stand-in for Amazon Kinesis Data Streams that speaks its protocols and enforces its quotas.

    command ─▶ serving ─▶ service ─▶ actions ─▶ accounts ─▶ streams ─▶ quotas
                  └▶ status      └▶ wire              └▶ journal

Latency and faults come in between `serving` and `service`: `faults.disturbances` makes calls wait, `faults.faults` says
which fault meets which call, and `faults.faulty_call` carries such a call out.

Everything from `service` on is synchronous and takes the moment as a parameter, so that it can be tested in simulated
time (`direct`). One process and one event loop hold the whole state; no locks are needed.

Nothing here imports anything of floodmark: whoever tests a Kinesis program can take this package alone.
"""
