"""Errors that a user can fix."""


class UserError(Exception):
    """User-facing error; each argument is one sentence with the input, its value and how to fix it."""


class DataError(UserError):
    """Invalid bars; the text names the file or instrument, the row and the fix."""


class SweepError(UserError):
    """A sweep that cannot be run, resumed or reported; one sentence with the fix."""


class StrategyError(UserError):
    """An invalid strategy file, parameter, record or call; the text names it, its value and the fix."""
