"""What goes wrong with a strategy, in one sentence for the person who can mend it."""

from mats.errors import UserError


class StrategyError(UserError):
    """A strategy file, parameter, record or call that cannot be used; the text names thing, value and mend."""
