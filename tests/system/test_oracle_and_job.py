"""The oracle and the real job agree on every kind of order, good and bad, record by record."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from floodmark.clock import SystemClock
from floodmark.config import build_config
from floodmark.oracle import MAX_FUTURE_MS, AcceptedRecords, OracleSettings
from floodmark.oracle.abnormal_orders import AbnormalOrdersOracle
from floodmark.outputs import read_outputs
from floodmark.probe import Probe
from floodmark.reconcile import Reconciler, Reconciliation
from floodmark.scenarios import ABNORMAL_ORDERS, DEAD_LETTER_STREAM
from floodmark.systems.embedded import EmbeddedSystem, SystemSettings, SystemState
from floodmark.systems.flink import FlinkInstallation, FlinkLayout, FlinkRun, RestFlinkClient
from floodmark.systems.kinesis import BotoKinesisClient
from floodmark.trial.canary import ControlRecords
from floodmark.trial.job import job_options, running_job
from floodmark.trial.streams import prepare_streams

pytestmark = pytest.mark.system

SHARDS = 2
FUZZED = 300
TIMEOUT_S = 90.0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemState]:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "loopback")  # the simulator takes any, but the connector wants some
        running = EmbeddedSystem(tmp_path_factory.mktemp("system"), SystemSettings(slots=SHARDS))
        running.start()
    with running:
        yield running.state()


def hand_picked(now_ms: int) -> list[bytes]:
    """The edges of the grammar and of the rule."""
    lines = [
        *(
            f"o-{amount},{amount},north,{now_ms},toys"
            for amount in ("10000", "10000.00", "10000.01", "10000.1", "10001")
        ),
        *(
            f"o-p{amount},{amount},n,{now_ms}"
            for amount in ("999999999999.99", "000000010001", "1e5", "1.", ".5", "-1")
        ),
        *(f"o-p{amount},{amount},n,{now_ms}" for amount in ("", " 20000", "20000 ", "1.234", "1234567890123", "٣")),
        *(f"o-line-{n},20000,n,{now_ms},c{end}" for n, end in enumerate(("\n", "\r\n", "\r", "\n\n", " "))),
        *(f"o-short-{n},20000,n,{now_ms}{end}" for n, end in enumerate(("", "\n", "\r\n", "\n\n", ","))),
        *(
            f"{name},20000,n,{now_ms},c"
            for name in ("x" * 128, "x" * 129, "𝄞" * 128, "𝄞" * 129, "", " ", "a\tb", "\x85")
        ),
        *(
            f"o-region-{n},20000,{text},{now_ms},c"
            for n, text in enumerate(("", "süd", "\u2028", "\ufffd", "a\x7f", '"q"'))
        ),
        *(
            f"o-time-{n},20000,n,{text},c"
            for n, text in enumerate(("170000000000", "17000000000000", "x", "", "0" * 13))
        ),
        f"o-soon,20000,n,{now_ms + MAX_FUTURE_MS - 60_000},c",
        f"o-future,20000,n,{now_ms + MAX_FUTURE_MS + 600_000},c",
        f"o-far-future,1,n,{'9' * 13},c",
        *("", "\n", "\r\n", "one", "a,b", "a,b,c", "a,1,n,1,c,more", ",,,", ",,,,"),
        *("x" * 65_536, "x" * 65_537, "x" * 65_535 + "é", "é" * 40_000),
    ]
    raw = [b"\xff", b"a,1,n,1700000000000,\xc3", b"\xed\xa0\x80,1,n,1700000000000,c", b"\x00", b"\xff" * 70_000]
    return [*(line.encode() for line in lines), *raw]


def fuzzed(now_ms: int, randomness: random.Random) -> list[bytes]:
    """Good orders in which a byte or two were changed."""
    found = []
    for number in range(FUZZED):
        value = bytearray(f"o-fuzz-{number},{randomness.choice(('20000', '9.5'))},north,{now_ms},toys".encode())
        for _ in range(randomness.randint(0, 2)):
            value[randomness.randrange(len(value))] = randomness.choice(b"0123456789,.\n\r \x00\x7f\x85\xc3\xffaZ")
        found.append(bytes(value))
    return found


@pytest.mark.parametrize("api", ABNORMAL_ORDERS.apis)
def test_job_and_oracle_agree(system: SystemState, tmp_path: Path, api: str) -> None:
    client = BotoKinesisClient(endpoint=system.kinesis_endpoint, region="us-east-1")
    config = build_config({"scenario": ABNORMAL_ORDERS.name, "shards": SHARDS, "parallelism": SHARDS, "api": api})
    streams = {ABNORMAL_ORDERS.input_stream: SHARDS, ABNORMAL_ORDERS.output_stream: 1, DEAD_LETTER_STREAM: 1}
    prepare_streams(client, streams, ours=True)
    flink = RestFlinkClient(system.flink_address)
    layout = FlinkLayout(directory=system.folder / "flink", installation=FlinkInstallation.find())
    options = job_options(config, ABNORMAL_ORDERS, endpoint=system.kinesis_endpoint, job_name="oracle and job")
    probe = Probe(client, (ABNORMAL_ORDERS.output_stream, DEAD_LETTER_STREAM), tmp_path / "outputs.parquet")
    submitter = FlinkRun(layout=layout, address=system.flink_address)
    with running_job(flink, submitter, ABNORMAL_ORDERS, options, check=lambda: None) as job:
        probe.start()
        try:
            control = ControlRecords(
                client=client,
                scenario=ABNORMAL_ORDERS,
                run_token="t",
                ledger=tmp_path,
                clock=SystemClock(),
                watermark_delay_ms=config.watermark_delay_ms,
            )

            def seen() -> list[bytes]:
                return [one.value for one in probe.take_recent()]

            control.wait_until_answered(seen, timeout_s=TIMEOUT_S, check=job.check)
            put = put_all(client)
            control.wait_until_answered(seen, timeout_s=TIMEOUT_S, check=job.check)
            time.sleep(1)  # dead letters have a sink of their own, which flushes by its own clock
        finally:
            probe.stop()
    assert probe.error is None
    found = compare(put, tmp_path / "outputs.parquet")
    client.close()
    assert found.examples.model_dump() == {"lost": [], "duplicated": [], "unexpected": []}
    assert (found.outputs.lost, found.outputs.duplicated, found.outputs.unexpected) == (0, 0, 0)
    assert found.outputs.observed == found.outputs.expected > 100
    assert found.outputs.dead_letters > 50


def put_all(client: BotoKinesisClient) -> list[tuple[bytes, int, int]]:
    now_ms = time.time_ns() // 1_000_000
    put = []
    for number, value in enumerate((*hand_picked(now_ms), *fuzzed(now_ms, random.Random(20261120)))):
        if not value:
            continue  # the service itself refuses a record without data
        before_ms = time.time_ns() // 1_000_000
        client.put_record(ABNORMAL_ORDERS.input_stream, value, partition_key=f"key-{number}")
        put.append((value, before_ms, time.time_ns() // 1_000_000))
    return put


def compare(put: list[tuple[bytes, int, int]], outputs: Path) -> Reconciliation:
    oracle = AbnormalOrdersOracle(OracleSettings(input_stream=ABNORMAL_ORDERS.input_stream))
    reconciler = Reconciler(oracle, output_stream=ABNORMAL_ORDERS.output_stream, dead_letter_stream=DEAD_LETTER_STREAM)
    before_ms, after_ms = (np.array([row[column] for row in put], np.int64) for column in (1, 2))
    ones = np.ones(len(put), np.int64)
    records = AcceptedRecords(
        indices=np.arange(len(put)),
        values=[row[0] for row in put],
        intended_ms=before_ms,
        arrival_ms_min=before_ms,
        arrival_ms_max=after_ms,
        least=ones,
        most=ones,
        shards=-ones,
    )
    reconciler.expect(oracle.expect(records))
    for batch in read_outputs(outputs):
        reconciler.observe(batch)
    return reconciler.result()
