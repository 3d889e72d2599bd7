"""A run as tables, for notebooks, spreadsheets and the store.

Times are UTC; columns whose name ends in `_utc` have no zone, because the store drops the zone of columns. Amounts are
floats of the exact decimals.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import numpy as np
import pandas as pd

from mats.backtest.engine import BacktestRun, Curve
from mats.model import ZERO, Nanos, OrderView, StrategyName
from mats.model.bar_columns import Instants
from mats.store.tables import INDEX_NAME

VALUES = ("equity", "cash", "gross", "net")


def frames(run: BacktestRun) -> dict[str, pd.DataFrame]:
    """All tables of a run by name."""
    return {
        "equity_curve": equity_curve(run),
        "trades": trades(run),
        "positions": positions(run),
        "orders": orders(run),
        "fills": fills(run),
        "cash_events": cash_events(run),
    }


def equity_curve(run: BacktestRun) -> pd.DataFrame:
    """Equity, cash, gross and net value at each close; those of a strategy as `NAME.equity` where they differ."""
    columns = {name: getattr(run.total, name) for name in VALUES}
    for strategy, curve in sorted(run.by_strategy.items()):
        for name in VALUES:
            values = getattr(curve, name)
            if not np.array_equal(values, columns[name]):
                columns[f"{strategy}.{name}"] = values
    index = pd.DatetimeIndex(run.total.time.view("datetime64[ns]"), tz="UTC", name=INDEX_NAME)
    return pd.DataFrame(columns, index=index, copy=False)


def curves(frame: pd.DataFrame, strategies: tuple[StrategyName, ...]) -> tuple[Curve, Mapping[StrategyName, Curve]]:
    """The inverse of `equity_curve`."""
    time = nanoseconds(frame.index)

    def curve(prefix: str) -> Curve:
        named = [f"{prefix}{name}" if f"{prefix}{name}" in frame else name for name in VALUES]
        return Curve(time, *(frame[name].to_numpy() for name in named))

    return curve(""), {strategy: curve(f"{strategy}.") for strategy in sorted(strategies)}


def nanoseconds(index: pd.Index) -> Instants:
    """The times of an index as instants."""
    return pd.DatetimeIndex(index).as_unit("ns").asi8


def trades(run: BacktestRun) -> pd.DataFrame:
    """Completed round trips by the time of their end; `net` is after the commissions in the trade's currency."""
    costs = [trade.commissions.get(trade.currency, ZERO) for trade in run.trades]
    return pd.DataFrame(
        {
            "strategy": _texts(trade.strategy for trade in run.trades),
            "instrument": _texts(trade.instrument for trade in run.trades),
            "side": _texts(trade.side.value for trade in run.trades),
            "quantity": _floats(trade.quantity for trade in run.trades),
            "entry_utc": _times(trade.entry_time for trade in run.trades),
            "entry_price": _floats(trade.entry_price for trade in run.trades),
            "exit_utc": _times(trade.exit_time for trade in run.trades),
            "exit_price": _floats(trade.exit_price for trade in run.trades),
            "gross": _floats(trade.gross for trade in run.trades),
            "commission": _floats(costs),
            "net": _floats(trade.gross - cost for trade, cost in zip(run.trades, costs, strict=True)),
            "currency": _texts(trade.currency for trade in run.trades),
        }
    )


def fills(run: BacktestRun) -> pd.DataFrame:
    """Executions in the order of their booking, each with the market rule that filled it."""
    executions = [ruled.fill.execution for ruled in run.fills]
    return pd.DataFrame(
        {
            "time_utc": _times(execution.time for execution in executions),
            "strategy": _texts(ruled.fill.strategy for ruled in run.fills),
            "instrument": _texts(execution.instrument for execution in executions),
            "side": _texts(execution.side.value for execution in executions),
            "quantity": _floats(execution.quantity for execution in executions),
            "price": _floats(execution.price for execution in executions),
            "commission": _floats(ruled.commission for ruled in run.fills),
            "commission_currency": _texts(ruled.commission_currency for ruled in run.fills),
            "rule": _texts(ruled.rule for ruled in run.fills),
            "intent_id": _texts(ruled.fill.intent_id for ruled in run.fills),
        }
    )


