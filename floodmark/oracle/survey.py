"""The first of two passes: what all records together do to event time."""

import numpy as np

from floodmark.oracle import AcceptedRecords
from floodmark.oracle.admission import Admission
from floodmark.oracle.grammar import LineT
from floodmark.oracle.running_maximum import NOTHING, Integers
from floodmark.oracle.watermarks import Watermarks


def survey(admission: Admission[LineT], records: AcceptedRecords, watermarks: Watermarks) -> Integers:
    """Let the watermarks know of these records; returns their event times, NOTHING for those that have none."""
    times_ms: list[int] = []
    certain: list[bool] = []
    for judged in admission.judge(records):
        times_ms.append(judged.line.event_time_ms if judged.line else NOTHING)
        certain.append(judged.reason is None)
    event_times_ms = np.array(times_ms, np.int64)
    watermarks.take(records, event_times_ms, np.array(certain, np.bool_))
    return event_times_ms
