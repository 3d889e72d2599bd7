"""Errors that cross from one process to another: as text, because their classes may not exist on the other side."""

import traceback
from collections.abc import Callable

import msgspec

from mats.runtime import errors


class ProcessEnded(Exception):
    """A process of actors ended without saying so; the text names it and the signal or the exit code."""


class RemoteError(Exception):
    """An error that was raised in another process; its traceback there is a note."""

    def __reduce__(self) -> "tuple[Callable[[str, str, str], Exception], tuple[str, str, str]]":
        """Its class is nowhere to be found by name."""
        return remote_error, (type(self).__name__, str(self), "")


def remote_error(kind: str, text: str, where: str) -> Exception:
    """An error that reads as one of this class and text, which has this traceback."""
    error: Exception = type(kind, (RemoteError,), {})(text)
    if where:
        error.add_note(f"in its process:\n{where}")
    return error


class Described(msgspec.Struct, frozen=True):
    """An error in words: the name of its class, its text, and where it was raised."""

    kind: str
    text: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> "Described":
        try:
            return cls(type(error).__name__, str(error), "".join(traceback.format_exception(error)))
        except Exception as unprintable:
            return cls(type(error).__name__, f"its text cannot be made: {type(unprintable).__name__}", "")

    def error(self) -> Exception:
        """An error that reads as the one described."""
        if self.kind == errors.NotUnderstood.__name__:
            return errors.NotUnderstood(self.text)
        return remote_error(self.kind, self.text, self.traceback)
