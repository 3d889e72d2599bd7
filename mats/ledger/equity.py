"""How much money a strategy may work with: its own equity, or its weight of the account's."""

from collections.abc import Mapping
from decimal import Decimal

from mats.ledger.figures import Figure, Unknown
from mats.model.money import ZERO
from mats.model.orders import StrategyName


def strategy_equity(explicit: Decimal | None, target_weight: Decimal | None, total_equity: Decimal | None) -> Figure:
    """The equity of a strategy in the base currency: the explicit one, else `target_weight × total_equity`."""
    if explicit is not None:
        return explicit
    if target_weight is None:
        return Unknown("the strategy has neither an equity of its own nor a target weight")
    if total_equity is None:
        return Unknown("the account's total equity is not known yet")
    return target_weight * total_equity


def check_weights(weights: Mapping[StrategyName, Decimal], allow_leverage: bool) -> None:
    """Target weights of the active strategies: none negative, and together at most 1 unless leverage is allowed."""
    for strategy, weight in weights.items():
        if not weight.is_finite() or weight < 0:
            raise ValueError(f"target_weight {weight} of {strategy} is not a share; give a number from 0 to 1")
    total = sum(weights.values(), ZERO)
    if total > 1 and not allow_leverage:
        named = ", ".join(f"{strategy} {weight}" for strategy, weight in sorted(weights.items()))
        raise ValueError(f"target weights sum to {total} ({named}); lower them to at most 1 or allow leverage")
