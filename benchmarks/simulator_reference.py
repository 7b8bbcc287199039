"""The least that a Kinesis stand-in can do and still be right: `python benchmarks/simulator_reference.py PORT`.

A put parses its body, takes the MD5 of each key, looks up the shard, asks a bucket, appends, and answers with a
sequence number and a shard for each record; a get joins fragments that are ready. Nothing is validated, nothing is
ever forgotten, and there is no HTTP but a bare socket with one request after the other, whose length the head gives. It
is written as plain Python is written when it has to be fast, and is what the simulator's processor time is held
against.
"""

import gc
import selectors
import socket
import sys
import time
from _md5 import md5  # type: ignore[import-not-found]
from base64 import b64encode
from bisect import bisect_right
from typing import Any

import orjson

BYTES_A_SECOND = 10**9
RECORDS_A_SECOND = 10**7
STEP = 1 << 80
"""Sequence numbers have as many digits as the service's."""


class Shard:
    """One shard with one bucket for bytes and one for records."""

    __slots__ = (
        "arrivals_ms",
        "bytes_left",
        "data",
        "filled_ms",
        "first_number",
        "keys",
        "number",
        "ready",
        "records_left",
        "tail",
    )

    def __init__(self, number: int) -> None:
        self.bytes_left = BYTES_A_SECOND
        self.records_left = RECORDS_A_SECOND
        self.filled_ms = 0
        self.number = (2 << 184) + (number << 4)
        self.first_number = self.number + STEP
        self.keys: list[str] = []
        self.data: list[str] = []
        self.arrivals_ms: list[int] = []
        self.ready: list[bytes] = []
        self.tail = f'","ShardId":"shardId-{number:012d}"}}'


class Stream:
    """Shards of equal width."""

    def __init__(self, shards: int) -> None:
        self.shards = [Shard(number) for number in range(shards)]
        self.starts = [(2**128 // shards * number).to_bytes(16, "big") for number in range(shards)]


def put(stream: Stream, body: dict[str, Any]) -> bytes:
    now_ms = time.time_ns() // 1_000_000
    shards, starts = stream.shards, stream.starts
    answers = []
    for record in body["Records"]:
        text, data = record["PartitionKey"], record["Data"]
        key = text.encode()
        shard = shards[bisect_right(starts, md5(key).digest()) - 1]
        elapsed_ms = now_ms - shard.filled_ms
        if elapsed_ms:
            shard.filled_ms = now_ms
            shard.bytes_left = min(BYTES_A_SECOND, shard.bytes_left + elapsed_ms * BYTES_A_SECOND // 1000)
            shard.records_left = min(RECORDS_A_SECOND, shard.records_left + elapsed_ms * RECORDS_A_SECOND // 1000)
        size = len(key) + len(data) * 3 // 4
        if shard.bytes_left < size or shard.records_left < 1:
            return b'{"__type":"ProvisionedThroughputExceededException"}'
        shard.bytes_left -= size
        shard.records_left -= 1
        shard.number = number = shard.number + STEP
        shard.keys.append(text)
        shard.data.append(data)
        shard.arrivals_ms.append(now_ms)
        answers.append(f'{{"SequenceNumber":"{number}{shard.tail}')
    return f'{{"FailedRecordCount":0,"Records":[{",".join(answers)}]}}'.encode()


def get(shard: Shard, limit: int) -> bytes:
    for index in range(len(shard.ready), len(shard.keys)):
        record = {
            "SequenceNumber": str(shard.first_number + index * STEP),
            "ApproximateArrivalTimestamp": shard.arrivals_ms[index] / 1000,
            "Data": shard.data[index],
            "PartitionKey": shard.keys[index],
        }
        shard.ready.append(orjson.dumps(record))
    iterator = b64encode(b"x" * 60)
    return b"".join(
        (
            b'{"Records":[',
            b",".join(shard.ready[:limit]),
            b'],"MillisBehindLatest":0,"NextShardIterator":"%b"}' % iterator,
        )
    )


def answer(streams: dict[str, Stream], action: bytes, raw: bytes) -> bytes:
    body = orjson.loads(raw)
    if action == b"PutRecords":
        return put(streams[body["StreamName"]], body)
    if action == b"GetRecords":
        return get(streams[body["ShardIterator"]].shards[0], body["Limit"])
    if action == b"CreateStream":
        streams[body["StreamName"]] = Stream(body["ShardCount"])
    if action == b"GetShardIterator":
        return orjson.dumps({"ShardIterator": body["StreamName"]})
    return orjson.dumps({"StreamDescriptionSummary": {"StreamStatus": "ACTIVE"}})


class Connection:
    """Reads requests and answers them."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.channel = channel
        self._buffer = bytearray(1024 * 1024)
        self._size = 0

    def serve(self, streams: dict[str, Stream]) -> bool:
        """Take what has come in, and answer if it is a whole request; whether the client is still there."""
        got = self.channel.recv_into(memoryview(self._buffer)[self._size :])
        self._size += got
        end = self._buffer.find(b"\r\n\r\n", 0, 4096) + 4
        if end < 4:
            return got > 0
        head = bytes(self._buffer[:end]).lower()
        length = int(head[head.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
        if self._size < end + length:
            return got > 0
        place = head.index(b"kinesis_20131202.") + 17
        action = bytes(self._buffer[place : head.index(b"\r\n", place)])
        body = answer(streams, action, bytes(memoryview(self._buffer)[end : end + length]))
        self._size = 0
        self.channel.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        self.channel.sendall(body)
        return True


def main() -> None:
    port = int(sys.argv[1])
    streams: dict[str, Stream] = {}
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)
    ready = selectors.DefaultSelector()
    with socket.create_server(("127.0.0.1", port)) as listener:
        ready.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is listener:
                    connection = Connection(listener.accept()[0])
                    ready.register(connection.channel, selectors.EVENT_READ, connection)
                elif not key.data.serve(streams):
                    ready.unregister(key.data.channel)
                    key.data.channel.close()


if __name__ == "__main__":
    main()
