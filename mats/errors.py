"""What a person can mend."""


class UserError(Exception):
    """A fault of use: every argument is one sentence that names the thing, the value and the mend."""
