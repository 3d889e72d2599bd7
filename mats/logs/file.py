"""The file of the log. That it cannot be written is said once, on standard error, and in the file when it can again."""

import contextlib
import logging
import logging.handlers
import os
import sys
from pathlib import Path

from mats.errors import say


class LogFile(logging.handlers.RotatingFileHandler):
    """A full disk costs one line at its beginning and one at its end; what was to be written meanwhile is counted."""

    _lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        before = self._lost
        if before:
            self._end_broken_line()
        super().emit(record)
        if before and self._lost == before:
            self._lost = 0
            text = f"the log could not be written; {before:,} lines are lost"
            super().emit(logging.LogRecord("log", logging.WARNING, __file__, 0, text, None, None))

    def handleError(self, record: logging.LogRecord) -> None:
        """Called where a line was not written, while its exception is handled."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        if not self._lost:
            with contextlib.suppress(OSError):  # standard error may be on that disk
                say(f"the log cannot be written ({error}); its lines are lost until it can")
        self._lost += 1
        if self.stream is not None:
            with contextlib.suppress(OSError):  # what it still holds would be written in the middle of a later line
                self.stream.close()
        self.stream = None  # opened again for the next line

    def _end_broken_line(self) -> None:
        """A line that was written in part must not swallow the next one."""
        with contextlib.suppress(OSError), Path(self.baseFilename).open("r+b", buffering=0) as file:
            if not file.seek(0, os.SEEK_END):
                return
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
