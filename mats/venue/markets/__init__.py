"""Instruments and prices of the venue: listings, sessions, random and replayed markets."""

from mats.venue.markets.bar_history import BarHistory, join_bars
from mats.venue.markets.bar_replay import BarReplay, Slice
from mats.venue.markets.default_instruments import DEFAULT_LISTINGS
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
from mats.venue.markets.universe import VENUES, ContractQuery, Listing, Universe, default_universe, load_universe

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
    "RandomMarket",
    "SessionPhase",
    "SessionSchedule",
    "Slice",
    "TradingSession",
    "Universe",
    "default_universe",
    "greeks",
    "join_bars",
    "load_hours",
    "load_universe",
]
