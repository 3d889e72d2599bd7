"""What a person can mend."""


class UserError(Exception):
    """A fault of use: every argument is one sentence that names the thing, the value and the mend."""


class DataError(UserError):
    """Bars that cannot be used; the text names the file or instrument, the place and the mend."""


class SweepError(UserError):
    """A sweep that cannot be run, resumed or reported; one sentence with the mend."""


class StrategyError(UserError):
    """A strategy file, parameter, record or call that cannot be used; the text names thing, value and mend."""
