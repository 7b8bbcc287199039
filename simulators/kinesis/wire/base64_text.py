"""Base64 that is kept as it came: whether it is valid, and how many bytes it stands for, without decoding it."""

from itertools import product

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_LETTERS = _ALPHABET.decode()

# The bits of the last letter that stand for no byte are zero, else decoding and encoding would change the text.
_PADDED_ENDS = frozenset(
    [f"{first}{last}=" for first, last in product(_LETTERS, _LETTERS[::4])] + [f"{last}==" for last in _LETTERS[::16]]
)
"""The last three letters of any text with padding."""


def decoded_sizes(texts: list[str]) -> list[int] | None:
    """How many bytes each text stands for; None unless all of them are what an encoder makes of some bytes.

    TypeError if one is no text.
    """
    joined = "".join(texts)
    if not joined.isascii():
        return None
    lengths = list(map(len, texts))
    # There are many texts and few lengths.
    size_by_length = {length: length // 4 * 3 for length in set(lengths)}
    if any(length & 3 for length in size_by_length):
        return None
    # What is left without the letters can only be padding, and must be that of the ends.
    padding = joined.encode().translate(None, _ALPHABET)
    sizes = list(map(size_by_length.__getitem__, lengths))
    if not padding:
        return sizes
    ends = {index: text[-3:] for index, text in enumerate(texts) if text[-1:] == "="}
    if not _PADDED_ENDS.issuperset(ends.values()) or padding != b"=" * "".join(ends.values()).count("="):
        return None
    for index, end in ends.items():
        sizes[index] -= end.count("=")
    return sizes
