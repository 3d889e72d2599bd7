"""Margin requirements of positions and orders."""

from decimal import Decimal
from typing import NamedTuple, Protocol

from mats.model import ONE, ZERO, Instrument, SecType


class Requirement(NamedTuple):
    """Margin, in the currency of the given value."""

    initial: Decimal
    maintenance: Decimal


class MarginModel(Protocol):
    def requirement(self, instrument: Instrument, quantity: Decimal, value: Decimal) -> Requirement:
        """The margin of a position with a signed quantity and an unsigned market value."""

    def allows_short(self, instrument: Instrument) -> bool:
        """Whether the account may be short in the instrument."""


def _flat(instrument: Instrument, value: Decimal, shares: dict[SecType, Decimal]) -> Requirement:
    share = value * shares.get(instrument.sec_type, ONE)
    return Requirement(share, share)


INTRADAY = {
    SecType.STOCK: Decimal("0.25"),
    SecType.CASH: Decimal("0.03"),
    SecType.FUTURE: Decimal("0.10"),
    SecType.CFD: Decimal("0.05"),
}


class IntradayMargin:
    """The default: approximately IB's intraday margin. Source: IB's pages "Margin Requirements".

    Stocks 25 % (within the day IB requires the maintenance margin of Regulation T), pairs 3 %, futures 10 % of the
    value of the contract, contracts for difference 5 %, everything else in full.
    """

    def requirement(self, instrument: Instrument, quantity: Decimal, value: Decimal) -> Requirement:
        return _flat(instrument, value, INTRADAY)

    def allows_short(self, instrument: Instrument) -> bool:
        return True


class RegTMargin:
    """Regulation T overnight: stocks 50 % initial, 25 % maintenance long and 30 % short.

    Sources: Federal Reserve, 12 CFR 220.12 (initial 50 %); FINRA rule 4210 (maintenance 25 % long, 30 % short).
    A written option requires twenty times its premium here, since the price of its underlying is not available.
    """

    def requirement(self, instrument: Instrument, quantity: Decimal, value: Decimal) -> Requirement:
        if instrument.sec_type is SecType.STOCK:
            return Requirement(value * Decimal("0.5"), value * Decimal("0.25" if quantity > 0 else "0.30"))
        if instrument.sec_type is SecType.OPTION and quantity < 0:
            return Requirement(value * 20, value * 20)
        return _flat(instrument, value, INTRADAY)

    def allows_short(self, instrument: Instrument) -> bool:
        return True


class CashMargin:
    """A cash account: everything is paid in full, and nothing is sold short. Pairs need no margin."""

    def requirement(self, instrument: Instrument, quantity: Decimal, value: Decimal) -> Requirement:
        if instrument.sec_type is SecType.CASH:
            return Requirement(ZERO, ZERO)
        return Requirement(value, value)

    def allows_short(self, instrument: Instrument) -> bool:
        return instrument.sec_type in (SecType.CASH, SecType.FUTURE, SecType.CFD)
