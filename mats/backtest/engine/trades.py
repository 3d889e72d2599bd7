"""Round trips of a run: first in, first out, with splits in between and each piece's share of the commissions."""

from collections.abc import Sequence

from mats.backtest.engine.run_records import RuledFill
from mats.ledger.books import Charge, Lot, OpenLots, Trade
from mats.model import EXACT, AdjustmentRecorded

Key = tuple[str, str]


def completed_trades(fills: Sequence[RuledFill], splits: Sequence[AdjustmentRecorded]) -> tuple[Trade, ...]:
    """The completed trades of all books, by the time of their closing fill."""
    books: dict[Key, OpenLots] = {}
    trades: list[Trade] = []
    entries: list[RuledFill | AdjustmentRecorded] = [*fills, *splits]
    if splits:
        entries.sort(key=lambda entry: entry.fill.seq if isinstance(entry, RuledFill) else entry.seq)
    for entry in entries:
        if isinstance(entry, AdjustmentRecorded):
            lots = books[entry.strategy, entry.instrument]
            lots.rescale(EXACT.add(lots.quantity, entry.quantity))
        else:
            trades += _lots_of(books, entry).apply(_lot(entry))
    return tuple(trades)


def _lots_of(books: dict[Key, OpenLots], ruled: RuledFill) -> OpenLots:
    fill, execution = ruled.fill, ruled.fill.execution
    key = fill.strategy, execution.instrument
    if key not in books:
        whole = (execution.account, fill.strategy, execution.instrument)
        books[key] = OpenLots(whole, execution.currency, execution.multiplier)
    return books[key]


def _lot(ruled: RuledFill) -> Lot:
    fill, execution = ruled.fill, ruled.fill.execution
    return Lot(
        id=execution.family,
        time=execution.time,
        price=execution.price,
        quantity=execution.signed_quantity,
        size=execution.quantity,
        intent_id=fill.intent_id,
        rate=fill.rate,
        charge=Charge(ruled.commission, ruled.commission_currency, fill.rate),
    )
