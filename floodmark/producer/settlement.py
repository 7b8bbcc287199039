"""What becomes of each record after a call: accepted, tried again, or given up; counted, and noted in the ledger."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ParamSpec

from floodmark.errors import EnvironmentFailedError
from floodmark.ledger import LedgerWriter, Outcome
from floodmark.producer.batch import Batch, CallResult, Retry
from floodmark.producer.dispatcher import Dispatcher
from floodmark.producer.settings import ProducerSettings
from floodmark.producer.transport import THROTTLING_CODES, Answer, Ending
from floodmark.schedule import NANOSECONDS_PER_SECOND

NANOSECONDS_PER_MILLISECOND = 1_000_000
_DOUBLINGS_MAX = 16

Arguments = ParamSpec("Arguments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Records by what became of them, so far; `throttled` counts answers."""

    accepted: int = 0
    failed: int = 0
    unknown: int = 0
    missed: int = 0
    throttled: int = 0


class Settlement:
    """Settles records. Not safe for threads by itself.

    When the ledger takes nothing more, `ledger_error` says why; the counts stay right.
    """

    def __init__(
        self, dispatcher: Dispatcher, ledger: LedgerWriter, settings: ProducerSettings, randomness: random.Random
    ) -> None:
        self._dispatcher = dispatcher
        self._ledger = ledger
        self._settings = settings
        self._randomness = randomness
        self._retry_deadline_ns = round(settings.retry_deadline_s * NANOSECONDS_PER_SECOND)
        self.totals = Totals()
        self.ledger_error: EnvironmentFailedError | None = None

    def settle(self, batch: Batch, answer: Answer, now_ns: int) -> CallResult:
        """Every record of a call that ended now."""
        result = CallResult(
            ending=answer.ending,
            records=len(batch),
            latency_ms=(now_ns - batch.sent_ns) / NANOSECONDS_PER_MILLISECOND,
            size_bytes=answer.size_bytes,
            detail=answer.detail,
        )
        everything = range(len(batch))
        match answer.ending:
            case Ending.ANSWERED:
                return self._settle_each(batch, answer, now_ns, result)
            case Ending.UNANSWERED:
                return replace(result, unknown=self._doubt([batch.record(at) for at in everything], now_ns))
            case Ending.REFUSED:
                self.give_up([batch.record(at) for at in everything])
                return replace(result, refused=len(batch), failed=len(batch))
            case Ending.THROTTLED:
                failed = self._try_again(batch, dict.fromkeys(everything, True), now_ns)
                return replace(result, refused=len(batch), throttled=len(batch), failed=failed)
            case Ending.UNAVAILABLE:
                failed = self._try_again(batch, dict.fromkeys(everything, False), now_ns)
                return replace(result, refused=len(batch), failed=failed)

    def abandon(self, batch: Batch) -> None:
        """Settle a batch whose answer nobody waits for any more, by whether it was sent."""
        if batch.sent_ns:
            self._conclude(Outcome.UNKNOWN, [batch.record(at) for at in range(len(batch))])
        else:
            self.give_up(batch.retries)
            self.miss(batch.first_index, batch.fresh)

    def give_up(self, records: Sequence[Retry]) -> None:
        """Try these no more. They have failed, but for those that an earlier try may have put into the stream."""
        self._conclude(Outcome.FAILED, [record for record in records if not record.doubtful])
        self._conclude(Outcome.UNKNOWN, [record for record in records if record.doubtful])

    def miss(self, first_index: int, count: int) -> None:
        """These were never sent."""
        self._count(missed=count)
        self._note(self._ledger.missed, first_index, count)

    def _settle_each(self, batch: Batch, answer: Answer, now_ns: int, result: CallResult) -> CallResult:
        accepted = [at for at in range(len(batch)) if at not in answer.errors]
        self._accept(batch, answer, accepted, now_ns)
        throttled = {at: code in THROTTLING_CODES for at, code in answer.errors.items()}
        failed = self._try_again(batch, throttled, now_ns)
        after_ns = now_ns - batch.every_intended_ns()[accepted]
        return replace(
            result,
            accepted=len(accepted),
            refused=len(throttled),
            throttled=sum(throttled.values()),
            failed=failed,
            accepted_after_ms=after_ns / NANOSECONDS_PER_MILLISECOND,
            detail=", ".join(sorted(set(answer.errors.values()))),
        )

    def _accept(self, batch: Batch, answer: Answer, accepted: Sequence[int], now_ns: int) -> None:
        """Note where records lie. Those that may be there twice stay unknown, but with their place."""
        doubtful = {at for at, record in enumerate(batch.retries) if record.doubtful}
        sure, unsure = accepted, [at for at in accepted if at in doubtful]
        if unsure:
            sure = [at for at in accepted if at not in doubtful]
        for outcome, places in ((Outcome.ACCEPTED, sure), (Outcome.UNKNOWN, unsure)):
            self._note(
                self._ledger.settle,
                outcome,
                [batch.index(at) for at in places],
                [batch.throttled(at) for at in places],
                acknowledged_ns=now_ns,
                shards=[answer.shards[at] for at in places],
                sequences=[answer.sequences[at] for at in places],
            )
        self._count(accepted=len(sure), unknown=len(unsure))

    def _doubt(self, records: Sequence[Retry], now_ns: int) -> int:
        """Nobody knows whether these arrived. Returns how many are given up."""
        for record in records:
            record.doubtful = True
        if self._settings.resend_unknown:
            return self._put_back(records, now_ns)
        self.give_up(records)
        return len(records)

    def _try_again(self, batch: Batch, throttled: Mapping[int, bool], now_ns: int) -> int:
        """Put refused records (by position; whether for a quota) back in line. Returns how many are given up."""
        records = []
        for at, was_throttled in throttled.items():
            record = batch.record(at)
            record.throttled += was_throttled
            records.append(record)
        self._count(throttled=sum(throttled.values()))
        return self._put_back(records, now_ns)

    def _put_back(self, records: Sequence[Retry], now_ns: int) -> int:
        hopeless = []
        for record in records:
            record.tries += 1
            record.ready_ns = now_ns + self._pause_ns(record.tries)
            if record.ready_ns > record.sent_ns + self._retry_deadline_ns:
                hopeless.append(record)
            else:
                self._dispatcher.retry(record)
        self.give_up(hopeless)
        return len(hopeless)

    def _pause_ns(self, tries: int) -> int:
        """Doubling from the first pause up to the longest, and up to half of it less by chance."""
        pause_ms = self._settings.backoff_first_ms * (1 << min(tries - 1, _DOUBLINGS_MAX))
        pause_ms = min(pause_ms, self._settings.backoff_max_ms) * self._randomness.uniform(0.5, 1.0)
        return round(pause_ms * NANOSECONDS_PER_MILLISECOND)

    def _conclude(self, outcome: Outcome, records: Sequence[Retry]) -> None:
        """Settle records that have no known place in the stream."""
        self._count(**{outcome.name.lower(): len(records)})
        indices, throttled = [one.index for one in records], [one.throttled for one in records]
        self._note(self._ledger.settle, outcome, indices, throttled)

    def _count(self, **more: int) -> None:
        grown = {name: getattr(self.totals, name) + count for name, count in more.items() if count}
        if grown:
            self.totals = replace(self.totals, **grown)

    def _note(self, write: Callable[Arguments, None], *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        """Write to the ledger, as long as it takes anything."""
        if self.ledger_error:
            return
        try:
            write(*args, **kwargs)
        except EnvironmentFailedError as error:
            self.ledger_error = error
