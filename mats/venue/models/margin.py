"""How much of an account's equity its positions and orders tie up."""

from decimal import Decimal
from typing import NamedTuple, Protocol

from mats.model import ONE, ZERO, Instrument, SecType


class Requirement(NamedTuple):
    """Margin in the currency of the value it was asked for."""

    initial: Decimal
    maintenance: Decimal


class MarginModel(Protocol):
    def requirement(self, instrument: Instrument, quantity: Decimal, value: Decimal) -> Requirement:
        """What a position of a signed quantity and an unsigned market value ties up."""

    def allows_short(self, instrument: Instrument) -> bool:
        """Whether the account may hold less than nothing of the instrument."""


def _flat(instrument: Instrument, value: Decimal, shares: dict[SecType, Decimal]) -> Requirement:
    share = value * shares.get(instrument.sec_type, ONE)
    return Requirement(share, share)


INTRADAY = {SecType.STOCK: Decimal("0.25"), SecType.CASH: Decimal("0.03"), SecType.FUTURE: Decimal("0.10")}


class IntradayMargin:
    """The default: what IB asks for within the day, about. Source: IB's pages "Margin Requirements".

    Stocks 25 % (IB asks the maintenance margin of Regulation T accounts within the day), pairs 3 %, futures 10 % of the
    value of the contract, everything else in full.
    """

    def requirement(self, instrument: Instrument, quantity: Decimal, value: Decimal) -> Requirement:
        return _flat(instrument, value, INTRADAY)

    def allows_short(self, instrument: Instrument) -> bool:
        return True


class RegTMargin:
    """Regulation T as it holds overnight: stocks 50 % to open and 25 % to keep, 30 % to keep a short one.

    Sources: Federal Reserve, 12 CFR 220.12 (initial 50 %); FINRA rule 4210 (maintenance 25 % long, 30 % short).
    A written option ties up twenty times its premium here, for want of its underlying's price.
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
    """A cash account: everything is paid in full, and nothing is sold that is not there. Pairs are exchanged."""

    def requirement(self, instrument: Instrument, quantity: Decimal, value: Decimal) -> Requirement:
        if instrument.sec_type is SecType.CASH:
            return Requirement(ZERO, ZERO)
        return Requirement(value, value)

    def allows_short(self, instrument: Instrument) -> bool:
        return instrument.sec_type in (SecType.CASH, SecType.FUTURE)
