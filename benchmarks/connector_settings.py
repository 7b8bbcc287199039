"""What each latency setting of the Kinesis tables buys: `python benchmarks/connector_settings.py [REPETITIONS]`.

Starts the simulator and a Flink cluster, and runs the abnormal-orders job at 1,500 orders a second on 3 shards with
parallelism 3, once per setting and repetition, the settings in turn. One order in five is abnormal. Printed is the
process stage: an alert's arrival in its stream minus the arrival of its order, both as the service stamped them, so
that neither the sender nor the reader is part of it. Figures of a row are medians over the repetitions.
"""

import json
import statistics
import sys
import time
from typing import Any

import boto3
import numpy as np
from botocore.config import Config
from own_cluster import OwnCluster, own_cluster

from floodmark import paths
from floodmark.systems.flink import wait_until_running

STREAMS = {"order-stream": 3, "alert-stream": 3, "dead-letter-stream": 1}
SLOTS = 4

RATE_RECORDS_PER_SECOND = 1_500
BATCH_RECORDS = 50
WARM_UP_S = 3.0
LOAD_S = 8.0
DRAIN_S = 7.0

SETTINGS: dict[str, list[str]] = {
    "as shipped": [],
    "sink flush 5 s (the connector's default)": ["--sink-flush", "5s"],
    "sink flush 500 ms": ["--sink-flush", "500ms"],
    "sink flush 100 ms": ["--sink-flush", "100ms"],
    "sink flush 20 ms": ["--sink-flush", "20ms"],
    "buffer timeout 100 ms (Flink's default)": ["--buffer-timeout", "100ms"],
    "buffer timeout 0 ms": ["--buffer-timeout", "0ms"],
    "poll interval 1 s": ["--poll-interval", "1s"],
    "poll interval 100 ms, twice the quota": ["--poll-interval", "100ms"],
    "sink batch 50": ["--sink-batch", "50"],
    "one request in flight": ["--sink-in-flight", "1"],
    "checkpoint every second": ["--checkpoint-interval", "1s"],
}


def send(kinesis: Any, duration_s: float) -> None:
    """Orders at the rate, in small batches, on a fixed schedule."""
    start_s = time.monotonic()
    for batch in range(int(duration_s * RATE_RECORDS_PER_SECOND / BATCH_RECORDS)):
        time.sleep(max(0.0, start_s + batch * BATCH_RECORDS / RATE_RECORDS_PER_SECOND - time.monotonic()))
        now_ms = time.time_ns() // 1_000_000
        first = batch * BATCH_RECORDS
        records = [
            {
                "Data": f"order-{number},{20_000 if number % 5 == 0 else 50}.25,eu-{number % 7},{now_ms},toys",
                "PartitionKey": f"order-{number}",
            }
            for number in range(first, first + BATCH_RECORDS)
        ]
        kinesis.put_records(StreamName="order-stream", Records=records)


def latencies_ms(kinesis: Any, since_s: float) -> list[float]:
    """Process latency of every alert that arrived from `since_s` (epoch seconds) on."""
    found: list[float] = []
    for shard in kinesis.list_shards(StreamName="alert-stream")["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName="alert-stream", ShardId=shard["ShardId"], ShardIteratorType="AT_TIMESTAMP", Timestamp=since_s
        )["ShardIterator"]
        for _ in range(100):
            answer = kinesis.get_records(ShardIterator=iterator)
            iterator = answer["NextShardIterator"]
            for record in answer["Records"]:
                arrival_ms = record["ApproximateArrivalTimestamp"].timestamp() * 1000
                found.append(arrival_ms - json.loads(record["Data"])["arrivalTime"])
            if not answer["Records"] and answer["MillisBehindLatest"] == 0:
                break
            time.sleep(0.25)
    return found


def measure(kinesis: Any, system: OwnCluster, options: list[str]) -> dict[str, float]:
    """One run of the job with these options."""
    client = system.flink
    job = system.submitter.submit(
        paths.FLINK_JOBS / "abnormal_orders.py", ["--endpoint", system.endpoint, "--parallelism", "3", *options]
    )
    wait_until_running(client, job, timeout_s=60)
    time.sleep(1.0)  # the source takes up its shards
    send(kinesis, WARM_UP_S)
    since_s = time.time()
    send(kinesis, LOAD_S)
    time.sleep(DRAIN_S)
    client.cancel(job)
    found = latencies_ms(kinesis, since_s)
    if len(found) < LOAD_S * RATE_RECORDS_PER_SECOND / 5 * 0.9:
        raise SystemExit(f"only {len(found)} alerts were seen: the figures would mean nothing")
    p50, p99 = np.percentile(found, [50, 99])
    return {"p50": p50, "p99": p99, "max": max(found)}


def main() -> None:
    """Measure every setting and print the table."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SETTINGS}
    with own_cluster(STREAMS, slots=SLOTS) as system:
        kinesis = boto3.client(
            "kinesis",
            endpoint_url=system.endpoint,
            region_name="us-east-1",
            aws_access_key_id="simulator",
            aws_secret_access_key="simulator",
            config=Config(retries={"mode": "standard", "max_attempts": 5}),
        )
        measure(kinesis, system, [])  # warms Java up; the first run is like no other
        for _ in range(repetitions):
            for name, options in SETTINGS.items():
                found[name].append(measure(kinesis, system, options))
                print(f"{name}: {found[name][-1]}", file=sys.stderr, flush=True)
    print("| setting | p50 ms | p99 ms | max ms |\n|---|---:|---:|---:|")
    for name, runs in found.items():
        row = [statistics.median(run[figure] for run in runs) for figure in ("p50", "p99", "max")]
        print(f"| {name} | " + " | ".join(f"{value:,.0f}" for value in row) + " |")


if __name__ == "__main__":
    main()
