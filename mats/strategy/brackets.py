"""Brackets: an entry, and the two orders that protect what it opens."""

import msgspec

from mats.errors import StrategyError
from mats.model import ChildRequest, InstrumentId, IntentId, Side, StrategyName, TimeInForce
from mats.strategy.tickets import Price, limit, order_price, stop

STOP, PROFIT = "stop", "profit"
"""How the ids of the two end, after that of the entry."""


class Bracket(msgspec.Struct, frozen=True):
    """The ids of the orders of a bracket; empty where there is none."""

    entry: IntentId
    stop_loss: IntentId
    take_profit: IntentId


def bracket_of(entry: IntentId, children: tuple[ChildRequest, ...]) -> Bracket:
    """The ids of an entry and its children."""
    ids = {child.intent_id for child in children}
    stop_id, profit_id = f"{entry}.{STOP}", f"{entry}.{PROFIT}"
    return Bracket(entry, stop_id if stop_id in ids else "", profit_id if profit_id in ids else "")


def protection(
    entry: IntentId, side: Side, stop_loss: Price | None, take_profit: Price | None
) -> tuple[ChildRequest, ...]:
    """What protects an entry on `side`: both are good until cancelled."""
    children = []
    if stop_loss is not None:
        children.append(ChildRequest(intent_id=f"{entry}.{STOP}", ticket=stop(stop_loss, TimeInForce.GTC)))
    if take_profit is not None:
        children.append(ChildRequest(intent_id=f"{entry}.{PROFIT}", ticket=limit(take_profit, TimeInForce.GTC)))
    return tuple(children)


def check_bracket(
    strategy: StrategyName, instrument: InstrumentId, side: Side, stop_loss: Price | None, take_profit: Price | None
) -> None:
    """Refuse a bracket that protects nothing, or that would end at once. Raises StrategyError."""
    if stop_loss is None and take_profit is None:
        raise StrategyError(
            f"strategy {strategy}: a bracket in {instrument} without stop_loss and take_profit protects nothing; give "
            "one of them at least"
        )
    if stop_loss is None or take_profit is None:
        return
    if (order_price(take_profit) - order_price(stop_loss)) * side.sign <= 0:
        raise StrategyError(
            f"strategy {strategy}: a bracket that begins with a {side} of {instrument} and has stop_loss={stop_loss} "
            f"and take_profit={take_profit} would end at once; the loss belongs "
            f"{'below' if side is Side.BUY else 'above'} the profit"
        )
