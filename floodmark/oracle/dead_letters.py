"""Dead letters: what a job puts out for a record that it refuses, the same for every job.

`{source, reason, value | valueBase64, truncated, arrivalTime}`: `value` for UTF-8, `valueBase64` for anything else. A
value of more than 64 KiB is cut there, in text before the character that would not fit whole.
"""

import base64
import binascii

from floodmark.oracle import SEPARATOR, MalformedOutputError, ReadOutput
from floodmark.oracle.control import CONTROL_BYTES
from floodmark.oracle.documents import integer_of, read_document, require_names, text_of
from floodmark.oracle.fingerprint import fingerprint

QUOTED_BYTES_MAX = 64 * 1024

_NAMES = frozenset({"source", "reason", "truncated", "arrivalTime"})


def dead_letter_key(reason: str, value: bytes) -> str:
    """The key of the dead letter for a refused record."""
    cut = value[:QUOTED_BYTES_MAX]
    truncated = len(value) > QUOTED_BYTES_MAX
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return _key(reason, "valueBase64", cut, truncated=truncated)
    # What the cut left of a character is dropped.
    return _key(reason, "value", cut.decode("utf-8", errors="ignore").encode("utf-8"), truncated=truncated)


def read_dead_letter(value: bytes, source: str) -> ReadOutput:
    """A dead letter that was seen; MalformedOutputError if it is none, or not from the stream `source`."""
    document = {name: one for name, one in read_document(value).items() if one is not None}
    form = "valueBase64" if "valueBase64" in document else "value"
    require_names(document, _NAMES | {form})
    if document["source"] != source:
        raise MalformedOutputError(f"source is {document['source']!r} and not {source!r}")
    if not isinstance(document["truncated"], bool):
        raise MalformedOutputError("truncated is neither true nor false")
    quoted = _quoted(form, document[form])
    return ReadOutput(
        key=_key(text_of(document, "reason"), form, quoted, truncated=document["truncated"]),
        input_arrival_ms=integer_of(document, "arrivalTime"),
        control=quoted.startswith(CONTROL_BYTES),
    )


def _quoted(form: str, text: object) -> bytes:
    if not isinstance(text, str):
        raise MalformedOutputError(f"{form} is no text")
    try:
        return text.encode("utf-8") if form == "value" else base64.b64decode(text, validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise MalformedOutputError(f"{form} cannot be decoded: {error}") from None


def _key(reason: str, form: str, quoted: bytes, *, truncated: bool) -> str:
    hint, digest = fingerprint(quoted)
    return SEPARATOR.join((reason, hint, "cut" if truncated else "whole", form, digest))
