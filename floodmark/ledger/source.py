"""The blocks of one worker, read one after the other."""

import json
from pathlib import Path

from floodmark.ledger.blocks import Block, Kind, ledger_path, read_blocks


class Source:
    """Where reading has come to: `position` is behind what was sent last, `end_index` where the worker's load ended.

    `end_index` is 0 until the worker says so, which one that was killed never does.
    """

    def __init__(self, directory: Path, worker: int) -> None:
        self.worker = worker
        self.path = ledger_path(directory, worker)
        self.position = 0
        self.end_index = 0
        self.is_over = False
        self.stopped_early = False
        self._blocks = read_blocks(self.path)

    def next_block(self) -> Block | None:
        """The next block; None at the end, and EnvironmentFailedError where the file is damaged."""
        block = next(self._blocks, None)
        if block is None:
            self.is_over = True
        elif block.kind is Kind.CLOSED:
            end = json.loads(block.payload)
            self.end_index, self.stopped_early = int(end.get("end_index", 0)), bool(end["stopped_early"])
        return block
