"""A stand-in for the service that answers PutRecords as cheaply as can be, so that a sender is all that is measured.

It stores nothing and checks nothing: it counts the records of a call, and sends an answer that it has ready. `GET
/stall/SECONDS` makes it stand still for so long, everything included; `GET /taken` says how many records came in.
"""

import argparse
import asyncio
import re
import time
from functools import lru_cache

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_SHARDS = 4
_FIRST_SEQUENCE = 49650000000000000000000000000000000000000000000000000000
_SHARD_STEP = 22300745198530623141535718272648361505980416
_RECORD_STEP = 1208925819614629174706176


class Sink:
    """What all connections share."""

    def __init__(self) -> None:
        self.taken = 0

    def answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"GET /stall/"):
            time.sleep(float(head[11 : head.index(b" ", 11)]))
            return _response(b"")
        if head.startswith(b"GET /taken"):
            return _response(str(self.taken).encode())
        if b".ListStreams" in head:
            return _response(b'{"StreamNames":["order-stream"],"HasMoreStreams":false}')
        if b".ListShards" in head:
            return _response(_SHARD_LIST)
        count = body.count(b'"PartitionKey":') or body.count(b'"PartitionKey" :')
        self.taken += count
        return put_answer(count)


class Connection(asyncio.Protocol):
    """Collects requests and answers them in their order."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._have += len(data)
        while self._have >= self._need:
            whole = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            end = whole.find(_HEAD_END)
            if end < 0:
                self._parts, self._need = [whole], 0
                return
            found = _LENGTH.search(whole, 0, end)
            self._need = end + len(_HEAD_END) + (int(found[1]) if found else 0)
            if self._have < self._need:
                self._parts = [whole]
                return
            assert self._transport is not None
            self._transport.write(self._sink.answer(whole[:end], whole[end + len(_HEAD_END) : self._need]))
            rest = whole[self._need :]
            self._parts, self._have, self._need = ([rest] if rest else []), len(rest), 0
            if not rest:
                return


@lru_cache(maxsize=1024)
def put_answer(count: int) -> bytes:
    """That so many records were accepted, as the service words it."""
    records = (
        b'{"SequenceNumber":"%d","ShardId":"shardId-%012d"}'
        % (_FIRST_SEQUENCE + at * 7 % _SHARDS * _SHARD_STEP + at * _RECORD_STEP, at * 7 % _SHARDS)
        for at in range(count)
    )
    return _response(b'{"FailedRecordCount":0,"Records":[%b]}' % b",".join(records))


def _response(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


_SHARD_LIST = (
    b'{"Shards":[{"ShardId":"shardId-000000000000","HashKeyRange":{"StartingHashKey":"0","EndingHashKey":'
    b'"340282366920938463463374607431768211455"},"SequenceNumberRange":{"StartingSequenceNumber":"1"}}]}'
)


async def serve(port: int) -> None:
    """Serve until the process is ended; the port is the first line of standard output."""
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(sink), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))
