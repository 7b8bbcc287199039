"""Names of resources that say whose they are and where: `arn:aws:kinesis:REGION:ACCOUNT:stream/NAME…`."""

import re
from dataclasses import dataclass

_ARN = re.compile(
    r"arn:aws[^:]*:kinesis:(?P<region>[^:]*):(?P<account>\d{12}):stream/(?P<stream>[a-zA-Z0-9_.-]+)"
    r"(?:/consumer/(?P<consumer>[a-zA-Z0-9_.-]+:[0-9]+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Arn:
    """A stream, or one of its consumers (`name:second of creation`)."""

    region: str
    account_id: str
    stream: str
    consumer: str | None


def parse_arn(text: object) -> Arn | None:
    """What a text names; None if it is no name of a stream or consumer."""
    match = _ARN.fullmatch(text) if isinstance(text, str) else None
    return Arn(match["region"], match["account"], match["stream"], match["consumer"]) if match else None


def stream_arn(region: str, account_id: str, stream: str) -> str:
    """The full name of a stream."""
    return f"arn:aws:kinesis:{region}:{account_id}:stream/{stream}"
