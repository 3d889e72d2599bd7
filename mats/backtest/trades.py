"""Round trips of a run: first in, first out, with splits in between and each piece's share of the commissions."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from mats.backtest.run import RuledFill
from mats.ledger.trades import Lot, Lots, Trade, match
from mats.model.executions import AdjustmentRecorded
from mats.model.money import ZERO

Key = tuple[str, str]


def completed_trades(fills: Sequence[RuledFill], splits: Sequence[AdjustmentRecorded]) -> tuple[Trade, ...]:
    """The completed trades of all books, by the time of their closing fill."""
    open_lots: dict[Key, Lots] = {}
    trades: list[Trade] = []
    by_id = {ruled.fill.execution.family: ruled for ruled in fills}
    entries: list[RuledFill | AdjustmentRecorded] = [*fills, *splits]
    for entry in sorted(entries, key=lambda e: e.fill.seq if isinstance(e, RuledFill) else e.seq):
        if isinstance(entry, AdjustmentRecorded):
            key = entry.strategy, entry.instrument
            open_lots[key] = _split(open_lots[key], entry.quantity)
            continue
        lots, closed = _matched(open_lots, entry)
        open_lots[lots.strategy, lots.instrument] = lots
        trades += [_charged(trade, by_id) for trade in closed]
    return tuple(trades)


def _matched(open_lots: dict[Key, Lots], ruled: RuledFill) -> tuple[Lots, tuple[Trade, ...]]:
    fill, execution = ruled.fill, ruled.fill.execution
    lots = open_lots.get((fill.strategy, execution.instrument)) or Lots(
        account=execution.account,
        strategy=fill.strategy,
        instrument=execution.instrument,
        currency=execution.currency,
        multiplier=execution.multiplier,
    )
    lot = Lot(id=execution.family, time=execution.time, price=execution.price, quantity=execution.signed_quantity)
    return match(lots, lot)


def _split(lots: Lots, change: Decimal) -> Lots:
    """The lots after a split that changed the position: more units at lower prices, in the same proportion.

    What a split pays out for a fraction leaves from the newest lot.
    """
    before = lots.quantity
    ratio = (before + change) / before if before else Decimal(1)
    return replace(
        lots,
        lots=tuple(replace(lot, quantity=lot.quantity * ratio, price=lot.price / ratio) for lot in lots.lots),
    )


def _charged(trade: Trade, by_id: dict[str, RuledFill]) -> Trade:
    """The trade with its share, by quantity, of what its two fills cost."""
    shares: dict[str, Decimal] = {}
    for family in (trade.entry_id, trade.exit_id):
        ruled = by_id[family]
        share = ruled.commission * min(trade.quantity / ruled.fill.execution.quantity, Decimal(1))
        shares[ruled.commission_currency] = shares.get(ruled.commission_currency, ZERO) + share
    return replace(trade, commissions=shares)
