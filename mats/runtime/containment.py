"""Code that is not the runtime's own, kept from reaching further than it may: errors' texts, hooks, sinks, the log.

Texts are cut: an error may say 50 MB, and what is said here stays in the status of its actor.
"""

import traceback
from collections.abc import Callable
from typing import ParamSpec

import structlog

from mats.logs import cut

P = ParamSpec("P")


def describe(error: BaseException) -> str:
    """One line: the type and text of an error, whatever the error's own methods do."""
    return ": ".join((type(error).__name__, _text(str, error)))


def text_of(error: BaseException) -> str:
    """The `str` of an error, whatever the error's own methods do."""
    return _text(str, error)


def safe_repr(value: object) -> str:
    """The `repr` of a value, whatever the value's own methods do."""
    return _text(repr, value)


def format_trace(error: BaseException) -> str:
    """The traceback of an error as the interpreter prints it, as far as the error lets it."""
    try:
        return cut("".join(traceback.format_exception(error)))
    except BaseException as failure:
        return f"{describe(error)} (its traceback cannot be formatted: {describe(failure)})"


def log_error(source: str, event: str, **fields: object) -> None:
    """Write an error to the log of `source`. A log that fails is no failure of who writes to it."""
    try:
        structlog.get_logger(name=source).error(event, **fields)
    except BaseException:
        # There is nobody left to tell, and what is to be done next must be done.
        return


def contain(what: str, action: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
    """Call `action`; an error of any kind is logged as `what` and goes no further. False if there was one."""
    try:
        action(*args, **kwargs)
    except BaseException as error:
        log_error("runtime", what, error=describe(error), traceback=format_trace(error))
        return False
    return True


def _text(write: Callable[[object], str], value: object) -> str:
    try:
        # `join` makes a plain string of a subclass that could misbehave later.
        return "".join(("", cut(write(value))))
    except BaseException as failure:
        return f"<{write.__name__} of {type(value).__name__} raised {type(failure).__name__}>"
