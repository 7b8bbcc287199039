"""Sends records to Kinesis on schedule, whatever the service does, and accounts for every one."""

from floodmark.producer.batch import Batch, CallResult
from floodmark.producer.producer import Producer
from floodmark.producer.put_records import PutRecordsTransport
from floodmark.producer.settings import ProducerSettings
from floodmark.producer.settlement import Totals
from floodmark.producer.transport import Answer, Ending, Request, Transport
from floodmark.producer.transport_fake import FakeTransport

__all__ = [
    "Answer",
    "Batch",
    "CallResult",
    "Ending",
    "FakeTransport",
    "Producer",
    "ProducerSettings",
    "PutRecordsTransport",
    "Request",
    "Totals",
    "Transport",
]
