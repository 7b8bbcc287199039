"""The method of the public Kinesis-with-Locust sample, written anew: what generator.py compares this product with.

A Locust user makes a batch of dictionaries, serialises each, hands them all to boto3's `put_records`, does not look at
what the answer says, and fires one of Locust's events for each record. The users never wait, so the process is
saturated; it ends by itself after so many records.

Source of the method: the repository aws-samples/amazon-kinesis-load-testing-with-locust.
"""

import json
import os
import random
import time
import uuid

import boto3
import gevent
from locust import User, constant, events, task
from locust.env import Environment
from locust.exception import StopUser

BATCH_RECORDS = int(os.environ["SAMPLE_BATCH_RECORDS"])
RECORDS_MAX = int(os.environ["SAMPLE_RECORDS_MAX"])

_sent = 0


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def quit_when_all_is_sent(environment: Environment, **_: object) -> None:
    runner = environment.runner
    assert runner

    def watch() -> None:
        while _sent < RECORDS_MAX or runner.user_count:
            gevent.sleep(0.05)
        runner.quit()

    gevent.spawn(watch)


class SampleUser(User):
    """A sensor that reports as fast as it can."""

    wait_time = constant(0)

    def on_start(self) -> None:
        self.sensor = str(uuid.uuid4())
        self.kinesis = boto3.client(
            "kinesis",
            endpoint_url=os.environ["SAMPLE_ENDPOINT"],
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )

    @task
    def put(self) -> None:
        global _sent
        if _sent >= RECORDS_MAX:
            raise StopUser
        _sent += BATCH_RECORDS
        records = [self.record(number) for number in range(BATCH_RECORDS)]
        started_s = time.perf_counter()
        failure: Exception | None = None
        try:
            self.kinesis.put_records(StreamName="order-stream", Records=records)
        except Exception as error:
            failure = error
        taken_ms = (time.perf_counter() - started_s) * 1000
        for _ in range(BATCH_RECORDS):
            events.request.fire(  # type: ignore[no-untyped-call]
                request_type="put",
                name="record",
                response_time=taken_ms,
                response_length=0,
                response=None,
                context={},
                exception=failure,
            )

    def record(self, number: int) -> dict[str, str]:
        degrees = round(random.uniform(10, 180), 2)
        alarmed = degrees > 140 or random.random() < 0.2
        reading = {
            "sensorId": f"{self.sensor}_{number}",
            "temperature": degrees,
            "status": random.choice(("WARNING", "ERROR")) if alarmed else "OK",
            "timestamp": round(time.time() * 1000),
        }
        return {"Data": json.dumps(reading), "PartitionKey": str(reading["sensorId"])}
