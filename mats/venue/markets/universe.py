"""The instruments of the venue: listings, and the search for contracts among them."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from mats.model import ZERO, Instrument, InstrumentId
from mats.venue.markets.default_instruments import DEFAULT_LISTINGS, DEFAULT_OPTIONS
from mats.venue.markets.exchange_facts import listing_exchange, one_spelling, valid_exchanges
from mats.venue.markets.listing import Listing
from mats.venue.markets.option_families import OptionFamily


class ContractQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A client's description of a contract; an empty field matches all."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    expiry: str = ""
    strike: Decimal = ZERO
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""

    @property
    def side(self) -> str:
        """The right, by its first letter."""
        return "" if self.right[:1] in ("0", "?") else self.right[:1]


class OptionChain(msgspec.Struct, frozen=True):
    """The expiries and strikes of one trading class on an underlying."""

    trading_class: str
    exchange: str
    multiplier: Decimal
    expiries: list[str]
    strikes: list[Decimal]


class Universe:
    """The listings, found by id, by contract id or by description.

    Options of families are listed when they are asked for. What is not quoted from the start is quoted from when `find`
    has it as the only match.
    """

    def __init__(self, listings: Iterable[Listing], families: Iterable[OptionFamily] = ()) -> None:
        self._families = tuple(families)
        self._by_id: dict[InstrumentId, Listing] = {}
        self._by_con_id: dict[int, Listing] = {}
        self._by_symbol: dict[str, list[Listing]] = {}
        self._by_local_symbol: dict[str, list[Listing]] = {}
        self._active: dict[InstrumentId, None] = {}
        for listing in listings:
            self.add(listing)

    def add(self, listing: Listing) -> None:
        """Lists an instrument. Raises ValueError if its id or its contract id is listed already."""
        instrument = listing.instrument
        if instrument.id in self._by_id or self._of_con_id(instrument.con_id):
            raise ValueError(f"instrument {instrument.id} with con_id {instrument.con_id} is listed twice; remove one")
        self._index(listing)
        self._by_symbol.setdefault(instrument.symbol, []).append(listing)
        self._by_local_symbol.setdefault(instrument.local_symbol, []).append(listing)
        if listing.quoted and not instrument.expiry:
            self._active[instrument.id] = None

    def __iter__(self) -> Iterator[Listing]:
        """All but the options of families that nobody asked for."""
        return iter(self._by_id.values())

    def __contains__(self, name: InstrumentId) -> bool:
        return self._of_id(name) is not None

    @property
    def active(self) -> tuple[InstrumentId, ...]:
        """The instruments that are quoted."""
        return tuple(self._active)

    def activate(self, name: InstrumentId) -> None:
        """Starts quoting the instrument."""
        self._active[name] = None

    def listing(self, name: InstrumentId) -> Listing:
        """Raises KeyError if it is not listed."""
        found = self._of_id(name)
        if found is None:
            raise KeyError(name)
        return found

    def instrument(self, name: InstrumentId) -> Instrument:
        return self.listing(name).instrument

    def by_con_id(self, con_id: int) -> Instrument | None:
        found = self._of_con_id(con_id)
        return found.instrument if found else None

    def underlying(self, instrument: Instrument) -> Instrument | None:
        """The underlying of a derivative; None for other instruments."""
        name = self.listing(instrument.id).underlying
        return self.instrument(name) if name else None

    def chains(self, underlying: InstrumentId) -> list[OptionChain]:
        """The option chains of an instrument, one for each trading class."""
        classes: dict[str, list[Instrument]] = {}
        for listing in self:
            if listing.underlying == underlying and listing.is_option and not self._family_of(listing):
                classes.setdefault(listing.instrument.trading_class, []).append(listing.instrument)
        singly = [
            OptionChain(
                name,
                options[0].exchange,
                options[0].multiplier,
                sorted({option.expiry for option in options}),
                sorted({option.strike for option in options}),
            )
            for name, options in classes.items()
        ]
        return [*(chain for family in self._families if (chain := _chain(family, underlying))), *singly]

    def options_on(self, underlying: InstrumentId) -> list[Instrument]:
        """The options on an instrument, in order of expiry, strike and right within their class."""
        for family in self._families:
            for expiry in family.expiries:
                if family.underlying(expiry) == underlying:
                    for listing in family.matching(expiry, ZERO, ""):
                        self._index(listing)
        return [item.instrument for item in self if item.underlying == underlying and item.is_option]

    def search(self, pattern: str) -> list[Instrument]:
        """What does not expire and whose symbol begins with the pattern or whose name contains it."""
        wanted = pattern.upper()
        return [
            instrument
            for instrument in (listing.instrument for listing in self)
            if not instrument.expiry and (instrument.symbol.startswith(wanted) or wanted in instrument.name.upper())
        ]

    def derivatives(self, instrument: Instrument) -> list[str]:
        """The security types of what expires and has the instrument's symbol and currency."""
        key = (instrument.symbol, instrument.currency)
        singly = (listing.instrument for listing in self._by_symbol.get(instrument.symbol, ()))
        families = (family.model.instrument for family in self._families)
        types = {other.sec_type for other in singly if other.expiry and other.currency == instrument.currency}
        return sorted(types | {other.sec_type for other in families if (other.symbol, other.currency) == key})

    def find(self, query: ContractQuery) -> list[Instrument]:
        """Every instrument that matches the query; a contract id is enough, but other given fields must match too."""
        found = [listing.instrument for listing in self._candidates(query) if _matches(query, listing)]
        if len(found) == 1:
            self.activate(found[0].id)
        return found

    def _candidates(self, query: ContractQuery) -> list[Listing]:
        if query.con_id:
            known = self._of_con_id(query.con_id)
            return [known] if known else []
        if query.local_symbol:
            option = self._option_named(query.local_symbol)
            return [*self._by_local_symbol.get(query.local_symbol, ()), *([option] if option else [])]
        return [*self._by_symbol.get(query.symbol, ()), *self._options(query)]

    def _options(self, query: ContractQuery) -> Iterator[Listing]:
        """The options of families that fit the terms of a query."""
        for family in self._families:
            if (
                query.symbol == family.symbol
                and query.sec_type in ("", family.model.instrument.sec_type)
                and query.trading_class in ("", family.trading_class)
            ):
                for listing in family.matching(query.expiry, query.strike, query.side):
                    yield self._index(listing)

    def _index(self, listing: Listing) -> Listing:
        """Keeps a listing, the one that is kept already where it was made before."""
        kept = self._by_id.setdefault(listing.instrument.id, listing)
        return self._by_con_id.setdefault(listing.instrument.con_id, kept)

    def _of_id(self, name: InstrumentId) -> Listing | None:
        return self._by_id.get(name) or self._option_named(name)

    def _of_con_id(self, con_id: int) -> Listing | None:
        known = self._by_con_id.get(con_id)
        if known:
            return known
        made = next((family.by_con_id(con_id) for family in self._families if family.holds(con_id)), None)
        return self._index(made) if made else None

    def _option_named(self, local_symbol: str) -> Listing | None:
        for family in self._families:
            if family.trading_class in local_symbol:
                made = family.by_local_symbol(local_symbol)
                if made:
                    return self._index(made)
        return None

    def _family_of(self, listing: Listing) -> bool:
        return any(family.holds(listing.instrument.con_id) for family in self._families)


