"""Market rules: the tick size of a contract by the level of its price.

The numbers of the rules of common ticks are IB's; a rule of one other tick is numbered by that tick, and the one of
Tokyo has a number of the venue's own.
"""

from decimal import Decimal

from msgspec.structs import replace

from mats.model import ZERO, Instrument, PriceIncrements

RULE_OF_TICK = {Decimal("0.01"): 26, Decimal("0.00005"): 239, Decimal("0.005"): 240, Decimal("0.25"): 67}
TOKYO = 9_000_001
"""Shares of the TOPIX 500. Source: Tokyo Stock Exchange, tick sizes since June 2023."""


def _levels(*levels: tuple[str, str]) -> PriceIncrements:
    return tuple((Decimal(edge), Decimal(tick)) for edge, tick in levels)


RULES: dict[int, PriceIncrements] = {rule: ((ZERO, tick),) for tick, rule in RULE_OF_TICK.items()} | {
    110: _levels(("0", "0.05"), ("3", "0.10")),
    557: _levels(("0", "0.01"), ("50", "0.05"), ("100", "0.1")),
    TOKYO: _levels(("0", "0.1"), ("1000", "0.5"), ("3000", "1"), ("10000", "5"), ("30000", "10"), ("100000", "50")),
}
OWN_RULES = 10_000_000
"""A rule of one tick has this number and the tick in units of `FINEST`."""
FINEST = Decimal("0.00000001")


def rule_of(instrument: Instrument) -> int:
    """The number of its rule on every exchange."""
    stated = instrument.market_rule_ids.partition(",")[0]
    tick = instrument.tick_size
    return int(stated) if stated else RULE_OF_TICK.get(tick) or OWN_RULES + int(tick / FINEST)


def market_rule(number: int) -> PriceIncrements | None:
    """The rule with this number; None if there is none."""
    if number > OWN_RULES:
        return ((ZERO, (number - OWN_RULES) * FINEST),)
    return RULES.get(number)


def ruled(instrument: Instrument, number: int) -> Instrument:
    """The instrument under a rule, whose least tick is its tick size. Raises ValueError for a number that is none."""
    levels = market_rule(number)
    if levels is None:
        raise ValueError(f"market rule {number} is unknown")
    least = min(tick for _, tick in levels)
    return replace(instrument, market_rule_ids=str(number), price_increments=levels, tick_size=least)
