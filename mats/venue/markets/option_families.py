"""Options by family: the contracts of one trading class, made when they are asked for.

The index options of one underlying are half a million contracts; a family is the rule from which each of them follows.
"""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple, Protocol

import msgspec

from mats.model import Instrument, SecType, exact
from mats.venue.markets.calendar_rules import MONTH_CODES
from mats.venue.markets.listing import Listing
from mats.venue.markets.market_rules import ruled

RIGHTS = "CP"
STRIDE = 10_000
"""Contract ids of one expiry."""


class OptionTerms(NamedTuple):
    """What tells an option of a family from the others."""

    expiry: str
    strike: Decimal
    right: str


class OptionNames(Protocol):
    """How an exchange writes the local symbol of an option, and reads it."""

    def local_symbol(self, terms: OptionTerms) -> str: ...

    def read(self, local_symbol: str) -> OptionTerms | None:
        """The terms of an option of this family; None if the text is not one's."""


class OccNames(msgspec.Struct, frozen=True):
    """The names of the OCC: the class in six places, yymmdd, the right, the strike in thousandths."""

    trading_class: str

    def local_symbol(self, terms: OptionTerms) -> str:
        return f"{self.trading_class:<6}{terms.expiry[2:]}{terms.right}{int(terms.strike * 1000):08d}"

    def read(self, local_symbol: str) -> OptionTerms | None:
        found = re.fullmatch(rf"{re.escape(f'{self.trading_class:<6}')}(\d{{6}})([CP])(\d{{8}})", local_symbol)
        return OptionTerms("20" + found[1], Decimal(found[3]) / 1000, found[2]) if found else None


class EurexNames(msgspec.Struct, frozen=True):
    """`C OESX  20261218 4775 M`."""

    trading_class: str

    def local_symbol(self, terms: OptionTerms) -> str:
        return f"{terms.right} {self.trading_class:<5} {terms.expiry} {terms.strike.normalize():f} M"

    def read(self, local_symbol: str) -> OptionTerms | None:
        found = re.fullmatch(rf"([CP]) {self.trading_class}\s+(\d{{8}}) (\d+(?:\.\d+)?) M", local_symbol)
        return OptionTerms(found[2], exact(found[3]), found[1]) if found else None


class FuturesOptionNames(msgspec.Struct, frozen=True):
    """`ESZ6 C6000`: the class, month and year, the right and the strike."""

    trading_class: str
    expiries: tuple[str, ...]

    def local_symbol(self, terms: OptionTerms) -> str:
        return f"{self._head(terms.expiry)} {terms.right}{terms.strike.normalize():f}"

    def read(self, local_symbol: str) -> OptionTerms | None:
        found = re.fullmatch(r"(\S+) ([CP])(\d+(?:\.\d+)?)", local_symbol)
        expiry = next((day for day in self.expiries if found and self._head(day) == found[1]), "")
        return OptionTerms(expiry, exact(found[3]), found[2]) if found and expiry else None

    def _head(self, expiry: str) -> str:
        return f"{self.trading_class}{MONTH_CODES[int(expiry[4:6])]}{expiry[3]}"


class OptionFamily:
    """The options of one trading class: calls and puts of every strike at every expiry.

    `model` is the listing of any of them: only its expiry, strike, right, names and contract id are replaced.
    `underlyings` are what the options of an expiry are on, where that is not the same for all.
    """

    def __init__(
        self,
        model: Listing,
        names: OptionNames,
        first_con_id: int,
        expiries: list[date],
        strikes: range,
        *,
        underlyings: dict[str, str] | None = None,
        stride: int = STRIDE,
    ) -> None:
        self.model, self._names, self._stride = model, names, stride
        self.symbol, self.trading_class = model.instrument.symbol, model.instrument.trading_class
        self.first_con_id, self.end_con_id = first_con_id, first_con_id + stride * len(expiries)
        self.expiries = [day.strftime("%Y%m%d") for day in expiries]
        self.strikes = [exact(strike) for strike in strikes]
        self._expiry_at = {expiry: at for at, expiry in enumerate(self.expiries)}
        self._strike_at = {strike: at for at, strike in enumerate(self.strikes)}
        self._underlyings = underlyings or {}

    def underlying(self, expiry: str) -> str:
        return self._underlyings.get(expiry, self.model.underlying)

    def holds(self, con_id: int) -> bool:
        """Whether a contract id is one of this family's."""
        return self.first_con_id <= con_id < self.end_con_id

    def by_con_id(self, con_id: int) -> Listing | None:
        at, rest = divmod(con_id - self.first_con_id, self._stride)
        strike, right = divmod(rest, len(RIGHTS))
        if not (0 <= at < len(self.expiries) and strike < len(self.strikes)):
            return None
        return self._listing(OptionTerms(self.expiries[at], self.strikes[strike], RIGHTS[right]))

    def by_local_symbol(self, local_symbol: str) -> Listing | None:
        terms = self._names.read(local_symbol)
        known = terms and terms.expiry in self._expiry_at and terms.strike in self._strike_at
        return self._listing(terms) if terms and known else None

    def matching(self, expiry: str, strike: Decimal, right: str) -> Iterator[Listing]:
        """Those of an expiry or a month, a strike and a right; an empty one means all."""
        for day in self.expiries:
            if day.startswith(expiry):
                for level in [strike] if strike in self._strike_at else self.strikes if not strike else ():
                    for side in RIGHTS:
                        if right in ("", side):
                            yield self._listing(OptionTerms(day, level, side))

    def _listing(self, terms: OptionTerms) -> Listing:
        at = self._expiry_at[terms.expiry] * self._stride + self._strike_at[terms.strike] * len(RIGHTS)
        local = self._names.local_symbol(terms)
        instrument: Instrument = msgspec.structs.replace(
            self.model.instrument,
            id=local,
            local_symbol=local,
            expiry=terms.expiry,
            strike=terms.strike,
            right=terms.right,
            con_id=self.first_con_id + at + RIGHTS.index(terms.right),
        )
        return msgspec.structs.replace(self.model, instrument=instrument, underlying=self.underlying(terms.expiry))


def option_family(
    listing: Listing,
    trading_class: str,
    first_con_id: int,
    expiries: list[date],
    strikes: range,
    *,
    stride: int = STRIDE,
    tick: str = "0.01",
    rule: int = 0,
    exchange: str = "SMART",
    multiplier: int = 100,
    names: OptionNames | None = None,
) -> OptionFamily:
    """The options on a stock or an index. `rule` is its market rule, where its `tick` depends on the price."""
    on = listing.instrument
    instrument = Instrument(
        id=trading_class,
        symbol=on.symbol,
        sec_type=SecType.OPTION,
        currency=on.currency,
        exchange=exchange,
        trading_class=trading_class,
        multiplier=Decimal(multiplier),
        tick_size=Decimal(tick),
        time_zone=on.time_zone,
        name=on.name,
    )
    model = Listing(
        instrument=ruled(instrument, rule) if rule else instrument,
        price=listing.price,
        volatility=listing.volatility,
        spread=3,
        lot=10,
        daily_volume=500,
        underlying=on.id,
    )
    return OptionFamily(model, names or OccNames(trading_class), first_con_id, expiries, strikes, stride=stride)
