"""One worker of a load, as a process: `python -m floodmark.produce.worker`.

It speaks in lines. On standard output: `ready`, then what it has to say (`Said`) as JSON, its outcome at the end. On
standard input: its load as JSON; then, where there are several workers, the orders of their leader, each of which it
answers; `stop`, which sends what is due and ends; `give up`, which waits for nothing. When standard input ends, whoever
started it is gone, and it stops as well.
"""

import asyncio
import gc
import os
import random
import signal
import sys
import time
from contextlib import suppress
from typing import BinaryIO

from floodmark.clock import SystemClock
from floodmark.errors import FloodmarkError
from floodmark.fleet import Order, Result, Word
from floodmark.fleet_result import failed_result, result_of
from floodmark.ledger import LedgerWriter
from floodmark.produce.lines import GIVE_UP, LINE_BYTES_MAX, LOAD, READY, STOP
from floodmark.produce.load import Load, Outcome, Said
from floodmark.producer import LoopSender, Producer, PutRecordsLoopTransport, keep_heap


def main() -> None:
    """Be a worker."""
    for ignored in (signal.SIGINT, signal.SIGHUP):  # the terminal sends them to all; whoever started this decides
        signal.signal(ignored, signal.SIG_IGN)
    _say(READY)
    asyncio.run(_serve())


async def _serve() -> None:
    lines = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin.buffer)
    if line := await lines.readline():
        load = Load.model_validate_json(line)
        outcome = await _work(load, lines)
        _tell(load, void_reason=outcome.void_reason, outcome=outcome)


async def _work(load: Load, lines: asyncio.StreamReader) -> Outcome:
    try:
        producer, sender = _prepare(load)
    except FloodmarkError as error:
        return Outcome(**failed_result(error).model_dump())
    keep_heap()
    gc.collect()
    gc.freeze()  # what is loaded by now stays; looking through it again and again holds calls up
    listening = asyncio.create_task(_listen(load, lines, producer))
    before_s = time.process_time()
    try:
        await sender.run()
    finally:
        listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    standing = producer.tick()
    return Outcome(
        **result_of(producer).model_dump(),
        schedule_delay_p99_ms=standing.schedule_delay_p99_ms,
        schedule_delay_max_ms=standing.schedule_delay_max_ms,
        all_calls_open_s=standing.all_calls_open_s,
        cpu_s=time.process_time() - before_s,
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


async def _listen(load: Load, lines: asyncio.StreamReader, producer: Producer) -> None:
    """Do what the starter says, until it says nothing more."""
    try:
        while line := await lines.readline():
            if line == GIVE_UP:
                producer.give_up()
            elif line == STOP:
                producer.stop()
            else:
                _follow(Order.model_validate_json(line), producer)
                _tell(load, void_reason=producer.void_reason)
    finally:
        producer.stop()


def _follow(order: Order, producer: Producer) -> None:
    producer.follow(order.shares)
    if order.void_reason:
        producer.void(order.void_reason)


def _tell(load: Load, *, void_reason: str, outcome: Outcome | None = None) -> None:
    word = Word(
        load=LOAD,
        worker=load.manifest.worker,
        now_ns=SystemClock().now_ns(),
        void_reason=void_reason,
        result=Result(**outcome.model_dump(include=set(Result.model_fields))) if outcome else None,
    )
    _say(Said(word=word, outcome=outcome).model_dump_json().encode() + b"\n")


def _say(line: bytes, file: BinaryIO = sys.stdout.buffer) -> None:
    try:
        file.write(line)
        file.flush()
    except BrokenPipeError:  # whoever started this is gone, and the ledger says all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
