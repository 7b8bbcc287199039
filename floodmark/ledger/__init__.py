"""What was offered, and what became of it: written by the producer while the load runs, read by everybody else.

A ledger is a folder with two files a worker: `manifest-<worker>.json`, from which every record and its due time can be
made again, and `entries-<worker>.ledger`, which says when each was sent and how that ended. Beside them,
`control.jsonl` holds what the harness put into the same stream.
"""

from floodmark.ledger.chunk import Entries
from floodmark.ledger.columns import SEQUENCE_CHARACTERS_MAX, SEQUENCE_TYPE, Outcome, Places
from floodmark.ledger.control import CONTROL, append_control, read_control
from floodmark.ledger.entries import read_entries
from floodmark.ledger.follower import LedgerFollower, LedgerProgress
from floodmark.ledger.manifest import Manifest, read_manifest, read_manifests, write_manifest
from floodmark.ledger.writer import LedgerWriter, Standing, require_no_ledger

__all__ = [
    "CONTROL",
    "SEQUENCE_CHARACTERS_MAX",
    "SEQUENCE_TYPE",
    "Entries",
    "LedgerFollower",
    "LedgerProgress",
    "LedgerWriter",
    "Manifest",
    "Outcome",
    "Places",
    "Standing",
    "append_control",
    "read_control",
    "read_entries",
    "read_manifest",
    "read_manifests",
    "require_no_ledger",
    "write_manifest",
]
