"""The instruments of the venue: listings, and the search for contracts among them."""

import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from mats.instruments import instrument_id
from mats.model import ZERO, Instrument, InstrumentId, SecType, exact
from mats.venue.markets.default_instruments import DEFAULT_LISTINGS as DEFAULT_LISTINGS
from mats.venue.markets.default_instruments import Listing as Listing


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


class Universe:
    """The listings, found by id, by contract id or by description.

    Expiring instruments are quoted only on request: `find` activates a contract if it is the only match.
    """

    def __init__(self, listings: Iterable[Listing]) -> None:
        self._by_id: dict[InstrumentId, Listing] = {}
        self._by_con_id: dict[int, Instrument] = {}
        self._by_symbol: dict[str, list[Instrument]] = {}
        self._by_local_symbol: dict[str, list[Instrument]] = {}
        self._active: dict[InstrumentId, None] = {}
        for listing in listings:
            instrument = listing.instrument
            if instrument.id in self._by_id or instrument.con_id in self._by_con_id:
                raise ValueError(
                    f"instrument {instrument.id} with con_id {instrument.con_id} is listed twice; remove one"
                )
            self._by_id[instrument.id] = listing
            self._by_con_id[instrument.con_id] = instrument
            self._by_symbol.setdefault(instrument.symbol, []).append(instrument)
            self._by_local_symbol.setdefault(instrument.local_symbol, []).append(instrument)
            if not instrument.expiry:
                self._active[instrument.id] = None

    def __iter__(self) -> Iterator[Listing]:
        return iter(self._by_id.values())

    def __contains__(self, name: InstrumentId) -> bool:
        return name in self._by_id

    @property
    def active(self) -> tuple[InstrumentId, ...]:
        """The instruments that are quoted."""
        return tuple(self._active)

    def activate(self, name: InstrumentId) -> None:
        """Starts quoting the instrument."""
        self._active[name] = None

    def listing(self, name: InstrumentId) -> Listing:
        return self._by_id[name]

    def instrument(self, name: InstrumentId) -> Instrument:
        return self._by_id[name].instrument

    def by_con_id(self, con_id: int) -> Instrument | None:
        return self._by_con_id.get(con_id)

    def underlying(self, instrument: Instrument) -> Instrument | None:
        """The underlying of an option; None for other instruments."""
        name = self._by_id[instrument.id].underlying
        return self._by_id[name].instrument if name else None

    def options_on(self, underlying: InstrumentId) -> list[Instrument]:
        """The option chain of an instrument, in order of expiry, strike and right."""
        return [listing.instrument for listing in self if listing.underlying == underlying]

    def search(self, pattern: str) -> list[Instrument]:
        """Stocks, indices and pairs whose symbol begins with the pattern or whose name contains it."""
        wanted = pattern.upper()
        return [
            instrument
            for instrument in (listing.instrument for listing in self)
            if not instrument.expiry and (instrument.symbol.startswith(wanted) or wanted in instrument.name.upper())
        ]

    def find(self, query: ContractQuery) -> list[Instrument]:
        """Every instrument that matches the query; a contract id is enough, but other given fields must match too."""
        if query.con_id:
            known = self._by_con_id.get(query.con_id)
            candidates = [known] if known else []
        elif query.symbol:
            candidates = self._by_symbol.get(query.symbol, [])
        else:
            candidates = self._by_local_symbol.get(query.local_symbol, []) if query.local_symbol else []
        found = [instrument for instrument in candidates if _matches(query, instrument)]
        if len(found) == 1:
            self.activate(found[0].id)
        return found


def _matches(query: ContractQuery, instrument: Instrument) -> bool:
    venues = {"", "SMART", instrument.exchange, *VENUES.get((instrument.sec_type, instrument.currency), ())}
    return (
        query.symbol in ("", instrument.symbol)
        and query.sec_type in ("", instrument.sec_type.value)
        and query.currency in ("", instrument.currency)
        and query.exchange in venues | {instrument.primary_exchange}
        and query.primary_exchange in ("", instrument.primary_exchange, instrument.exchange)
        and query.local_symbol in ("", instrument.local_symbol)
        and query.trading_class in ("", instrument.trading_class)
        and instrument.expiry.startswith(query.expiry)
        and query.strike in (0, instrument.strike)
        and query.right[:1] in ("", "0", "?", instrument.right)
        and (not query.multiplier or query.multiplier == str(instrument.multiplier))
    )


VENUES: dict[tuple[SecType, str], tuple[str, ...]] = {
    (SecType.STOCK, "USD"): ("AMEX", "NYSE", "CBOE", "ARCA", "BATS", "IEX", "NASDAQ", "ISLAND", "OVERNIGHT"),
    (SecType.STOCK, "EUR"): ("IBIS", "TGATE"),
    (SecType.CASH, "USD"): ("IDEALPRO",),
    (SecType.OPTION, "USD"): ("AMEX", "BATS", "BOX", "CBOE", "ISE", "PHLX", "PSE"),
}
"""The exchanges to which an instrument can be routed, besides SMART and its listing exchange."""

INSTRUMENT_KEYS = frozenset(Instrument.__struct_fields__) - {"id"}
EXACT_KEYS = ("strike", "multiplier", "tick_size", "size_increment", "min_size")


def default_universe() -> Universe:
    return Universe(DEFAULT_LISTINGS)


def load_universe(path: Path) -> Universe:
    """The default listings and those of a TOML file: one `[[instrument]]` table each.

    Keys are the fields of `Instrument` (`symbol`, `sec_type`, `currency` and `con_id` are required) and of `Listing`
    (`price` and `volatility` are required). An entry with a default's id replaces it. Raises ValueError with the entry.
    """
    listings = {listing.instrument.id: listing for listing in DEFAULT_LISTINGS}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"instruments file {path} cannot be read ({error}); fix it or choose another") from error
    for entry in content.get("instrument", []):
        listing = _listing_of(entry, path)
        listings[listing.instrument.id] = listing
    return Universe(listings.values())


def _listing_of(entry: dict[str, object], path: Path) -> Listing:
    fields = {key: value for key, value in entry.items() if key in INSTRUMENT_KEYS}
    market = {key: value for key, value in entry.items() if key not in INSTRUMENT_KEYS}
    try:
        exacts = {key: exact(str(fields[key])) for key in EXACT_KEYS if key in fields}
        name = instrument_id(
            str(fields["symbol"]),
            str(fields["sec_type"]),
            str(fields["currency"]),
            str(fields.get("expiry", "")),
            str(fields.get("local_symbol", "")),
        )
        if not fields.get("con_id"):
            raise ValueError("con_id is missing")
        instrument = msgspec.convert({**fields, **exacts, "id": name}, Instrument, strict=False)
        return msgspec.convert({**market, "instrument": instrument}, Listing, strict=False)
    except (KeyError, ValueError, msgspec.ValidationError) as error:
        raise ValueError(
            f"instrument {entry.get('symbol', '?')} in {path} is invalid ({error}); fix that entry"
        ) from error
