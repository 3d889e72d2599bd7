"""Stock loan: shares that can be borrowed for short sales."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from mats.model import InstrumentId


class LocateModel(Protocol):
    def available(self, name: InstrumentId, short: Decimal) -> bool:
        """Whether a total of `short` shares can be borrowed now."""


class EasyToBorrow:
    """Everything can be borrowed in any size; the default."""

    def available(self, name: InstrumentId, short: Decimal) -> bool:
        return True


class Inventory:
    """The given instruments can be borrowed up to a changeable number of shares, all others without limit."""

    def __init__(self, shares: Mapping[InstrumentId, Decimal]) -> None:
        self._shares = dict(shares)

    def set(self, name: InstrumentId, shares: Decimal) -> None:
        """Sets the total number of shares that can be borrowed."""
        self._shares[name] = shares

    def available(self, name: InstrumentId, short: Decimal) -> bool:
        return name not in self._shares or short <= self._shares[name]
