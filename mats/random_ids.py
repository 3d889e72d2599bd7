"""Ids that cannot repeat, whatever file is rolled back: they are drawn, not counted."""

import secrets
import string

ALPHABET = string.ascii_lowercase + string.digits


def random_id(length: int) -> str:
    """So many letters and digits; eight of them have 41 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def random_number(below: int) -> int:
    """A number from 0 on."""
    return secrets.randbelow(below)
