"""What the oracles have in common whose jobs judge every record by itself, and so keep no event-time state."""

from collections.abc import Iterator, Sequence

from floodmark.oracle import AcceptedRecords, ExpectedOutput, LateRecords, OracleSettings


class PerRecordOracle:
    """Knows of each record at once what comes of it. No record is ever late."""

    judges = True
    surveys = False
    late = LateRecords()

    def __init__(self, settings: OracleSettings) -> None:
        self._input_stream = settings.input_stream

    def control(self, values: Sequence[bytes]) -> None:
        """Outputs about the harness's own records are recognised by their ids."""

    def survey(self, records: AcceptedRecords) -> None:
        """Nothing that one record leads to depends on another."""

    def finish(self) -> Iterator[ExpectedOutput]:
        return iter(())
