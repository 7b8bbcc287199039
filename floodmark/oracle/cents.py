"""Money as whole cents, so that sums are exact, and small in memory."""

from decimal import Decimal

from floodmark.oracle import MalformedOutputError
from floodmark.oracle.documents import plain


def cents_of(amount: Decimal) -> int:
    """An amount in cents; MalformedOutputError if it is no whole number of them."""
    # Ratios are exact; Decimal's own arithmetic rounds to 28 digits.
    numerator, denominator = amount.as_integer_ratio()
    cents, rest = divmod(numerator * 100, denominator)
    if rest:
        raise MalformedOutputError(f"{plain(amount)} has more than two decimals")
    return cents
