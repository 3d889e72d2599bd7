"""Hand-made results for the tests of reports: an orderly random walk with trades, without an engine."""

from decimal import Decimal

import numpy as np

from mats.backtest.engine.run_records import BacktestRun, CashEvent, Curve, RuledFill
from mats.backtest.spec import BacktestSpec
from mats.ledger.books.trade_record import Trade
from mats.model.bar_columns import BarColumns
from mats.model.executions import Execution, FillRecorded
from mats.model.orders import Side
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import DAY, SECOND

START = 1_577_836_800 * SECOND  # 2020-01-01
CAPITAL = 1_000_000.0


def walk(count: int, seed: int = 1, span: int = 86_400, instrument: str = "SPY") -> BarColumns:
    """A random walk from 100, in cents; the opens are not the closes before them."""
    random = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(random.normal(3e-4, 0.01, count))), 2)
    start = START + np.arange(count, dtype=np.int64) * span * SECOND
    opened = np.round(np.concatenate(([100.0], close[:-1])) * np.exp(random.normal(0, 0.002, count)), 2)
    high, low = np.maximum(opened, close) * 1.003, np.minimum(opened, close) * 0.997
    return BarColumns(instrument, span, start, opened, high, low, close, np.full(count, 1e6))


def trade(at: int, bars: BarColumns, strategy: str, held: int = 7, quantity: int = 3_000) -> Trade:
    """Bought or sold at an open, closed `held` bars later."""
    side = Side.BUY if at % 3 else Side.SELL
    return Trade(
        account="BT1", strategy=strategy, instrument=bars.instrument, currency="USD", multiplier=Decimal(1), side=side,
        quantity=Decimal(quantity), entry_id=f"{strategy}-{at}", entry_time=int(bars.start[at]),
        entry_price=Decimal(f"{bars.open[at]:.2f}"), exit_id=f"{strategy}-{at}x", exit_time=int(bars.start[at + held]),
        exit_price=Decimal(f"{bars.open[at + held]:.2f}"), commissions={"USD": Decimal(30)},
    )  # fmt: skip


def fill(of: Trade, seq: int) -> RuledFill:
    """The fill that opened a trade, for the whole commission of it."""
    execution = Execution(
        account=of.account, exec_id=f"{of.entry_id}.01", instrument=of.instrument, side=of.side, quantity=of.quantity,
        price=of.entry_price, time=of.entry_time,
    )  # fmt: skip
    recorded = FillRecorded(
        seq=seq, strategy=of.strategy, intent_id=of.entry_id, execution=execution, recorded=of.entry_time
    )
    return RuledFill(recorded, of.commissions["USD"], "USD", "open")


def curve(bars: BarColumns, trades: list[Trade], begin: float) -> Curve:
    """`begin` and the results of the trades, each counted when it ended; half of the time half is invested."""
    steps = np.zeros(len(bars))
    for one in trades:
        at = int(np.searchsorted(bars.start, one.exit_time))
        steps[at] += float(one.gross - one.commissions["USD"])
    equity = begin + np.cumsum(steps)
    invested = np.where(np.arange(len(bars)) % 40 < 20, 0.5, 0.1) * equity
    return Curve(bars.end, equity, equity - invested, invested, invested * np.where(np.arange(len(bars)) % 3, 1, -1))


def result(count: int = 1_000, names: tuple[str, ...] = ("trend", "revert"), **more: object) -> BacktestRun:
    """Strategies of equal weight, each with a trade every 11 bars in an instrument of its own."""
    weight, books, trades = 1 / len(names), {}, []
    for number, name in enumerate(names):
        bars = walk(count, number + 1, instrument=("SPY", "QQQ", "IWM")[number % 3])
        own = [trade(at, bars, name) for at in range(1, count - 8, 11)]
        books[name] = curve(bars, own, weight * CAPITAL)
        trades += own
    columns = zip(*((c.equity, c.cash, c.gross, c.net) for c in books.values()), strict=True)
    total = Curve(bars.end, *(np.sum(column, axis=0) for column in columns))
    records = tuple(
        StrategyRecord(
            name=name, file="examples/ema_cross.py", class_name="EmaCross", target_weight=weight, params={"fast": 5}
        )
        for name in names
    )
    spec = BacktestSpec(strategies=records, folder=".", bar_seconds=86_400, start=START, end=START + count * DAY)
    dividend = CashEvent(START + 30 * DAY, names[0], "SPY", "dividend", Decimal(4_000), "USD")
    fields: dict[str, object] = {
        "spec": spec, "state": "complete", "bars": count, "total": total, "by_strategy": books, "signals": (),
        "orders": (), "fills": tuple(fill(one, seq) for seq, one in enumerate(trades, 1)), "trades": tuple(trades),
        "cash_events": (dividend,),
    }  # fmt: skip
    return BacktestRun(**(fields | more))  # type: ignore[arg-type]
