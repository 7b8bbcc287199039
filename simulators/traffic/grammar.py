"""What the streams' grammar permits in a field, where more than one module needs to know."""

TEXT_CHARACTERS_MAX = 128
"""The longest id, region, category or page."""

REFUSED_CHARACTERS = r",\x00-\x1f\x7f-\x9f"
"""As in a regular expression: the comma, and the control characters."""

TIME_MS_MIN = 10**12
TIME_MS_END = 10**13
"""An event time has 13 digits."""
