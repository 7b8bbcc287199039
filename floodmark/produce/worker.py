"""One worker of a load, as a process: `python -m floodmark.produce.worker`.

It speaks in lines. On standard output: `ready`, and at the end its outcome as JSON. On standard input: its load as
JSON, then `stop`, which sends what is due and ends, or `give up`, which waits for nothing. When standard input ends,
whoever started it is gone, and it stops as well.
"""

import asyncio
import gc
import os
import random
import signal
import sys
import time
from typing import BinaryIO

from floodmark.clock import SystemClock
from floodmark.errors import FloodmarkError
from floodmark.ledger import LedgerWriter
from floodmark.produce.lines import GIVE_UP, LINE_BYTES_MAX, READY
from floodmark.produce.load import Load, Outcome
from floodmark.producer import LoopSender, Producer, PutRecordsLoopTransport, keep_heap


def main() -> None:
    """Be a worker."""
    for ignored in (signal.SIGINT, signal.SIGHUP):  # the terminal sends them to all; whoever started this decides
        signal.signal(ignored, signal.SIG_IGN)
    _say(READY)
    line = sys.stdin.buffer.readline(LINE_BYTES_MAX)
    if line:
        _say(asyncio.run(_work(Load.model_validate_json(line))).model_dump_json().encode() + b"\n")


async def _work(load: Load) -> Outcome:
    try:
        producer, sender = _prepare(load)
    except FloodmarkError as error:
        return _failed(error)
    keep_heap()
    gc.collect()
    gc.freeze()  # what is loaded by now stays; looking through it again and again holds calls up
    listening = await _listen(producer)
    before_s = time.process_time()
    try:
        await sender.run()
    finally:
        listening.close()
    standing, totals, failure = producer.tick(), producer.totals, producer.failure
    return Outcome(
        accepted=totals.accepted,
        failed=totals.failed,
        unknown=totals.unknown,
        missed=totals.missed,
        throttled=totals.throttled,
        schedule_delay_p99_ms=standing.schedule_delay_p99_ms,
        schedule_delay_max_ms=standing.schedule_delay_max_ms,
        all_calls_open_s=standing.all_calls_open_s,
        cpu_s=time.process_time() - before_s,
        void_reason=producer.void_reason,
        failure=str(failure) if failure else "",
        failure_exit_code=failure.exit_code if failure else 0,
    )


def _prepare(load: Load) -> tuple[Producer, LoopSender]:
    manifest, clock = load.manifest, SystemClock()
    transport = PutRecordsLoopTransport(
        endpoint=manifest.endpoint,
        region=manifest.region,
        stream=manifest.stream,
        connections=load.settings.senders,
    )
    producer = Producer(
        traffic=manifest.traffic(),
        profile=manifest.schedule(),
        settings=load.settings,
        transport=transport,
        ledger=LedgerWriter(load.directory, manifest),
        start_ns=manifest.start_ns,
        clock=clock,
        randomness=random.SystemRandom(),
        shares=manifest.shares,
        worker=manifest.worker,
        shard_starts=[int(start) for start in load.shard_starts],
    )
    return producer, LoopSender(producer, transport, clock, senders=load.settings.senders)


class _Orders(asyncio.Protocol):
    """Hears what the starter says."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def data_received(self, data: bytes) -> None:
        if GIVE_UP in data:
            self._producer.give_up()
        else:
            self._producer.stop()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        self._producer.stop()


async def _listen(producer: Producer) -> asyncio.ReadTransport:
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: _Orders(producer), sys.stdin.buffer)
    return transport


def _failed(error: FloodmarkError) -> Outcome:
    return Outcome(
        accepted=0,
        failed=0,
        unknown=0,
        missed=0,
        throttled=0,
        schedule_delay_p99_ms=0,
        schedule_delay_max_ms=0,
        all_calls_open_s=0,
        cpu_s=0,
        failure=str(error),
        failure_exit_code=error.exit_code,
    )


def _say(line: bytes, file: BinaryIO = sys.stdout.buffer) -> None:
    try:
        file.write(line)
        file.flush()
    except BrokenPipeError:  # whoever started this is gone, and the ledger says all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
