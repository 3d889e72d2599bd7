"""Market rules: the tick size of a contract by the level of its price.

The numbers of the rules of common ticks are IB's; a rule of one other tick is numbered by that tick.
"""

from bisect import bisect_right
from decimal import Decimal

from mats.model import ZERO, Instrument

Rule = tuple[tuple[Decimal, Decimal], ...]
"""Tick sizes, each from a price upwards, ascending."""

RULE_OF_TICK = {Decimal("0.01"): 26, Decimal("0.00005"): 239, Decimal("0.005"): 240, Decimal("0.25"): 67}
RULES: dict[int, Rule] = {rule: ((ZERO, tick),) for tick, rule in RULE_OF_TICK.items()} | {
    110: ((ZERO, Decimal("0.05")), (Decimal(3), Decimal("0.10"))),
    557: ((ZERO, Decimal("0.01")), (Decimal(50), Decimal("0.05")), (Decimal(100), Decimal("0.1"))),
}
OWN_RULES = 10_000_000
"""A rule of one tick has this number and the tick in units of `FINEST`."""
FINEST = Decimal("0.00000001")


def rule_of(instrument: Instrument) -> int:
    """The number of its rule on every exchange."""
    stated = instrument.market_rule_ids.partition(",")[0]
    tick = instrument.tick_size
    return int(stated) if stated else RULE_OF_TICK.get(tick) or OWN_RULES + int(tick / FINEST)


def market_rule(number: int) -> Rule | None:
    """The rule with this number; None if there is none."""
    if number > OWN_RULES:
        return ((ZERO, (number - OWN_RULES) * FINEST),)
    return RULES.get(number)


def tick_at(instrument: Instrument, price: Decimal) -> Decimal:
    """The tick size at a price."""
    if not instrument.market_rule_ids:
        return instrument.tick_size
    rule = RULES[rule_of(instrument)]
    return rule[max(bisect_right([edge for edge, _ in rule], price) - 1, 0)][1]
