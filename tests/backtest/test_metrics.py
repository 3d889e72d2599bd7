"""Metrics against values worked out by hand; what a run does not define is None, with its reason."""

import math
from decimal import Decimal

import empyrical
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.backtest.engine.run_records import BacktestRun, CashEvent, Curve, RuledFill
from mats.backtest.result.benchmark import hold, hold_all
from mats.backtest.result.metrics import Metrics, drawdowns, measure, measure_curve
from mats.backtest.spec import BacktestSpec
from mats.instruments import parse_instrument
from mats.ledger.books.trade_record import Trade
from mats.model.bar_columns import BarColumns, BarData, Dividend, Split
from mats.model.executions import Execution, FillRecorded
from mats.model.orders import Side
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import DAY, SECOND

START = 1_577_836_800 * SECOND  # 2020-01-01
RECORD = StrategyRecord(name="trend", file="examples/ema_cross.py", class_name="EmaCross", target_weight=1.0)


def curve(*equity: float, seconds: int = 86_400, gross: float = 0.0) -> Curve:
    time = START + (1 + np.arange(len(equity), dtype=np.int64)) * seconds * SECOND
    values = np.array(equity, dtype=np.float64)
    return Curve(time, values, values - gross, np.full(len(equity), gross), np.full(len(equity), gross))


def run_of(total: Curve, seconds: int = 86_400, **changes: object) -> BacktestRun:
    spec = BacktestSpec(strategies=(RECORD,), folder=".", bar_seconds=seconds, start=0, end=2**62, capital=Decimal(100))
    run = BacktestRun(
        spec=spec, state="complete", bars=len(total.time), total=total, by_strategy={"trend": total}, signals=(),
        orders=(), fills=(), trades=(),
    )  # fmt: skip
    return msgspec.structs.replace(run, **changes)


def trade(
    entry: str, exit_: str, quantity: int = 10, cost: str = "1", side: Side = Side.BUY, currency: str = "USD"
) -> Trade:
    return Trade(
        account="BT1", strategy="trend", instrument="SPY", currency=currency, multiplier=Decimal(1), side=side,
        quantity=Decimal(quantity), entry_id="1", entry_time=START, entry_price=Decimal(entry), exit_id="2",
        exit_time=START + 3 * DAY, exit_price=Decimal(exit_), commissions={currency: Decimal(cost)},
    )  # fmt: skip


def fill(quantity: int, price: str, commission: str, currency: str = "USD") -> RuledFill:
    execution = Execution(
        account="BT1", exec_id="1", instrument="SPY", side=Side.BUY, quantity=Decimal(quantity), price=Decimal(price),
        time=START, currency=currency,
    )  # fmt: skip
    recorded = FillRecorded(seq=1, strategy="trend", intent_id="1", execution=execution, recorded=START)
    return RuledFill(recorded, Decimal(commission), currency, "open")


def total(run: BacktestRun) -> Metrics:
    return measure(run)[0]


def test_four_days_worked_out_by_hand() -> None:
    metrics = total(run_of(curve(110, 99, 99, 108.9)))
    returns = [0.1, -0.1, 0.0, 0.1]
    mean = 0.025
    deviation = math.sqrt(sum((r - mean) ** 2 for r in returns) / 3)
    assert metrics.days == 4
    assert metrics.days_per_year == pytest.approx(365.25)
    assert metrics.total_return == pytest.approx(0.089)
    assert metrics.cagr == pytest.approx(1.089 ** (365.25 / 4) - 1)
    assert metrics.volatility == pytest.approx(deviation * math.sqrt(365.25))
    assert metrics.sharpe == pytest.approx(mean / deviation * math.sqrt(365.25))
    assert metrics.sortino == pytest.approx(mean / math.sqrt(0.01 / 4) * math.sqrt(365.25))
    assert metrics.max_drawdown == pytest.approx(-0.1)
    assert metrics.calmar == pytest.approx((1.089 ** (365.25 / 4) - 1) / 0.1)
    assert metrics.max_drawdown_days == 3
    assert metrics.undefined.keys() == {
        "hit_rate", "profit_factor", "average_trade", "average_trade_days", "benchmark_return", "alpha", "beta",
    }  # fmt: skip


