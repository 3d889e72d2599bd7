"""How much money a strategy may work with: its own equity, or its weight of the account's."""

from decimal import Decimal

from mats.ledger.figures import Figure, Unknown


def strategy_equity(explicit: Decimal | None, target_weight: Decimal | None, total_equity: Decimal | None) -> Figure:
    """The equity of a strategy in the base currency: the explicit one, else `target_weight × total_equity`."""
    if explicit is not None:
        return explicit
    if target_weight is None:
        return Unknown("the strategy has neither an equity of its own nor a target weight")
    if total_equity is None:
        return Unknown("the account's total equity is not known yet")
    return target_weight * total_equity
