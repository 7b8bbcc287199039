"""What somebody may have meant by a name that does not exist."""

import difflib
from collections.abc import Collection


def nearest(name: str, known: Collection[str]) -> str:
    """`did you mean …?`, or, if nothing is near, `known are …`."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