def test_minute_bars_are_sampled_once_a_day_and_drawdowns_at_every_close() -> None:
    values = np.full(2 * 1440, 100.0)
    values[700] = 80.0
    values[1439] = 120.0  # the close at midnight is the last of the first day
    values[1440:] = 126.0
    metrics = total(run_of(curve(*values, seconds=60), seconds=60))
    assert metrics.days == 2
    assert metrics.max_drawdown == pytest.approx(-0.2)
    assert metrics.max_drawdown_days == pytest.approx(2 / 1440)
    deviation = np.std([0.2, 0.05], ddof=1)
    assert metrics.sharpe == pytest.approx(0.125 / deviation * math.sqrt(365.25))
    assert (metrics.sortino, metrics.undefined["sortino"]) == (None, "no day lost")


def test_trading_days_a_year_are_counted() -> None:
    days = np.array([d for d in range(364) if d % 7 < 5], dtype=np.int64)
    equity = 100 + np.arange(len(days)) % 3
    weekly = Curve(START + (days + 1) * DAY, equity.astype(float), *(np.zeros(len(days)) for _ in range(3)))
    metrics = total(run_of(weekly))
    assert metrics.days_per_year == pytest.approx(260 / 362 * 365.25)


def test_a_run_without_trades_has_no_ratio_and_says_why() -> None:
    metrics = total(run_of(curve(*[100.0] * 30)))
    assert (metrics.total_return, metrics.cagr, metrics.volatility, metrics.exposure, metrics.turnover) == (
        0,
        0,
        0,
        0,
        0,
    )
    reasons = {name: metrics.undefined[name] for name in ("sharpe", "sortino", "calmar", "hit_rate", "profit_factor")}
    assert reasons == {
        "sharpe": "returns do not vary", "sortino": "returns do not vary", "calmar": "there was no drawdown",
        "hit_rate": "nothing was bought and sold again", "profit_factor": "nothing was bought and sold again",
    }  # fmt: skip
    assert all(value is None for name, value in metrics.figures().items() if name in reasons)


@pytest.mark.parametrize(
    ("equity", "reason"), [((), "fewer than two days"), ((120,), "fewer than two days"), ((50, -1, 20), "fell to zero")]
)
def test_too_short_and_ruined_runs_have_no_annual_figures(equity: tuple[float, ...], reason: str) -> None:
    metrics = total(run_of(curve(*equity)))
    assert (metrics.cagr, metrics.sharpe, metrics.calmar) == (None, None, None)
    assert reason in metrics.undefined["sharpe"]


def test_trades_fills_and_cash_worked_out_by_hand() -> None:
    trades = (trade("10", "12"), trade("10", "9", side=Side.SELL), trade("10", "9"), trade("10", "10.1"))
    fills = (fill(10, "10", "1.5"), fill(10, "12", "0.5"))
    events = (
        CashEvent(START, "trend", "SPY", "dividend", Decimal(3), "USD"),
        CashEvent(START, "trend", "SPY", "borrow", Decimal("-0.75"), "USD"),
        CashEvent(START, "trend", "SPY", "borrow", Decimal(-9), "EUR"),
    )
    held = curve(100, 100, 100, 100, gross=50.0)
    metrics = total(run_of(held, trades=trades, fills=fills, cash_events=events))
    assert (metrics.trades, metrics.fills, metrics.hit_rate) == (4, 2, 0.5)
    assert metrics.profit_factor == pytest.approx((19 + 9) / 11)
    assert metrics.average_trade == pytest.approx(17 / 4)
    assert metrics.average_trade_days == 3
    assert (metrics.commissions, metrics.borrow, metrics.dividends, metrics.costs) == (2.0, 0.75, 3.0, 2.75)
    assert (metrics.exposure, metrics.leverage) == (1.0, 0.5)
    assert metrics.turnover == pytest.approx(220 / 100 / (4 / 365.25))


