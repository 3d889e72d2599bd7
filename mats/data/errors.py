"""What is wrong with market data, in one sentence for the person who can mend it."""

from mats.errors import UserError


class DataError(UserError):
    """Bars that cannot be used; the text names the file or instrument, the place and the mend."""
