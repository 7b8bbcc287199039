"""Sends a schedule of records to a stream, open loop, and accounts for every one of them.

Whoever sends asks for the next batch, waits until there is one, and sends it: threads or greenlets, as many as there
may be calls in flight. How many they are changes what can be in flight, never what is due.

    while batch := producer.next_batch():
        producer.send(batch)

Somebody else calls `tick` a few times a second, and `finish` at the end.
"""

import random
import threading
from collections.abc import Sequence

from floodmark.clock import Clock
from floodmark.errors import EnvironmentFailedError, FloodmarkError
from floodmark.ledger import LedgerWriter, Standing
from floodmark.producer.aggregator import Aggregator
from floodmark.producer.batch import Batch, CallResult
from floodmark.producer.call_clock import CallClock
from floodmark.producer.delays import DelayHistogram
from floodmark.producer.dispatcher import Dispatcher, Over, Wait, backlog_excess
from floodmark.producer.key_order import KeyOrder
from floodmark.producer.packer import Packer
from floodmark.producer.portion import Portion
from floodmark.producer.settings import REQUEST_BYTES_MAX, ProducerSettings
from floodmark.producer.settlement import Settlement, Totals, runs
from floodmark.producer.transport import Answer, Ending, LoopTransport, Request, Transport
from floodmark.schedule import NANOSECONDS_PER_SECOND, Profile
from floodmark.share import Shares
from simulators.traffic import Traffic

NAP_S = 0.02
"""A sender that waits looks up this often: a record that is to be tried again may have become the next one."""


