"""Figures that may be unknown. An unknown one is `Unknown` with its reason, and so is every sum it is a part of."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from mats.model.money import ZERO


class Unknown(msgspec.Struct, frozen=True):
    """An unknown figure and the reason. It is not zero, and an unknown rate is not one."""

    reason: str


Figure = Decimal | Unknown


def total(parts: Iterable[Figure]) -> Figure:
    """The sum; with an unknown part it is unknown too, with each reason once."""
    whole, missing = ZERO, dict[str, None]()
    for part in parts:
        if isinstance(part, Unknown):
            missing[part.reason] = None
        else:
            whole += part
    return Unknown("; ".join(missing)) if missing else whole


def difference(left: Figure, right: Figure) -> Figure:
    """`left − right`."""
    return total((left, right if isinstance(right, Unknown) else -right))
