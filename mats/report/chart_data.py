"""The data of a report's charts: few enough points to stay fluid, without colors.

Times are float milliseconds UTC since the epoch, as browsers count them; amounts are in the result's base currency.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from mats.backtest.engine import BacktestRun, Curve
from mats.backtest.result.metrics import net, starting_equity
from mats.ledger.books import Trade
from mats.model import Side, StrategyName
from mats.model.bar_columns import BarColumns, Floats, Instants

LINE_POINTS = 4_000
CANDLES = 1_500
MARKED_TRADES = 1_500
MILLISECOND = 1_000_000
MONTHS = 12


class Series(msgspec.Struct, frozen=True, eq=False):
    """Values over time, thinned: every peak and trough of the whole is still there."""

    time: Floats
    value: Floats


class Candles(msgspec.Struct, frozen=True, eq=False):
    """Aggregated bars, at most `bars` of the source in each."""

    time: Floats
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    bars: int


class MonthlyReturns(msgspec.Struct, frozen=True):
    """Shares of the equity at each month's start, None where nothing ran; `total` compounds the months of the year."""

    year: int
    months: tuple[float | None, ...]
    total: float


class Bins(msgspec.Struct, frozen=True, eq=False):
    """A histogram: `count[i]` values from `edge[i]` to below `edge[i + 1]`; `mean` of all of them."""

    edge: Floats
    count: npt.NDArray[np.int64]
    mean: float


class Markers(msgspec.Struct, frozen=True, eq=False):
    """The trades that are marked on a price chart, of `of` in all; `net` is the result after commissions."""

    entry_time: Floats
    entry_price: Floats
    exit_time: Floats
    exit_price: Floats
    long: npt.NDArray[np.bool_]
    net: Floats
    of: int


class CostRow(msgspec.Struct, frozen=True, kw_only=True):
    """A result by source: trading before costs, costs, dividends, and the net result."""

    strategy: StrategyName
    trading: float
    commissions: float
    borrow: float
    dividends: float
    net: float


def milliseconds(time: Instants) -> Floats:
    return np.asarray(time, dtype=np.int64) / MILLISECOND


