"""One start of a load test: its ledger, its producer, and what it comes to."""

import random
import string
from pathlib import Path

import gevent

from floodmark import paths
from floodmark.clock import SystemClock
from floodmark.errors import EnvironmentFailedError
from floodmark.ledger import LedgerWriter, Manifest
from floodmark.load_options import LoadOptions
from floodmark.producer import Producer, PutRecordsTransport, Totals
from floodmark.store import new_run_id
from floodmark.systems.kinesis import BotoKinesisClient, StreamMissingError

LEAD_S = 0.5
"""From the start of the test to the first due record: the senders are up by then."""

TICK_S = 0.25
READY_TIMEOUT_S = 3.0
FOLDERS_MAX = 10_000

_TOKEN_CHARACTERS = 8


def require_stream(options: LoadOptions) -> None:
    """EnvironmentFailedError if nobody answers at the endpoint, or there is no such stream."""
    client = BotoKinesisClient(endpoint=options.endpoint, region=options.region)
    try:
        client.wait_until_ready(READY_TIMEOUT_S)
        client.shards(options.stream)
    except StreamMissingError as error:
        raise EnvironmentFailedError(
            f"there is no stream {options.stream} at {options.endpoint}", "create it, or name another with --stream"
        ) from error
    except EnvironmentFailedError as error:
        raise EnvironmentFailedError(
            error.message, "`floodmark up` starts an endpoint on this machine; --endpoint names another"
        ) from error
    finally:
        client.close()


class LoadSession:
    """Sends one load. EnvironmentFailedError or ConfigurationError if its ledger cannot be made."""

    def __init__(self, options: LoadOptions, folder: Path) -> None:
        clock, randomness = SystemClock(), random.SystemRandom()
        token = "".join(randomness.choices(string.ascii_lowercase + string.digits, k=_TOKEN_CHARACTERS))
        traffic_options = options.traffic(token)
        transport = PutRecordsTransport(
            endpoint=options.endpoint,
            region=options.region,
            stream=options.stream,
            connections=options.settings.senders,
        )
        traffic, profile = traffic_options.build(), options.profile.build()
        manifest = Manifest(
            traffic_options=traffic_options,
            profile=options.profile,
            start_ns=clock.now_ns() + round(LEAD_S * 1e9),
            stream=options.stream,
            region=options.region,
            endpoint=options.endpoint,
        )
        self.options = options
        self.folder = folder
        self.producer = Producer(
            traffic=traffic,
            profile=profile,
            settings=options.settings,
            transport=transport,
            ledger=LedgerWriter(folder, manifest),
            start_ns=manifest.start_ns,
            clock=clock,
            randomness=randomness,
        )
        self._ticker = gevent.spawn(self._tick)

    def finish(self) -> Totals:
        """Send what is due, wait for what is in flight, close the ledger. A second call changes nothing."""
        self.producer.stop()
        totals = self.producer.finish()
        self._ticker.kill()
        return totals

    @property
    def exit_code(self) -> int:
        """Once finished. 0: all accepted, on schedule · 1: some not · 3: void · otherwise what the error says."""
        if self.producer.failure:
            return self.producer.failure.exit_code
        if self.producer.void_reason:
            return 3
        totals = self.producer.totals
        return 1 if totals.failed or totals.unknown else 0

    def summary(self) -> str:
        """What came of it, in one line."""
        totals, standing = self.producer.totals, self.producer.tick()
        counts = f"accepted {totals.accepted:,}, failed {totals.failed:,}, unknown {totals.unknown:,}"
        return (
            f"records: {counts}, missed {totals.missed:,}; throttling answers {totals.throttled:,}; schedule delay"
            f" p99 {standing.schedule_delay_p99_ms:.1f} ms, largest {standing.schedule_delay_max_ms:.1f} ms;"
            f" ledger in {self.folder}"
        )

    def _tick(self) -> None:
        while True:
            self.producer.tick()
            gevent.sleep(TICK_S)


def choose_folder(options: LoadOptions) -> Path:
    """Where the next ledger goes: the folder that was named, or the next free one beside it; else a new one."""
    if options.ledger is None:
        run_id = new_run_id(options.kind, SystemClock().now_ns(), random.SystemRandom())
        return paths.runs() / "locust" / run_id / "ledger"
    candidates = [
        options.ledger,
        *(options.ledger.with_name(f"{options.ledger.name}-{n}") for n in range(2, FOLDERS_MAX)),
    ]
    return next(folder for folder in candidates if not any(folder.glob("manifest-*.json")))