class Producer:
    """One worker's producer for one load. Safe for threads and greenlets.

    `failure` is the error that ended it early, if one did; `void_reason` says why the load that was sent is not the one
    that was asked for. `shard_starts`, the least hash key of each shard, is for a load that is to be aggregated.
    """

    def __init__(
        self,
        *,
        traffic: Traffic,
        profile: Profile,
        settings: ProducerSettings,
        transport: Transport | LoopTransport,
        ledger: LedgerWriter,
        start_ns: int,
        clock: Clock,
        randomness: random.Random,
        shares: Shares | None = None,
        worker: int = 0,
        shard_starts: Sequence[int] = (),
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._ledger = ledger
        self._clock = clock
        self._portion = Portion(profile, shares or Shares.alone(profile.total), worker)
        self._dispatcher = Dispatcher(self._portion, settings, start_ns)
        order = KeyOrder() if settings.ordered else None
        several = settings.aggregate_records
        aggregator = Aggregator(shard_starts, several) if several > 1 else None
        self._packer = Packer(traffic, self._dispatcher, order, aggregator)
        self._settlement = Settlement(self._dispatcher, ledger, settings, randomness, order)
        self._calls = CallClock(settings.senders)
        self._drain_ns = round(settings.drain_timeout_s * NANOSECONDS_PER_SECOND)
        self._profile = profile
        self._start_ns = start_ns
        self._offered_end = profile.total
        self._deadline_ns = self._drained_ns(profile.total)
        self._in_flight: set[Batch] = set()
        self._delays = DelayHistogram()
        self._turn = threading.Lock()
        self._state = threading.RLock()
        self._finishing = threading.Lock()
        self._closed = False
        self._stopped_early = False
        self.void_reason = ""
        self.failure: FloodmarkError | None = None

    @property
    def totals(self) -> Totals:
        """What became of the records so far."""
        return self._settlement.totals

    @property
    def delays(self) -> DelayHistogram:
        """The schedule delays so far."""
        return self._delays

    def accepted_by_shard(self) -> dict[str, int]:
        """How many records each shard has accepted so far."""
        return self._ledger.accepted_by_shard()

    @property
    def is_over(self) -> bool:
        """Whether nothing is due, in flight or waiting any more, or the time for it has run out."""
        with self._state:
            drained = self._dispatcher.is_over and not self._in_flight
            return self._closed or drained or self._clock.now_ns() >= self._deadline_ns

    def next_batch(self) -> Batch | None:
        """Wait for the next batch; None when there will be none. One sender waits for it, the others for their turn."""
        with self._turn:
            while True:
                step = self.step()
                if not isinstance(step, Wait):
                    return step
                pause_s = (step.until_ns - self._clock.now_ns()) / NANOSECONDS_PER_SECOND
                self._clock.sleep(max(0.0, min(pause_s, NAP_S)))

    def send(self, batch: Batch) -> CallResult:
        """Make the call, once, and settle each record: accepted, to be tried again, or given up.

        Never raises for what the service does. What fails on this machine (disk, credentials) ends the producer, see
        `failure`. When the caller is killed meanwhile, the records are settled by whether they were sent.
        """
        request = self.begin(batch)
        if isinstance(request, CallResult):
            return request
        try:
            answer = self._transport.send(request)
        except BaseException:
            self.abandon(batch)
            raise
        if not isinstance(answer, Answer):
            answer.close()
            raise TypeError("the transport is one for an event loop, which is for those who call begin and end")
        return self.end(batch, answer)

    def step(self) -> Batch | Wait | None:
        """The next batch, if there is one now; for those who wait, and make the call, in a way of their own.

        Every batch must go to `send`, or to `begin` and then `end` or `abandon`.
        """
        now_ns = self._clock.now_ns()
        with self._state:
            if self._closed or now_ns >= self._deadline_ns:
                return None
            step = self._dispatcher.next(now_ns)
            if isinstance(step, Over):
                return Wait(now_ns + round(NAP_S * NANOSECONDS_PER_SECOND)) if self._in_flight else None
            if isinstance(step, Batch):
                self._packer.open(step)
                if not step:
                    return Wait(now_ns)
                self._in_flight.add(step)
            return step

    def begin(self, batch: Batch) -> Request | CallResult:
        """The call to make for a batch, which counts as sent from now on; or how it ended before it could be made."""
        try:
            request = self._transport.prepare(self._body(batch), len(batch))
            return request if self._stamp(batch) else _given_up(batch)
        except FloodmarkError as error:
            self._fail(error, at_once=True)
            self.abandon(batch)
            return CallResult(ending=Ending.REFUSED, records=batch.records, failed=batch.records, detail=error.message)
        except BaseException:
            self.abandon(batch)
            raise

    def end(self, batch: Batch, answer: Answer) -> CallResult:
        """Settle each record of a call that has come back."""
        now_ns = self._clock.now_ns()
        with self._state:
            self._delays.add(batch.first_delays_ns())
            if not self._take_back(batch, now_ns):  # given up while the answer was on its way
                return _given_up(batch)
            result = self._settlement.settle(batch, answer, now_ns)
            if answer.ending is Ending.REFUSED:
                self._fail(_refusal(answer.detail), at_once=False)
            self._check_ledger()
            return result

    def abandon(self, batch: Batch) -> None:
        """Settle a batch whose answer nobody waits for any more, by whether it was sent."""
        with self._state:
            if self._take_back(batch, self._clock.now_ns()):
                self._settlement.abandon(batch)
                self._check_ledger()

    def tick(self) -> Standing:
        """Write what is known to the ledger, and see whether the backlog is past its limit."""
        with self._state:
            now_ns = self._clock.now_ns()
            standing = self._standing(now_ns)
            if not self._closed:
                self._check_backlog(now_ns)
                self._flush(standing)
            return standing

    def stop(self) -> None:
        """End the schedule now: what is due is still sent, within the drain time; what is not due is not offered."""
        with self._state:
            now_ns = self._clock.now_ns()
            if self._closed or self.void_reason or self._dispatcher.is_over:
                return
            self._deadline_ns = min(self._deadline_ns, now_ns + self._drain_ns)
            due_index = max(self._portion.taken_end, self._portion.due_index(now_ns - self._start_ns))
            self._stopped_early = self._stopped_early or due_index < self._offered_end
            self._offered_end = due_index
            self._dispatcher.end_at(due_index)

    def follow(self, shares: Shares) -> None:
        """Go on with other shares of the schedule, which may let it end earlier too."""
        with self._state:
            is_news = shares.revision != self._portion.shares.revision
            if not self._closed:
                self._dispatcher.follow(shares)
                self._end_with(shares)
            self._portion.shares = shares
            if is_news:
                self._note(shares)

    def void(self, reason: str) -> None:
        """Take no new records, because the load as a whole is void for that reason."""
        with self._state:
            if not self._closed:
                self._void(reason)

    def give_up(self) -> None:
        """Wait for nothing any more; `finish` then settles what is left."""
        with self._state:
            self._deadline_ns = min(self._deadline_ns, self._clock.now_ns())

    def finish(self) -> Totals:
        """Wait until everything is sent and answered, or the time for it has run out, and close the ledger.

        What is in flight then is unknown, what waits for another try has failed, what was not sent is missed. A second
        call waits for the first and does nothing.
        """
        with self._finishing:
            while not self.is_over:
                self._clock.sleep(NAP_S / 2)
            with self._state:
                if not self._closed:
                    self._close()
        return self.totals

    def _end_with(self, shares: Shares) -> None:
        if self.void_reason:
            return
        if shares.end_index < self._offered_end:
            self._stopped_early = True
            self._deadline_ns = min(self._deadline_ns, self._drained_ns(shares.end_index))
        self._offered_end = self._portion.end_index

    def _note(self, shares: Shares) -> None:
        try:
            self._ledger.note(shares)
        except EnvironmentFailedError as error:
            self._fail(error, at_once=True)

    def _drained_ns(self, end_index: int) -> int:
        """When a load that ends before that record must be over."""
        last_due_ns = int(self._profile.due_offsets_ns(end_index - 1, 1)[0]) if end_index else 0
        return self._start_ns + last_due_ns + self._drain_ns

    def _body(self, batch: Batch) -> bytes:
        body = self._packer.body(batch)
        if len(body) > REQUEST_BYTES_MAX and len(batch) > 1:
            with self._state:
                if batch in self._in_flight:  # else it was given up meanwhile, and accounted for as a whole
                    self._packer.split(batch)
            body = self._packer.body(batch)
        return body

    def _stamp(self, batch: Batch) -> bool:
        """Note that the batch is sent now, and which of its records for the first time; False if it was given up."""
        with self._state:
            if batch not in self._in_flight:
                return False
            sent_ns = self._clock.now_ns()
            new = [parcel for parcel in batch.parcels if not parcel.sent_ns]
            stretches = runs(new)
            if batch.fresh:
                stretches.append((batch.first_index, batch.fresh))
            if stretches:
                self._ledger.intend(stretches, sent_ns)
            for parcel in new:
                parcel.sent_ns = sent_ns
            batch.sent_ns = sent_ns
            self._calls.begin(sent_ns)
            return True

    def _take_back(self, batch: Batch, now_ns: int) -> bool:
        """Whether the batch was in flight; it is not any more."""
        if batch not in self._in_flight:
            return False
        self._in_flight.remove(batch)
        if batch.sent_ns:
            self._calls.end(now_ns)
        return True

    def _check_backlog(self, now_ns: int) -> None:
        if not self.void_reason and (excess := backlog_excess(self._dispatcher, self._settings, now_ns)):
            self._void(excess)

    def _check_ledger(self) -> None:
        if self._settlement.ledger_error:
            self._fail(self._settlement.ledger_error, at_once=True)

    def _void(self, reason: str) -> None:
        """Take no new records: the rest of the schedule is missed. What is in flight or waits is still seen through."""
        self.void_reason = self.void_reason or reason
        self._dispatcher.end_at(self._portion.taken_end)
        self._deadline_ns = min(self._deadline_ns, self._clock.now_ns() + self._drain_ns)

    def _fail(self, error: FloodmarkError, *, at_once: bool) -> None:
        with self._state:
            self.failure = self.failure or error
            self._void(error.message)
            if at_once:
                self.give_up()

    def _flush(self, standing: Standing) -> None:
        try:
            self._ledger.flush(standing)
        except EnvironmentFailedError as error:
            self._fail(error, at_once=True)

    def _standing(self, now_ns: int) -> Standing:
        return Standing(
            now_ns=now_ns,
            due=max(self._portion.due(now_ns - self._start_ns), self._portion.taken),
            taken=self._portion.taken,
            retrying=self._dispatcher.retrying,
            throttled=self.totals.throttled,
            schedule_delay_p99_ms=self._delays.percentile_ms(99),
            schedule_delay_max_ms=self._delays.max_ms,
            all_calls_open_s=self._calls.all_open_ns(now_ns) / NANOSECONDS_PER_SECOND,
        )

    def _close(self) -> None:
        for first_index, count in runs(self._packer.drop_held()):
            self._settlement.miss(first_index, count)
        for batch in list(self._in_flight):
            self.abandon(batch)
        self._settlement.give_up(self._dispatcher.drop_retries())
        self._settlement.miss_rest(self._portion, self._offered_end)
        if self.totals.missed and not self.void_reason:
            self.void_reason = f"{self.totals.missed} records were due and could not be sent in time"
        now_ns = self._clock.now_ns()
        self._flush(self._standing(now_ns))
        self._check_ledger()
        try:
            self._ledger.close(
                now_ns=now_ns,
                end_index=self._offered_end,
                void_reason=self.void_reason,
                stopped_early=self._stopped_early,
            )
        except EnvironmentFailedError as error:
            self._fail(error, at_once=True)
        self._closed = True
        self._transport.close()


def _given_up(batch: Batch) -> CallResult:
    return CallResult(ending=Ending.UNANSWERED, records=batch.records, unknown=batch.records, detail="given up")


_REMEDIES = {
    "ResourceNotFoundException": "the stream does not exist there, or not any more: create it, or name another",
    "ExpiredTokenException": "log in again: the credentials have run out",
    "AccessDeniedException": "the credentials lack the permission kinesis:PutRecords on this stream",
    "UnrecognizedClientException": "check the credentials: the service does not know them",
    "InvalidSignatureException": "check the secret key, and the clock of this machine",
}


def _refusal(detail: str) -> EnvironmentFailedError:
    code = detail.partition(":")[0]
    otherwise = "check that the stream exists there, and the credentials and permissions if it asks for any"
    return EnvironmentFailedError(f"the service refused the records: {detail}", _REMEDIES.get(code, otherwise))
