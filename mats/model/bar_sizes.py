"""The names of bar sizes: `5s`, `1min`, `15min`, `1h`, `1d`."""

import re

from mats.errors import DataError

UNITS = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
_SIZE = re.compile(r"(\d+)(d|h|min|s)?")


def size_name(seconds: int) -> str:
    """The name of bars of `seconds`, in the largest unit that divides them."""
    unit = next(unit for unit, length in UNITS.items() if seconds % length == 0)
    return f"{seconds // UNITS[unit]}{unit}"


def size_seconds(text: str) -> int:
    """The seconds of a size: `1min`, `1d`, or a number of seconds. Raises DataError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise DataError(f"unknown bar size {text!r}; write 60, 5s, 1min, 1h or 1d")
    return int(match[1]) * UNITS[match[2] or "s"]
