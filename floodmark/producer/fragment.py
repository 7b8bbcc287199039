"""Records as they stand in the body of a PutRecords call.

A whole batch is one format operation over base64 texts and keys: nearly all of it happens in C.
"""

import binascii
from functools import lru_cache

import orjson

from simulators.traffic import RecordBatch

_PLAIN = b'{"Data":"%b","PartitionKey":"%b"}'
_PLACED = b'{"Data":"%b","PartitionKey":"%b","ExplicitHashKey":"%b"}'
_BETWEEN_TEXTS = b'","'


def fragments(records: RecordBatch) -> bytes:
    """All records of a batch, with commas between them; nothing for none."""
    hash_keys = records.explicit_hash_keys
    count = len(records.values)
    columns = 2 if hash_keys is None else 3
    texts: list[bytes] = [b""] * (columns * count)
    b64 = binascii.b2a_base64
    texts[::columns] = [b64(value, newline=False) for value in records.values]
    texts[1::columns] = _json_texts(records.keys)
    if hash_keys is not None:
        texts[2::columns] = _json_texts(hash_keys)
    return _form(count, hash_keys is not None) % tuple(texts)


def fragment(records: RecordBatch, at: int) -> bytes:
    """One record of a batch."""
    part = slice(at, at + 1)
    hash_keys = records.explicit_hash_keys
    return fragments(
        RecordBatch(
            keys=records.keys[part],
            values=records.values[part],
            explicit_hash_keys=None if hash_keys is None else hash_keys[part],
        )
    )


@lru_cache(maxsize=1024)
def _form(count: int, has_hash_keys: bool) -> bytes:
    return b",".join([_PLACED if has_hash_keys else _PLAIN] * count)


def _json_texts(texts: list[str]) -> list[bytes]:
    """Texts as JSON has them between quotation marks. A mark within a text is escaped, so it ends none."""
    return orjson.dumps(texts)[2:-2].split(_BETWEEN_TEXTS) if texts else []
