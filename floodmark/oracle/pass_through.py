"""Pass-through: every record, whatever its bytes, comes back behind a prefix."""

from collections.abc import Iterator

from floodmark.oracle import (
    SEPARATOR,
    AcceptedRecords,
    Destination,
    ExpectedOutput,
    MalformedOutputError,
    ReadOutput,
)
from floodmark.oracle.accepted_record import each_record
from floodmark.oracle.control import CONTROL_BYTES
from floodmark.oracle.dead_letters import dead_letter_key, read_dead_letter
from floodmark.oracle.fingerprint import fingerprint
from floodmark.oracle.per_record import PerRecordOracle

PREFIX = b"Processed: "

PASSED_BYTES_MAX = 1024 * 1024 - 36
"""The largest output, prefix included; what is larger becomes a dead letter.

The service takes 1 MiB, partition key included, and the random key of this output has 36 characters.
"""


class PassThroughOracle(PerRecordOracle):
    """Oracle of the pass-through job. To it no record is bad; one can only be too large."""

    def expect(self, records: AcceptedRecords) -> Iterator[ExpectedOutput]:
        for record in each_record(records):
            if record.value.startswith(CONTROL_BYTES):
                continue
            if len(PREFIX) + len(record.value) > PASSED_BYTES_MAX:
                yield record.leads_to("dead_letter", dead_letter_key("too-large", record.value))
            else:
                yield record.leads_to("output", _key(record.value))

    def read(self, destination: Destination, value: bytes) -> ReadOutput:
        if destination == "dead_letter":
            return read_dead_letter(value, self._input_stream)
        if not value.startswith(PREFIX):
            raise MalformedOutputError(f"it does not begin with {PREFIX.decode()!r}")
        payload = value.removeprefix(PREFIX)
        return ReadOutput(key=_key(payload), input_arrival_ms=None, control=payload.startswith(CONTROL_BYTES))


def _key(payload: bytes) -> str:
    hint, digest = fingerprint(payload)
    return SEPARATOR.join((hint, f"{len(payload)} bytes", digest))
