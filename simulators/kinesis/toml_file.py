"""Settings from files that people write."""

import tomllib
from pathlib import Path
from typing import Any

from simulators.kinesis.errors import SettingsError


def read_toml(path: Path, what: str, *, remedy: str, unreadable: str = "") -> dict[str, Any]:
    """The content of a TOML file. SettingsError calls it `what`, or says `unreadable` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{unreadable or f'{what} cannot be read'}: {error.strerror}", remedy) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{what} is not TOML: {error}", remedy) from None
