"""Sends records to Kinesis on schedule, whatever the service does, and accounts for every one."""

from floodmark.producer.batch import Batch, CallResult
from floodmark.producer.dispatcher import Wait
from floodmark.producer.heap import keep_heap
from floodmark.producer.loop_sender import LoopSender
from floodmark.producer.producer import Producer
from floodmark.producer.put_records import PutRecordsLoopTransport, PutRecordsTransport
from floodmark.producer.settings import ProducerSettings, batch_records_at_most
from floodmark.producer.settlement import Totals
from floodmark.producer.transport import Answer, Ending, LoopTransport, Request, Transport
from floodmark.producer.transport_fake import FakeTransport

__all__ = [
    "Answer",
    "Batch",
    "CallResult",
    "Ending",
    "FakeTransport",
    "LoopSender",
    "LoopTransport",
    "Producer",
    "ProducerSettings",
    "PutRecordsLoopTransport",
    "PutRecordsTransport",
    "Request",
    "Totals",
    "Transport",
    "Wait",
    "batch_records_at_most",
    "keep_heap",
]
