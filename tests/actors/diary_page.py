"""Where the strategy of `test_strategy.py` writes and reads, because its own module is private."""

from typing import Any

HEARD: list[Any] = []
TODO: list[Any] = []