def test_several_currencies_are_not_added_up() -> None:
    trades = (trade("10", "12"), trade("10", "9", currency="EUR"))
    metrics = total(run_of(curve(100, 101), trades=trades, fills=(fill(1, "1", "1", "EUR"),)))
    assert (metrics.hit_rate, metrics.profit_factor, metrics.turnover, metrics.commissions) == (0.5, None, None, 0.0)
    assert metrics.undefined["profit_factor"] == "trades are in several currencies"


def test_without_a_losing_trade_there_is_no_profit_factor() -> None:
    metrics = total(run_of(curve(100, 101), trades=(trade("10", "12"),)))
    assert (metrics.hit_rate, metrics.profit_factor, metrics.undefined["profit_factor"]) == (1.0, None, "no trade lost")


def bars(name: str, *close: float) -> BarColumns:
    prices = np.array(close, dtype=np.float64)
    start = START + np.arange(len(close), dtype=np.int64) * DAY
    return BarColumns(name, 86_400, start, prices - 1, prices + 1, prices - 2, prices, np.ones(len(close)))


def test_held_instruments_are_the_benchmark_with_splits_and_dividends() -> None:
    data = BarData(
        {"SPY": bars("SPY", 101, 104, 52, 60), "IBM": bars("IBM", 51, 51, 51, 76)},
        {name: parse_instrument(name) for name in ("SPY", "IBM")},
        {"SPY": (Dividend(START + DAY, Decimal(2), "USD"), Split(START + 2 * DAY, Decimal(2)))},
    )
    assert hold(data, "SPY").value.tolist() == pytest.approx([1.01, 1.06, 1.06, 1.22])
    both = hold_all(data, ("IBM", "SPY"))
    assert both.value[-1] == pytest.approx((1.22 + 1.52) / 2)
    assert both.at(np.array([START, START + 9 * DAY])).tolist() == pytest.approx([1.0, both.value[-1]])


def test_a_run_that_holds_twice_the_benchmark_has_a_beta_of_two() -> None:
    data = BarData({"SPY": bars("SPY", 100, 104, 99, 107, 103)}, {"SPY": parse_instrument("SPY")})
    benchmark = hold(data, "SPY")
    theirs = np.diff(np.concatenate(([1.0], benchmark.value))) / np.concatenate(([1.0], benchmark.value[:-1]))
    run = run_of(curve(*(100 * np.cumprod(1 + 2 * theirs))))
    metrics = measure(run, benchmark)[1]["trend"]
    assert metrics.beta == pytest.approx(2)
    assert metrics.alpha == pytest.approx(0, abs=1e-9)
    assert metrics.benchmark_return == pytest.approx(103 / 99 - 1)


@settings(max_examples=200)
@given(st.lists(st.floats(1.0, 1e6), min_size=2, max_size=40))
def test_drawdowns_are_those_of_a_plain_search_and_of_the_library(equity: list[float]) -> None:
    values = np.array([100.0, *equity])
    time = START + np.arange(len(values), dtype=np.int64) * DAY
    longest, since = 0, 0
    for at in range(len(values)):
        if values[at] >= values[: at + 1].max():
            longest, since = max(longest, at - since if at - since > 1 else 0), at
    longest = max(longest, len(values) - 1 - since)
    deepest, days = drawdowns(values, time)
    assert days == longest
    assert deepest == pytest.approx(float(empyrical.max_drawdown(np.diff(values) / values[:-1])), abs=1e-9)


@settings(max_examples=200)
@given(st.lists(st.floats(-50.0, 1e7) | st.just(100.0), max_size=40), st.sampled_from([60, 3_600, 86_400]))
def test_no_figure_is_ever_nan_or_infinite(equity: list[float], seconds: int) -> None:
    run = run_of(curve(*equity, seconds=seconds), seconds=seconds)
    for benchmark in (None, hold(BarData({"SPY": bars("SPY", 100, 104)}, {"SPY": parse_instrument("SPY")}), "SPY")):
        metrics = measure_curve(run, run.total, 100.0, (), (), (), benchmark)
        for name, value in metrics.figures().items():
            assert value is None or math.isfinite(value), name
            assert (value is None) == (name in metrics.undefined), name
