"""Listings from a TOML file, besides the default ones."""

import tomllib
from decimal import Decimal
from pathlib import Path

import msgspec

from mats.instruments import instrument_id
from mats.model import Instrument, exact
from mats.venue.markets.default_instruments import DEFAULT_LISTINGS, DEFAULT_OPTIONS
from mats.venue.markets.exchange_facts import EXCHANGES, UNITED_STATES
from mats.venue.markets.listing import Listing
from mats.venue.markets.market_rules import rule_of, ruled
from mats.venue.markets.universe import Universe

INSTRUMENT_KEYS = frozenset(Instrument.__struct_fields__) - {"id", "price_increments"}
EXACT_KEYS = ("strike", "multiplier", "tick_size", "size_increment", "min_size", "price_magnifier")


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
        try:
            listing = listing_of(entry)
        except (KeyError, ValueError, ArithmeticError, msgspec.ValidationError) as error:
            raise ValueError(
                f"instrument {entry.get('symbol', '?')} in {path} is invalid ({error}); fix that entry"
            ) from error
        listings[listing.instrument.id] = listing
    return Universe(listings.values(), DEFAULT_OPTIONS)


def listing_of(entry: dict[str, object]) -> Listing:
    """The listing of a table. Raises KeyError or ValueError for what is missing or invalid."""
    fields = {key: value for key, value in entry.items() if key in INSTRUMENT_KEYS}
    market = {key: value for key, value in entry.items() if key not in INSTRUMENT_KEYS}
    exacts: dict[str, Decimal] = {key: exact(str(fields[key])) for key in EXACT_KEYS if key in fields}
    if not fields.get("con_id"):
        raise ValueError("con_id is missing")
    exchange = str(fields.get("primary_exchange") or fields.get("exchange", ""))
    zone = {"time_zone": EXCHANGES.get(exchange, UNITED_STATES).zone}
    named = {**zone, **fields, **exacts, "id": listing_id(fields)}
    instrument = msgspec.convert(named, Instrument, strict=False)
    if instrument.market_rule_ids:
        instrument = ruled(instrument, rule_of(instrument))
    return msgspec.convert({**market, "instrument": instrument}, Listing, strict=False)


def listing_id(fields: dict[str, object]) -> str:
    """The name of a contract; one whose terms cannot be written is called by its contract id."""
    text = {
        key: str(fields.get(key, ""))
        for key in ("symbol", "sec_type", "currency", "expiry", "local_symbol", "trading_class", "right")
    }
    strike, con_id = exact(str(fields.get("strike", 0))), int(str(fields.get("con_id", 0)))
    return instrument_id(**text, strike=strike, con_id=con_id)
