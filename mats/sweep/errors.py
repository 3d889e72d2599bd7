"""What is wrong with a sweep, for the person who asked for it."""

from mats.errors import UserError


class SweepError(UserError):
    """A sweep that cannot be run, resumed or reported; one sentence with the mend."""
