"""Counts records that come too late, and says how often a record is counted by the job."""

from floodmark.oracle import LateRecords
from floodmark.oracle.admission import Judged
from floodmark.oracle.grammar import LineT


class LateCount:
    """A record is late, and dropped, if the watermark has reached `close_ms` when the job processes it."""

    def __init__(self) -> None:
        self._certain = 0
        self._in_doubt = 0

    @property
    def late(self) -> LateRecords:
        """What was late so far."""
        return LateRecords(certain=self._certain, in_doubt=self._in_doubt)

    def admit(
        self, judged: Judged[LineT], close_ms: int, watermark_least_ms: int, watermark_most_ms: int
    ) -> tuple[int, int]:
        """How often the record counts at least and at most."""
        if close_ms > watermark_most_ms:
            return judged.least, judged.record.most
        if close_ms > watermark_least_ms:
            return self.doubt(judged)
        return self.refuse(judged)

    def refuse(self, judged: Judged[LineT]) -> tuple[int, int]:
        """Of a record that is late for sure, if it is there."""
        if judged.least:
            self._certain += 1
        else:
            self._in_doubt += 1
        return 0, 0

    def doubt(self, judged: Judged[LineT]) -> tuple[int, int]:
        """Of a record that may be late."""
        self._in_doubt += 1
        return 0, judged.record.most
