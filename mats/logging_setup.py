"""The log: JSON lines to a rotated file, and to standard error where no screen is shown."""

import logging
import logging.handlers
import sys
from pathlib import Path

import structlog

from mats.errors import UserError

FILE_BYTES, FILES_KEPT = 10_000_000, 5


def configure_logging(level: str, file: Path, *, to_stderr: bool) -> None:
    """Send everything at `level` and above to `file` (JSON lines, rotated), and to standard error if `to_stderr`.

    The client library's own log is muted: its relevant events reach the operator as events of the connection.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
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
    handlers: list[logging.Handler] = [_rotating(file)]
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


def _rotating(file: Path) -> logging.Handler:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return logging.handlers.RotatingFileHandler(file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"the log {file} cannot be written ({error.strerror}); remove what is in its place, or make it writable"
        ) from error
