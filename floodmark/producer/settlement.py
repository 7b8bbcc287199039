"""What becomes of each record after a call: accepted, tried again, or given up; counted, and noted in the ledger."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ParamSpec

import numpy as np
import numpy.typing as npt

from floodmark.errors import EnvironmentFailedError
from floodmark.ledger import LedgerWriter, Outcome
from floodmark.limits import THROTTLING_CODES
from floodmark.producer.batch import Batch, CallResult, Columns, Parcel
from floodmark.producer.dispatcher import Dispatcher
from floodmark.producer.key_order import KeyOrder
from floodmark.producer.portion import Portion
from floodmark.producer.settings import ProducerSettings
from floodmark.producer.transport import Answer, Ending
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

    `order`, if there is one, hears of every parcel that has come to its end. When the ledger takes nothing more,
    `ledger_error` says why; the counts stay right.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        ledger: LedgerWriter,
        settings: ProducerSettings,
        randomness: random.Random,
        order: KeyOrder | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._ledger = ledger
        self._settings = settings
        self._randomness = randomness
        self._order = order
        self._retry_deadline_ns = round(settings.retry_deadline_s * NANOSECONDS_PER_SECOND)
        self._settled_ns = 0
        self.totals = Totals()
        self.ledger_error: EnvironmentFailedError | None = None

    def settle(self, batch: Batch, answer: Answer, now_ns: int) -> CallResult:
        """Every record of a call that ended now."""
        self._settled_ns = now_ns
        result = CallResult(
            ending=answer.ending,
            records=batch.records,
            latency_ms=(now_ns - batch.sent_ns) / NANOSECONDS_PER_MILLISECOND,
            size_bytes=answer.size_bytes,
            detail=answer.detail,
        )
        everything = range(len(batch))
        match answer.ending:
            case Ending.ANSWERED:
                return self._settle_each(batch, answer, now_ns, result)
            case Ending.UNANSWERED:
                return replace(result, unknown=self._doubt([batch.parcel(at) for at in everything], now_ns))
            case Ending.REFUSED:
                self.give_up([batch.parcel(at) for at in everything])
                return replace(result, refused=batch.records, failed=batch.records)
            case Ending.THROTTLED:
                _, failed = self._try_again(batch, dict.fromkeys(everything, True), now_ns)
                return replace(result, refused=batch.records, throttled=batch.records, failed=failed)
            case Ending.UNAVAILABLE:
                _, failed = self._try_again(batch, dict.fromkeys(everything, False), now_ns)
                return replace(result, refused=batch.records, failed=failed)

    def abandon(self, batch: Batch) -> None:
        """Settle a batch whose answer nobody waits for any more, by whether it was sent."""
        if batch.sent_ns:
            parcels = [batch.parcel(at) for at in range(len(batch))]
            self._conclude(Outcome.UNKNOWN, parcels)
            self._end(parcels)
        else:
            self.give_up(batch.parcels)
            self.miss(batch.first_index, batch.fresh)

    def give_up(self, parcels: Sequence[Parcel]) -> None:
        """Try these no more. They have failed, but for those that may be in the stream, and those never sent."""
        sent = [parcel for parcel in parcels if parcel.sent_ns]
        self._conclude(Outcome.FAILED, [parcel for parcel in sent if not parcel.doubtful])
        self._conclude(Outcome.UNKNOWN, [parcel for parcel in sent if parcel.doubtful])
        for first_index, count in runs(parcel for parcel in parcels if not parcel.sent_ns):
            self.miss(first_index, count)
        self._end(parcels)

    def miss(self, first_index: int, count: int) -> None:
        """These were never sent."""
        self._count(missed=count)
        self._note(self._ledger.missed, first_index, count)

    def miss_rest(self, portion: Portion, end_index: int) -> None:
        """What has not been taken of a worker's part, up to that record, was never sent."""
        count = portion.remaining(end_index)
        self._count(missed=count)
        self._note(self._ledger.rest_missed, portion.next_index, end_index, count)

    def _settle_each(self, batch: Batch, answer: Answer, now_ns: int, result: CallResult) -> CallResult:
        if not answer.errors and not batch.parcels:
            return self._accept_all(batch, answer, now_ns, result)
        columns = batch.columns()
        accepted = np.ones(len(batch), np.bool_)
        accepted[list(answer.errors)] = False
        stored = accepted[columns.position]
        self._accept(columns, stored, answer, now_ns)
        self._end([parcel for parcel, is_in in zip(batch.parcels, accepted.tolist(), strict=False) if is_in])
        throttled, failed = 0, 0
        if answer.errors:
            codes = {at: code in THROTTLING_CODES for at, code in answer.errors.items()}
            throttled, failed = self._try_again(batch, codes, now_ns)
        return replace(
            result,
            accepted=int(np.count_nonzero(stored)),
            refused=int(np.count_nonzero(~stored)),
            throttled=throttled,
            failed=failed,
            accepted_after_ms=(now_ns - columns.intended_ns[stored]) / NANOSECONDS_PER_MILLISECOND,
            detail=", ".join(sorted(set(answer.errors.values()))),
        )

    def _accept_all(self, batch: Batch, answer: Answer, now_ns: int, result: CallResult) -> CallResult:
        """What nearly every call comes to, without looking at each record."""
        index = np.arange(batch.first_index, batch.first_index + batch.fresh)
        self._note(
            self._ledger.settle,
            Outcome.ACCEPTED,
            index,
            np.zeros(batch.fresh, np.int64),
            acknowledged_ns=now_ns,
            places=answer.places,
        )
        self._count(accepted=batch.fresh)
        after_ms = (now_ns - batch.intended_ns) / NANOSECONDS_PER_MILLISECOND
        return replace(result, accepted=batch.fresh, accepted_after_ms=after_ms)

    def _accept(self, columns: Columns, stored: npt.NDArray[np.bool_], answer: Answer, now_ns: int) -> None:
        """Note where records lie. Those that may be there twice stay unknown, but with their place."""
        for outcome, rows in (
            (Outcome.ACCEPTED, np.flatnonzero(stored & ~columns.doubtful)),
            (Outcome.UNKNOWN, np.flatnonzero(stored & columns.doubtful)),
        ):
            if len(rows):
                self._note(
                    self._ledger.settle,
                    outcome,
                    columns.index[rows],
                    columns.throttled[rows],
                    acknowledged_ns=now_ns,
                    places=answer.places.take(columns.position[rows]),
                )
                self._count(**{outcome.name.lower(): len(rows)})

    def _doubt(self, parcels: Sequence[Parcel], now_ns: int) -> int:
        """Nobody knows whether these arrived. Returns how many records are given up."""
        for parcel in parcels:
            parcel.doubtful = True
        if self._settings.resend_unknown:
            return self._put_back(parcels, now_ns)
        self.give_up(parcels)
        return count_records(parcels)

    def _try_again(self, batch: Batch, throttled: Mapping[int, bool], now_ns: int) -> tuple[int, int]:
        """Put what was refused (by position; whether for a quota) back in line.

        Returns how many records were throttled, and how many are given up.
        """
        parcels, throttled_records = [], 0
        for at, was_throttled in throttled.items():
            parcel = batch.parcel(at)
            parcel.throttled += was_throttled
            throttled_records += was_throttled * len(parcel.indices)
            parcels.append(parcel)
        self._count(throttled=throttled_records)
        return throttled_records, self._put_back(parcels, now_ns)

    def _put_back(self, parcels: Sequence[Parcel], now_ns: int) -> int:
        hopeless = []
        for parcel in parcels:
            parcel.tries += 1
            parcel.ready_ns = now_ns + self._pause_ns(parcel.tries)
            if parcel.ready_ns > parcel.sent_ns + self._retry_deadline_ns:
                hopeless.append(parcel)
            else:
                self._dispatcher.retry(parcel)
        self.give_up(hopeless)
        return count_records(hopeless)

    def _pause_ns(self, tries: int) -> int:
        """Doubling from the first pause up to the longest, and up to half of it less by chance."""
        pause_ms = self._settings.backoff_first_ms * (1 << min(tries - 1, _DOUBLINGS_MAX))
        pause_ms = min(pause_ms, self._settings.backoff_max_ms) * self._randomness.uniform(0.5, 1.0)
        return round(pause_ms * NANOSECONDS_PER_MILLISECOND)

    def _conclude(self, outcome: Outcome, parcels: Sequence[Parcel]) -> None:
        """Settle parcels that have no known place in the stream."""
        if parcels:
            counts = [len(parcel.indices) for parcel in parcels]
            self._count(**{outcome.name.lower(): sum(counts)})
            indices = np.concatenate([parcel.indices for parcel in parcels])
            self._note(
                self._ledger.settle, outcome, indices, np.repeat([parcel.throttled for parcel in parcels], counts)
            )

    def _end(self, parcels: Iterable[Parcel]) -> None:
        """Let those go on that waited for these."""
        if self._order:
            for parcel in parcels:
                if (following := self._order.end(parcel)) is not None:
                    following.ready_ns = self._settled_ns
                    self._dispatcher.retry(following)
            self._dispatcher.held = self._order.held

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


def count_records(parcels: Iterable[Parcel]) -> int:
    """How many records of ours there are in parcels."""
    return sum(len(parcel.indices) for parcel in parcels)


def runs(parcels: Iterable[Parcel]) -> list[tuple[int, int]]:
    """The records of parcels as stretches of consecutive indices: where each begins, and how long it is."""
    stretches: list[tuple[int, int]] = []
    for index in sorted(index for parcel in parcels for index in parcel.indices):
        if stretches and index == sum(stretches[-1]):
            stretches[-1] = (stretches[-1][0], stretches[-1][1] + 1)
        else:
            stretches.append((index, 1))
    return stretches
