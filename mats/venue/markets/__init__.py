"""Instruments and prices of the venue: listings, sessions, random and replayed markets."""

from mats.venue.markets.bar_history import BarHistory, join_bars
from mats.venue.markets.bar_replay import BarReplay, Slice
from mats.venue.markets.default_instruments import DEFAULT_LISTINGS
from mats.venue.markets.exchange_facts import VENUES, facts_of, one_spelling, valid_exchanges, zone_info
from mats.venue.markets.instrument_file import listing_of, load_universe
from mats.venue.markets.listing import Listing
from mats.venue.markets.market_rules import market_rule, rule_of
from mats.venue.markets.option_pricing import Greeks, greeks
from mats.venue.markets.random_market import QUOTE_STEP, RandomMarket
from mats.venue.markets.sessions import (
    ALWAYS,
    AlwaysOpen,
    Hours,
    SessionPhase,
    SessionSchedule,
    TradingSession,
    load_hours,
)
from mats.venue.markets.universe import ContractQuery, OptionChain, Universe, default_universe

__all__ = [
    "ALWAYS",
    "DEFAULT_LISTINGS",
    "QUOTE_STEP",
    "VENUES",
    "AlwaysOpen",
    "BarHistory",
    "BarReplay",
    "ContractQuery",
    "Greeks",
    "Hours",
    "Listing",
    "OptionChain",
    "RandomMarket",
    "SessionPhase",
    "SessionSchedule",
    "Slice",
    "TradingSession",
    "Universe",
    "default_universe",
    "facts_of",
    "greeks",
    "join_bars",
    "listing_of",
    "load_hours",
    "load_universe",
    "market_rule",
    "one_spelling",
    "rule_of",
    "valid_exchanges",
    "zone_info",
]
