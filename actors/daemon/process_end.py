"""How the process ends after the orderly stop: at once, with everything written."""

import contextlib
import logging
import os
import sys
from typing import NoReturn


def end_process(code: int) -> NoReturn:
    """Write what is buffered and end with this exit code.

    The interpreter's own way out joins the threads of library pools, which may hang for ever, and takes the ground from
    under daemon threads of abandoned actors, which may be inside of C code: the end of an orderly stop would then be a
    hang or a crash. Everything that has to be closed was closed by the stop; nothing here depends on exit handlers.
    """
    with contextlib.suppress(Exception):
        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # who read it has gone
            stream.flush()
    os._exit(code)
