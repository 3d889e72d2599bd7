"""What is wrong with market data, in one sentence for the person who can mend it."""


class DataError(ValueError):
    """Bars that cannot be used; the text names the file or instrument, the place and the mend."""
