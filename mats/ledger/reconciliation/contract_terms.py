"""The terms of a contract as its name states them: type, expiry, underlying, strike."""

from decimal import Decimal

import msgspec

from mats.instruments import try_parse_instrument
from mats.model import InstrumentId, Nanos, SecType, to_datetime


class ContractTerms(msgspec.Struct, frozen=True):
    """`expiry` is the last day (yyyymmdd). `underlying`, `right` (C or P) and `strike` are those of an option."""

    expiry: str
    underlying: InstrumentId = ""
    right: str = ""
    strike: Decimal = Decimal(0)

    def has_expired(self, now: Nanos) -> bool:
        """Whether the last day has come (UTC): from then on the contract may leave without an execution."""
        return to_datetime(now).strftime("%Y%m%d") >= self.expiry

    def units_delivered(self, contracts: Decimal, multiplier: Decimal) -> Decimal:
        """Signed units of the underlying that an exercise of `contracts` (signed as held) delivers."""
        return contracts * multiplier * (1 if self.right == "C" else -1)


def terms_of(name: InstrumentId) -> ContractTerms | None:
    """The terms that a name states; None for what does not expire, and for names without the day of expiry."""
    instrument = try_parse_instrument(name)
    if instrument is None or len(instrument.expiry) != 8 or not instrument.expiry.isdecimal():
        return None
    underlying = instrument.symbol.replace(" ", "_") if instrument.sec_type is SecType.OPTION else ""
    return ContractTerms(instrument.expiry, underlying, instrument.right, instrument.strike)


def is_stock(name: InstrumentId) -> bool:
    """Whether the name is that of a stock."""
    instrument = try_parse_instrument(name)
    return instrument is not None and instrument.sec_type is SecType.STOCK
