"""Shares that can be borrowed to sell short."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from mats.model import InstrumentId


class LocateModel(Protocol):
    def available(self, name: InstrumentId, short: Decimal) -> bool:
        """Whether `short` shares in all can be borrowed now."""


class EasyToBorrow:
    """Everything can be borrowed in any size; the default."""

    def available(self, name: InstrumentId, short: Decimal) -> bool:
        return True


class Inventory:
    """Listed instruments can be borrowed up to a number of shares that may change, all others without bound."""

    def __init__(self, shares: Mapping[InstrumentId, Decimal]) -> None:
        self._shares = dict(shares)

    def set(self, name: InstrumentId, shares: Decimal) -> None:
        """From now on so many shares can be borrowed in all."""
        self._shares[name] = shares

    def available(self, name: InstrumentId, short: Decimal) -> bool:
        return name not in self._shares or short <= self._shares[name]