def thin(time: Instants, value: Floats, points: int = LINE_POINTS) -> Series:
    """At most about `points` points: of each block the first, the lowest, the highest and the last."""
    size = len(time)
    if size <= points:
        return Series(milliseconds(time), np.asarray(value, dtype=np.float64))
    width = -(-size // (points // 4))
    start = np.arange(0, size, width)
    block = np.pad(value, (0, len(start) * width - size), mode="edge").reshape(len(start), width)
    last = np.minimum(start + width, size) - 1
    extremes = (np.minimum(start + block.argmin(axis=1), last), np.minimum(start + block.argmax(axis=1), last))
    at = np.unique(np.concatenate((start, *extremes, last)))
    return Series(milliseconds(time[at]), np.asarray(value, dtype=np.float64)[at])


def candles(bars: BarColumns, most: int = CANDLES) -> Candles:
    """The bars, aggregated so that there are at most `most`."""
    width = max(1, -(-len(bars) // most))
    at = np.arange(0, len(bars), width)
    last = np.minimum(at + width, len(bars)) - 1
    return Candles(
        milliseconds(bars.start[at]),
        bars.open[at],
        np.maximum.reduceat(bars.high, at) if len(at) else bars.high,
        np.minimum.reduceat(bars.low, at) if len(at) else bars.low,
        bars.close[last],
        width,
    )


def drawdown(equity: Floats) -> Floats:
    """How far equity is below its highest so far, as a share of that: 0 at a new high, -0.1 a tenth below."""
    return equity / np.maximum.accumulate(equity) - 1


def daily(curve: Curve) -> tuple[Instants, Floats]:
    """The last equity of each calendar day (UTC) that has any: start of the day, and equity."""
    day = np.asarray(curve.time, dtype="datetime64[ns]").astype("datetime64[D]")
    last = np.flatnonzero(np.append(day[1:] != day[:-1], len(day) > 0))
    return day[last].astype("datetime64[ns]").astype(np.int64), curve.equity[last]


def daily_returns(curve: Curve, capital: float) -> Floats:
    """Change of equity from day to day, as a share of the day before; the first is against `capital`."""
    _, equity = daily(curve)
    return np.diff(equity, prepend=capital) / np.concatenate(([capital], equity[:-1])) if len(equity) else equity


def monthly_returns(curve: Curve, capital: float) -> tuple[MonthlyReturns, ...]:
    """The table of months, by year (UTC)."""
    month = np.asarray(curve.time, dtype="datetime64[ns]").astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.append(month[1:] != month[:-1], len(month) > 0))
    table: dict[int, list[float | None]] = {}
    before = capital
    for at in last.tolist():
        year, place = divmod(int(month[at]), MONTHS)
        now = float(curve.equity[at])
        table.setdefault(1970 + year, [None] * MONTHS)[place] = now / before - 1
        before = now
    return tuple(MonthlyReturns(year, tuple(months), _compound(months)) for year, months in table.items())


def bins(values: Floats | Sequence[float], most: int = 60) -> Bins | None:
    """A histogram with a number of bins chosen for the values, one of them starting at 0; None without values."""
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        return None
    wanted = min(max(len(np.histogram_bin_edges(numbers, "auto")) - 1, 10), most)
    width = float(np.ptp(numbers)) / wanted or abs(float(numbers[0])) or 1.0
    first, last = np.floor(numbers.min() / width), np.floor(numbers.max() / width) + 1
    edge = np.arange(first, last + 1) * width
    place = np.clip(np.searchsorted(edge, numbers, side="right") - 1, 0, len(edge) - 2)
    return Bins(edge, np.bincount(place, minlength=len(edge) - 1), float(numbers.mean()))


def markers(trades: Sequence[Trade], most: int = MARKED_TRADES) -> Markers:
    """Entries and exits of trades; of more than `most` those with the largest results, in order of time."""
    nets = np.array([net(trade) for trade in trades], dtype=np.float64)
    kept = np.sort(np.argsort(-np.abs(nets), kind="stable")[:most])
    chosen = [trades[at] for at in kept]
    return Markers(
        milliseconds(np.array([trade.entry_time for trade in chosen], dtype=np.int64)),
        np.array([float(trade.entry_price) for trade in chosen]),
        milliseconds(np.array([trade.exit_time for trade in chosen], dtype=np.int64)),
        np.array([float(trade.exit_price) for trade in chosen]),
        np.array([trade.side is Side.BUY for trade in chosen], dtype=np.bool_),
        nets[kept],
        len(trades),
    )


def costs(run: BacktestRun) -> tuple[CostRow, ...]:
    """Each strategy's result by source; what is not in the base currency is in `trading`."""
    base = run.spec.currency
    charged: dict[tuple[StrategyName, str], float] = {}
    for fill in run.fills:
        if fill.commission_currency == base:
            key = (fill.fill.strategy, "commission")
            charged[key] = charged.get(key, 0.0) + float(fill.commission)
    for event in run.cash_events:
        if event.currency == base:
            key = (event.strategy, event.kind)
            charged[key] = charged.get(key, 0.0) + float(event.amount)
    return tuple(_cost_row(name, result, charged) for name, result in results(run).items())


def steps(rows: Sequence[CostRow]) -> dict[str, float]:
    """From the trading result to the net result: trading and commissions always, the others where there are any."""
    sums = {
        "Trading before costs": sum(row.trading for row in rows),
        "Dividends": sum(row.dividends for row in rows),
        "Commissions": sum(row.commissions for row in rows),
        "Borrowed shares": sum(row.borrow for row in rows),
    }
    return {name: value for name, value in sums.items() if value or name in ("Trading before costs", "Commissions")}


def results(run: BacktestRun) -> Mapping[StrategyName, float]:
    """What each strategy added to the account, all costs paid."""
    return {
        name: float(curve.equity[-1]) - starting_equity(run, name) if len(curve.equity) else 0.0
        for name, curve in run.by_strategy.items()
    }


def exposure(curve: Curve) -> tuple[Floats, Floats]:
    """Gross and net value of what is held, as shares of equity; 0 where equity is not positive."""
    positive = curve.equity > 0
    safe = np.where(positive, curve.equity, 1.0)
    return np.where(positive, curve.gross / safe, 0.0), np.where(positive, curve.net / safe, 0.0)


def _cost_row(name: StrategyName, result: float, charged: Mapping[tuple[StrategyName, str], float]) -> CostRow:
    """`amount` of a cash event is signed as it moved the cash: a cost of borrowing is negative."""
    commissions = -charged.get((name, "commission"), 0.0)
    borrow, dividends = charged.get((name, "borrow"), 0.0), charged.get((name, "dividend"), 0.0)
    trading = result - commissions - borrow - dividends
    return CostRow(
        strategy=name, trading=trading, commissions=commissions, borrow=borrow, dividends=dividends, net=result
    )


def _compound(months: Sequence[float | None]) -> float:
    return float(np.prod([1 + month for month in months if month is not None])) - 1
