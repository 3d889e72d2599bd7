"""What can be traded at the venue, and how each instrument behaves in the random market."""

import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from mats.model.instrument import Instrument, InstrumentId, SecType, instrument_id
from mats.model.money import ZERO, exact


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument with its habits in the random market.

    `price` is the level the walk returns to, `volatility` the annual standard deviation of its logarithm, `spread` the
    quoted spread in ticks, `lot` the unit of quoted sizes, `daily_volume` in units (0: no volume is published).
    """

    instrument: Instrument
    price: float
    volatility: float
    spread: int = 1
    lot: int = 100
    daily_volume: int = 10_000_000


class ContractQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What a client says about a contract; an empty field says nothing."""

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
    """The listings, found by id, by contract id or by description."""

    def __init__(self, listings: Iterable[Listing]) -> None:
        self._by_id: dict[InstrumentId, Listing] = {}
        self._by_con_id: dict[int, Instrument] = {}
        self._by_symbol: dict[str, list[Instrument]] = {}
        for listing in listings:
            instrument = listing.instrument
            if instrument.id in self._by_id or instrument.con_id in self._by_con_id:
                raise ValueError(
                    f"instrument {instrument.id} with con_id {instrument.con_id} is listed twice; drop one"
                )
            self._by_id[instrument.id] = listing
            self._by_con_id[instrument.con_id] = instrument
            self._by_symbol.setdefault(instrument.symbol, []).append(instrument)

    def __iter__(self) -> Iterator[Listing]:
        return iter(self._by_id.values())

    def __contains__(self, name: InstrumentId) -> bool:
        return name in self._by_id

    def listing(self, name: InstrumentId) -> Listing:
        return self._by_id[name]

    def instrument(self, name: InstrumentId) -> Instrument:
        return self._by_id[name].instrument

    def find(self, query: ContractQuery) -> list[Instrument]:
        """Every instrument that the query describes; a contract id alone is enough, and then the rest must agree."""
        if query.con_id:
            known = self._by_con_id.get(query.con_id)
            return [known] if known and _agrees(query, known) else []
        candidates = (
            self._by_symbol.get(query.symbol, [])
            if query.symbol
            else [i for i in self._by_con_id.values() if query.local_symbol and i.local_symbol == query.local_symbol]
        )
        return [instrument for instrument in candidates if _agrees(query, instrument)]


def _agrees(query: ContractQuery, instrument: Instrument) -> bool:
    routes = {"", "SMART", instrument.exchange, instrument.primary_exchange}
    return (
        query.symbol in ("", instrument.symbol)
        and query.sec_type in ("", instrument.sec_type.value)
        and query.currency in ("", instrument.currency)
        and query.exchange in routes
        and query.local_symbol in ("", instrument.local_symbol)
        and instrument.expiry.startswith(query.expiry)
    )


def _stock(con_id: int, symbol: str, primary: str, name: str, price: float, volatility: float, volume: int) -> Listing:
    instrument = Instrument(
        id=symbol,
        symbol=symbol,
        sec_type=SecType.STOCK,
        currency="USD",
        exchange="SMART",
        primary_exchange=primary,
        local_symbol=symbol,
        trading_class="NMS" if primary == "NASDAQ" else symbol,
        con_id=con_id,
        name=name,
    )
    return Listing(instrument=instrument, price=price, volatility=volatility, daily_volume=volume)


def _pair(con_id: int, base: str, quote: str, name: str, tick: str, price: float, volatility: float) -> Listing:
    instrument = Instrument(
        id=base + quote,
        symbol=base,
        sec_type=SecType.CASH,
        currency=quote,
        exchange="IDEALPRO",
        local_symbol=f"{base}.{quote}",
        trading_class=f"{base}.{quote}",
        tick_size=Decimal(tick),
        con_id=con_id,
        name=name,
    )
    return Listing(instrument=instrument, price=price, volatility=volatility, spread=2, lot=250_000, daily_volume=0)


DEFAULT_LISTINGS = (
    _stock(756733, "SPY", "ARCA", "SPDR S&P 500 ETF TRUST", 560.0, 0.16, 60_000_000),
    _stock(320227571, "QQQ", "NASDAQ", "INVESCO QQQ TRUST SERIES 1", 480.0, 0.20, 40_000_000),
    _stock(72539702, "TQQQ", "NASDAQ", "PROSHARES ULTRAPRO QQQ", 72.0, 0.60, 70_000_000),
    _stock(265598, "AAPL", "NASDAQ", "APPLE INC", 225.0, 0.26, 50_000_000),
    _stock(8314, "IBM", "NYSE", "INTL BUSINESS MACHINES CORP", 190.0, 0.22, 4_000_000),
    _stock(10098, "BAC", "NYSE", "BANK OF AMERICA CORP", 40.0, 0.25, 35_000_000),
    _stock(61319701, "AIG", "NYSE", "AMERICAN INTERNATIONAL GROUP", 75.0, 0.24, 4_000_000),
    _pair(12087792, "EUR", "USD", "European Monetary Union Euro", "0.00005", 1.09, 0.07),
    _pair(12087797, "GBP", "USD", "British pound", "0.00005", 1.28, 0.08),
    _pair(15016059, "USD", "JPY", "United States dollar", "0.005", 148.0, 0.10),
)
"""Stocks and pairs that need no settings file. The contract ids are stable; the levels are plausible, not quotes."""

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
        raise ValueError(f"instruments file {path} cannot be read ({error}); mend it or name another") from error
    for entry in content.get("instrument", []):
        listing = _listing_of(entry, path)
        listings[listing.instrument.id] = listing
    return Universe(listings.values())


def _listing_of(entry: dict[str, object], path: Path) -> Listing:
    fields = {key: value for key, value in entry.items() if key in INSTRUMENT_KEYS}
    habits = {key: value for key, value in entry.items() if key not in INSTRUMENT_KEYS}
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
        return msgspec.convert({**habits, "instrument": instrument}, Listing, strict=False)
    except (KeyError, ValueError, msgspec.ValidationError) as error:
        raise ValueError(
            f"instrument {entry.get('symbol', '?')} in {path} is not usable ({error}); mend that entry"
        ) from error