def orders(run: BacktestRun) -> pd.DataFrame:
    """Orders in their final states, rejected ones too; `note` has the reason."""
    views = run.orders
    return pd.DataFrame(
        {
            "created_utc": _times(view.created for view in views),
            "updated_utc": _times(view.updated for view in views),
            "intent_id": _texts(view.intent_id for view in views),
            "strategy": _texts(view.strategy for view in views),
            "instrument": _texts(view.instrument for view in views),
            "side": _texts(view.side.value for view in views),
            "quantity": _floats(view.quantity for view in views),
            "order_type": _texts(view.ticket.order_type.value for view in views),
            "limit_price": _floats(view.ticket.limit_price for view in views),
            "stop_price": _floats(view.ticket.stop_price for view in views),
            "tif": _texts(view.ticket.tif.value for view in views),
            "state": _texts(view.state.value for view in views),
            "filled": _floats(view.filled for view in views),
            "average_price": _floats(view.average_price for view in views),
            "note": _texts(view.note for view in views),
        }
    )


def positions(run: BacktestRun) -> pd.DataFrame:
    """What each strategy held of an instrument after each fill and each split."""
    changes = [
        (
            f.fill.seq,
            f.fill.execution.time,
            f.fill.strategy,
            f.fill.execution.instrument,
            f.fill.execution.signed_quantity,
        )
        for f in run.fills
    ]
    changes += [(a.seq, a.recorded, a.strategy, a.instrument, a.quantity) for a in run.adjustments]
    held: dict[tuple[str, str], Decimal] = {}
    after: list[Decimal] = []
    ordered = sorted(changes)
    for _, _, strategy, instrument, change in ordered:
        held[strategy, instrument] = held.get((strategy, instrument), ZERO) + change
        after.append(held[strategy, instrument])
    return pd.DataFrame(
        {
            "time_utc": _times(change[1] for change in ordered),
            "strategy": _texts(change[2] for change in ordered),
            "instrument": _texts(change[3] for change in ordered),
            "change": _floats(change[4] for change in ordered),
            "quantity": _floats(after),
        }
    )


def cash_events(run: BacktestRun) -> pd.DataFrame:
    """Dividends, the cost of borrowed shares, cash in place of fractions."""
    events = run.cash_events
    return pd.DataFrame(
        {
            "time_utc": _times(event.time for event in events),
            "strategy": _texts(event.strategy for event in events),
            "instrument": _texts(event.instrument for event in events),
            "kind": _texts(event.kind for event in events),
            "amount": _floats(event.amount for event in events),
            "currency": _texts(event.currency for event in events),
        }
    )


def rejections(views: Sequence[OrderView]) -> dict[str, int]:
    """How many orders were rejected, by the beginning of the reason given."""
    found: dict[str, int] = {}
    for view in views:
        if view.state.value == "REJECTED":
            reason = view.note.partition(":")[0]
            found[reason] = found.get(reason, 0) + 1
    return found


def digest(frame: pd.DataFrame) -> str:
    """A hash of every byte of a table: equal digests are equal tables."""
    hashed = hashlib.blake2b(digest_size=16)
    for name in ("", *frame.columns):
        values = frame[name].to_numpy() if name else _index(frame)
        data = "\0".join(map(str, values.tolist())).encode() if values.dtype == object else values.tobytes()
        hashed.update(f"{name}/{values.dtype}/{len(values)}/".encode() + data)
    return hashed.hexdigest()


def _index(frame: pd.DataFrame) -> np.ndarray:
    return nanoseconds(frame.index) if isinstance(frame.index, pd.DatetimeIndex) else frame.index.to_numpy()


def _texts(values: Iterable[str]) -> np.ndarray:
    return np.array(list(values), dtype=object)


def _floats(values: Iterable[Decimal | None]) -> np.ndarray:
    """NaN where there is no number."""
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)


def _times(values: Iterable[Nanos]) -> np.ndarray:
    return np.array(list(values), dtype=np.int64).view("datetime64[ns]")
