"""What one process sends of one load: its ledger, its producer, and what they come to."""

import random

import gevent
from load_plan import LoadPlan
from load_report import LoadReport

from floodmark.clock import SystemClock
from floodmark.fleet import Result
from floodmark.fleet_result import result_of
from floodmark.ledger import LedgerWriter
from floodmark.producer import Producer, PutRecordsTransport

TICK_S = 0.25


class LoadSession:
    """Sends its part of a load. EnvironmentFailedError or ConfigurationError if its ledger cannot be made."""

    def __init__(self, plan: LoadPlan) -> None:
        manifest = plan.manifest
        profile, traffic = manifest.schedule(), manifest.traffic()
        transport = PutRecordsTransport(
            endpoint=manifest.endpoint,
            region=manifest.region,
            stream=manifest.stream,
            connections=plan.settings.senders,
        )
        self.plan = plan
        self.stream = manifest.stream
        self.producer = Producer(
            traffic=traffic,
            profile=profile,
            settings=plan.settings,
            transport=transport,
            ledger=LedgerWriter(plan.ledger, manifest),
            start_ns=manifest.start_ns,
            clock=SystemClock(),
            randomness=random.SystemRandom(),
            shares=manifest.shares,
            worker=manifest.worker,
        )
        self._ticker = gevent.spawn(self._tick)

    def finish(self, *, at_once: bool) -> Result:
        """Wait for the end, or end it now: send what is due, wait for what is in flight, close the ledger.

        A second call changes nothing.
        """
        if at_once:
            self.producer.stop()
        self.producer.finish()
        self._ticker.kill()
        return result_of(self.producer)

    def report(self, state: str) -> LoadReport:
        """How the part stands now."""
        standing, totals, delays = self.producer.tick(), self.producer.totals, self.producer.delays
        return LoadReport(
            load=self.plan.load,
            worker=self.plan.manifest.worker,
            state=state,
            accepted=totals.accepted,
            throttled=totals.throttled,
            failed=totals.failed,
            unknown=totals.unknown,
            missed=totals.missed,
            backlog=standing.due - standing.taken,
            retrying=standing.retrying,
            delays=list(delays.buckets().items()),
            delay_max_ms=delays.max_ms,
            shards=list(self.producer.accepted_by_shard().items()),
        )

    def _tick(self) -> None:
        while True:
            self.producer.tick()
            gevent.sleep(TICK_S)
