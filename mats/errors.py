"""Errors that a user can fix, and the one way in which a person at the terminal is told."""

import sys


class UserError(Exception):
    """User-facing error; each argument is one sentence with the input, its value and how to fix it."""


class SettingsError(UserError):
    """A setting that cannot be used; the text is one sentence with the setting, its value and how to fix it."""


class DataError(UserError):
    """Invalid bars; the text names the file or instrument, the row and the fix."""


class SweepError(UserError):
    """A sweep that cannot be run, resumed or reported; one sentence with the fix."""


class StrategyError(UserError):
    """An invalid strategy file, parameter, record or call; the text names it, its value and the fix."""


def say(sentence: object) -> None:
    """One sentence to the person at the terminal, on standard error, as `mats: ...`.

    It is written in one piece with the end of its line: `print` writes that by itself, and a line of the log can come
    in between.
    """
    sys.stderr.write(f"mats: {sentence}\n")
    sys.stderr.flush()
