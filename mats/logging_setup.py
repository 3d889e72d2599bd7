"""The log: JSON lines to a rotated file, and to standard error where no screen is shown."""

import logging
import logging.handlers
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

from mats.errors import UserError
from mats.logs import LogFile, RepeatLimit, cut_fields

FILE_BYTES, FILES_KEPT = 10_000_000, 5


def configure_logging(level: str, file: Path, monotonic: Callable[[], float], *, to_stderr: bool) -> RepeatLimit:
    """Send everything at `level` and above to `file` (JSON lines, rotated), and to standard error if `to_stderr`.

    Lines that repeat are counted by what is returned, in seconds of `monotonic`: poll it now and then, and close it at
    the end. The client library's own log is muted: its relevant events reach the operator as events of the connection.
    """
    limit = RepeatLimit(_say, monotonic)
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        cut_fields,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            limit,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        foreign_pre_chain=shared,
    )
    handlers: list[logging.Handler] = [_open(file)]
    if to_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    root = logging.getLogger()
    root.handlers.clear()
    for handler in handlers:
        handler.setFormatter(renderer)
        root.addHandler(handler)
    root.setLevel(level.upper())
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    return limit


def _open(file: Path) -> LogFile:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return LogFile(file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"the log {file} cannot be written ({error.strerror}); remove what is in its place, or make it writable"
        ) from error


def _say(level: str, event: str, **fields: object) -> None:
    getattr(structlog.get_logger(), level)(event, **fields)
