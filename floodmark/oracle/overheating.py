"""Overheating: one alarm for each temperature above 80, a dead letter for each bad record."""

from collections.abc import Iterator
from decimal import Decimal

from floodmark.oracle import (
    CONTROL_PREFIXES,
    AcceptedRecords,
    Destination,
    ExpectedOutput,
    OracleSettings,
    ReadOutput,
)
from floodmark.oracle.admission import Admission
from floodmark.oracle.dead_letters import read_dead_letter
from floodmark.oracle.documents import decimal_of, integer_of, key_of, plain, read_document, require_names, text_of
from floodmark.oracle.per_record import PerRecordOracle
from floodmark.oracle.temperatures import TEMPERATURES

TEMPERATURE_LIMIT = Decimal(80)

_NAMES = frozenset({"deviceId", "temperature", "eventTime", "arrivalTime"})


class OverheatingOracle(PerRecordOracle):
    """Oracle of the overheating job. It keeps no state: every temperature is judged by itself."""

    def __init__(self, settings: OracleSettings) -> None:
        super().__init__(settings)
        self._admission = Admission(TEMPERATURES, settings)

    def expect(self, records: AcceptedRecords) -> Iterator[ExpectedOutput]:
        for judged in self._admission.judge(records):
            yield from judged.dead_letters()
            line = judged.line
            if line and line.temperature > TEMPERATURE_LIMIT and not line.device_id.startswith(CONTROL_PREFIXES):
                key = key_of(line.device_id, plain(line.temperature), str(line.event_time_ms))
                yield judged.record.leads_to("output", key, certain=judged.reason is None)

    def read(self, destination: Destination, value: bytes) -> ReadOutput:
        if destination == "dead_letter":
            return read_dead_letter(value, self._input_stream)
        alarm = read_document(value)
        require_names(alarm, _NAMES)
        device_id = text_of(alarm, "deviceId")
        temperature, event_time_ms = decimal_of(alarm, "temperature"), integer_of(alarm, "eventTime")
        return ReadOutput(
            key=key_of(device_id, plain(temperature), str(event_time_ms)),
            input_arrival_ms=integer_of(alarm, "arrivalTime"),
            control=device_id.startswith(CONTROL_PREFIXES),
        )