def _chain(family: OptionFamily, underlying: InstrumentId) -> OptionChain | None:
    """The chain of a family on an instrument; None if it has no options on it."""
    expiries = [expiry for expiry in family.expiries if family.underlying(expiry) == underlying]
    option = family.model.instrument
    chain = OptionChain(family.trading_class, option.exchange, option.multiplier, expiries, family.strikes)
    return chain if expiries else None


def _matches(query: ContractQuery, listing: Listing) -> bool:
    instrument = listing.instrument
    exchange, primary = one_spelling(query.exchange), one_spelling(query.primary_exchange)
    listed = listing_exchange(instrument)
    return (
        query.symbol in ("", instrument.symbol)
        and query.sec_type in ("", instrument.sec_type)
        and query.currency in ("", instrument.currency)
        and exchange in ("", "SMART", *valid_exchanges(instrument))
        and primary in ("", listed, listed.partition(".")[0], instrument.exchange)
        and query.local_symbol in ("", instrument.local_symbol)
        and query.trading_class in ("", instrument.trading_class)
        and _expires(query.expiry, listing)
        and query.strike in (0, instrument.strike)
        and query.side in ("", instrument.right)
        and _multiplies(query.multiplier, instrument)
    )


def _expires(asked: str, listing: Listing) -> bool:
    """Whether it expires on the day, or belongs to the month, that was asked for."""
    expiry = listing.instrument.expiry
    return not asked or expiry == asked or listing.month == asked or (len(asked) == 4 and expiry.startswith(asked))


def _multiplies(asked: str, instrument: Instrument) -> bool:
    """Whether a multiplier, written as text, is the instrument's."""
    try:
        return not asked or Decimal(asked) == instrument.multiplier
    except ArithmeticError:
        return False


def default_universe() -> Universe:
    return Universe(DEFAULT_LISTINGS, DEFAULT_OPTIONS)
