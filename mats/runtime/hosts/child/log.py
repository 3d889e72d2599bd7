"""The log inside a process of actors: its lines go over the link, so many a minute."""

from collections.abc import Callable, MutableMapping
from typing import Any, NoReturn

import structlog

from mats.logs import cut_fields
from mats.runtime.hosts.link import LineLimit, Logged

LINES = 600
"""So many lines a minute are logged."""


def log_to(write: Callable[[Logged], None], monotonic: Callable[[], float], process: str) -> None:
    """Send the log of this process to `write`, as plain values."""
    limit = LineLimit(LINES, monotonic)

    def send(_logger: object, method: str, line: MutableMapping[str, Any]) -> NoReturn:
        if limit.passes():
            if missed := limit.missed():
                write(Logged("warning", f"{missed} log lines were left out", {"name": process}))
            write(Logged(method, str(line.pop("event", "")), {key: _plain(value) for key, value in line.items()}))
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.processors.format_exc_info, cut_fields, send],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        cache_logger_on_first_use=False,
    )


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
