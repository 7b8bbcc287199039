"""What a call is about, as far as faults ask: its action, its stream, its shards, its consumer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from simulators.kinesis.faults.fault import BaseFault, CallFault


@dataclass
class Target:
    """Found out only when a fault asks for it: most ask for little."""

    action: str
    stream: str | None = None
    consumer: str | None = None
    iterator_issued_ms: int | None = None
    find_shards: Callable[[], Iterable[str]] = field(default=tuple, repr=False)

    @cached_property
    def shards(self) -> frozenset[str]:
        """The shards that the call is about: those that its records go to, or those that it names."""
        return frozenset(self.find_shards())

    def fits(self, fault: BaseFault) -> bool:
        """Whether a fault concerns this call by its stream, its shards, its action and its consumer."""
        if fault.stream is not None and fault.stream != self.stream:
            return False
        if isinstance(fault, CallFault) and not self._fits_call(fault):
            return False
        return fault.shard is None or fault.shard in self.shards

    def _fits_call(self, fault: CallFault) -> bool:
        if fault.consumer is not None and fault.consumer != self.consumer:
            return False
        return fault.concerns(self.action)
