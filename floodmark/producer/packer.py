"""From a batch to the body of its call: makes its records, and holds back what must not travel yet."""

import itertools

from floodmark.producer.aggregator import Aggregator
from floodmark.producer.batch import Batch, Parcel
from floodmark.producer.dispatcher import Dispatcher
from floodmark.producer.fragment import fragments
from floodmark.producer.key_order import KeyOrder
from floodmark.producer.settings import REQUEST_BYTES_MAX
from simulators.traffic import Traffic

_NANOSECONDS_PER_MILLISECOND = 1_000_000


class Packer:
    """Fills batches. `open`, `split` and `drop_held` are for one caller at a time, `body` is not."""

    def __init__(
        self, traffic: Traffic, dispatcher: Dispatcher, order: KeyOrder | None, aggregator: Aggregator | None = None
    ) -> None:
        self._traffic = traffic
        self._dispatcher = dispatcher
        self._order = order
        self._aggregator = aggregator

    def open(self, batch: Batch) -> None:
        """Decide what of a new batch can go now, in the order in which batches are taken; it may be nothing."""
        if self._aggregator and batch.fresh:
            self._make(batch)
            assert batch.made
            batch.replace_fresh(self._aggregator.parcels(batch.first_index, batch.intended_ns, batch.made))
        if self._order is None:
            return
        self._make(batch)
        old = len(batch.parcels)
        batch.pack()
        batch.parcels[old:] = [parcel for parcel in batch.parcels[old:] if self._order.may_go(parcel)]
        self._dispatcher.held = self._order.held

    def body(self, batch: Batch) -> bytes:
        """The records as they stand in the request."""
        self._make(batch)
        parts = [parcel.fragment for parcel in batch.parcels]
        if batch.fresh and batch.made:
            parts.append(fragments(batch.made))
        return b",".join(parts)

    def split(self, batch: Batch) -> None:
        """Keep as much as a request may hold, at least one, and put the rest in line again."""
        batch.pack()
        ends = itertools.accumulate(len(parcel.fragment) + 1 for parcel in batch.parcels)
        kept = max(1, sum(end <= REQUEST_BYTES_MAX for end in ends))
        for parcel in batch.parcels[kept:]:
            self._dispatcher.retry(parcel)
        del batch.parcels[kept:]

    def drop_held(self) -> list[Parcel]:
        """What is held back, in no order; nothing is any more."""
        self._dispatcher.held = 0
        return self._order.drop() if self._order else []

    def _make(self, batch: Batch) -> None:
        if batch.fresh and batch.made is None:
            due_times_ms = batch.intended_ns // _NANOSECONDS_PER_MILLISECOND
            batch.made = self._traffic.records(batch.first_index, due_times_ms)
