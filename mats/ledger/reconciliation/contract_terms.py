"""What the name of a contract says: what it is, when it ends, on what it is written, at which price it is exercised."""

from decimal import Decimal

import msgspec

from mats.model import Instrument, InstrumentId, Nanos, SecType, parse_instrument, to_datetime


class ContractTerms(msgspec.Struct, frozen=True):
    """`expiry` is the last day (yyyymmdd). `underlying`, `right` (C or P) and `strike` are those of an option."""

    expiry: str
    underlying: InstrumentId = ""
    right: str = ""
    strike: Decimal = Decimal(0)

    def ended(self, now: Nanos) -> bool:
        """Whether the last day has come (UTC): from then on the contract may leave without an execution."""
        return to_datetime(now).strftime("%Y%m%d") >= self.expiry

    def delivered(self, contracts: Decimal, multiplier: Decimal) -> Decimal:
        """Signed units of the underlying that come in when so many contracts, signed as held, are exercised."""
        return contracts * multiplier * (1 if self.right == "C" else -1)


def terms_of(name: InstrumentId) -> ContractTerms | None:
    """The terms that a name tells; None for what does not expire, and for names that do not say it to the day."""
    instrument = meant_by(name)
    if instrument is None or len(instrument.expiry) != 8 or not instrument.expiry.isdecimal():
        return None
    underlying = instrument.symbol.replace(" ", "_") if instrument.sec_type is SecType.OPTION else ""
    return ContractTerms(instrument.expiry, underlying, instrument.right, instrument.strike)


def is_stock(name: InstrumentId) -> bool:
    """Whether the name is that of a share."""
    instrument = meant_by(name)
    return instrument is not None and instrument.sec_type is SecType.STOCK


def meant_by(name: InstrumentId) -> Instrument | None:
    """What a name means; None for a type that the system does not trade (its contract id stands behind a second colon)
    and for a symbol in the manner of another market."""
    if name.count(":") > 1:
        return None
    try:
        return parse_instrument(name)
    except ValueError:
        return None
