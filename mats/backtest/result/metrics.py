"""Metrics of a result. Ratios of returns come from empyrical; what it leaves undefined is None here, with the reason.

Returns are those from day to day: equity at the last close of each day of UTC that has one, the first against the
capital. Days a year are counted, not assumed: days with a close divided by the years from the first bar's start to the
last close (365.25 days each), about 252 for a stock exchange and 365 for a market that never closes.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mats.backtest.engine import BacktestRun, CashEvent, Curve, RuledFill
from mats.backtest.result.benchmark import Benchmark
from mats.backtest.result.metric_names import Metrics as Metrics
from mats.ledger.books import Trade
from mats.model import DAY, SECOND, ZERO, Currency, StrategyName
from mats.model.bar_columns import Floats, Instants

YEAR_DAYS = 365.25
MIN_DEVIATION = 1e-12
"""Returns whose standard deviation is below this do not vary; the rest is float rounding."""


MetricValues = dict[str, Any]
"""Some of the figures by name."""


class Samples(NamedTuple):
    """A curve from day to day: the closes taken, returns, and how many of them make a year (0: too few)."""

    time: Instants
    returns: Floats
    a_year: float
    years: float


def measure(run: BacktestRun, benchmark: Benchmark | None = None) -> tuple[Metrics, dict[StrategyName, Metrics]]:
    """The metrics of the account and of each strategy; the benchmark is compared with both."""
    capital = float(run.spec.capital)
    total = measure_curve(run, run.total, capital, run.fills, run.trades, run.cash_events, benchmark)
    by_strategy = {
        name: measure_curve(
            run,
            curve,
            starting_equity(run, name),
            [fill for fill in run.fills if fill.fill.strategy == name],
            [trade for trade in run.trades if trade.strategy == name],
            [event for event in run.cash_events if event.strategy == name],
            benchmark,
        )
        for name, curve in run.by_strategy.items()
    }
    return total, by_strategy


def starting_equity(run: BacktestRun, name: StrategyName) -> float:
    """What a strategy starts with: the equity given to it, or its weight of the capital."""
    if name in run.spec.equities:
        return float(run.spec.equities[name])
    return sum(record.target_weight for record in run.spec.strategies if record.name == name) * float(run.spec.capital)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def measure_curve(
    run: BacktestRun,
    curve: Curve,
    capital: float,
    fills: Sequence[RuledFill],
    trades: Sequence[Trade],
    events: Sequence[CashEvent],
    benchmark: Benchmark | None,
) -> Metrics:
    """The metrics of one curve that began at `capital`, and of what was traded for it."""
    currency = run.spec.currency
    samples = sampled(curve, capital, run.spec.bar_seconds)
    why: dict[str, str] = {}
    equity = np.concatenate(([capital], curve.equity))
    closes = np.concatenate((curve.time[:1] - run.spec.bar_seconds * SECOND, curve.time))
    deepest, longest = drawdowns(equity, closes) if len(curve.time) else (0.0, 0.0)
    invested = curve.gross > 0
    return Metrics(
        days=samples.years * YEAR_DAYS,
        days_per_year=samples.a_year or None,
        final_equity=float(equity[-1]),
        total_return=float(equity[-1] / capital - 1) if capital else 0.0,
        max_drawdown=deepest,
        max_drawdown_days=longest,
        exposure=float(invested.mean()) if len(invested) else 0.0,
        leverage=float(_share(curve.gross, curve.equity).mean()) if len(invested) else 0.0,
        turnover=_turnover(fills, currency, float(np.mean(equity)), samples.years, why),
        fills=len(fills),
        trades=len(trades),
        **_returns(samples, equity, deepest, why),
        **_trades(trades, why),
        **_costs(fills, events, currency),
        **_against(samples, benchmark, why),
        undefined=why,
    )


def sampled(curve: Curve, capital: float, seconds: int) -> Samples:
    """The curve from day to day; a close at midnight belongs to the day before."""
    if not len(curve.time):
        return Samples(curve.time, curve.equity, 0.0, 0.0)
    day = (curve.time - 1) // DAY
    last = np.flatnonzero(np.append(np.diff(day) != 0, True))
    equity = np.concatenate(([capital], curve.equity[last]))
    returns = np.diff(equity) / equity[:-1]
    years = float(curve.time[-1] - curve.time[0] + seconds * SECOND) / DAY / YEAR_DAYS
    return Samples(curve.time[last], returns, len(last) / years if len(last) > 1 else 0.0, years)


def drawdowns(equity: Floats, time: Instants) -> tuple[float, float]:
    """The largest fall from a high as a share of it, 0 or below; and the longest time below a high, in days."""
    high = np.maximum.accumulate(equity)
    below = equity < high
    deepest = float(np.min(np.where(high > 0, equity / np.where(high > 0, high, 1.0) - 1, 0.0)))
    at_high = np.where(below, 0, np.arange(len(equity)))
    since = time[np.maximum.accumulate(at_high)]
    recovered = np.append(below[:-1] & ~below[1:], False)
    until = np.where(recovered, np.append(time[1:], time[-1:]), time)
    return deepest, float(np.max(np.where(below, until - since, 0))) / DAY


def _returns(samples: Samples, equity: Floats, deepest: float, why: dict[str, str]) -> MetricValues:
    """Metrics of the returns, by empyrical; undefined for less than two days or equity at zero."""
    names = ("cagr", "volatility", "sharpe", "sortino", "calmar")
    if not samples.a_year:
        why["days_per_year"] = "there are too few to count"
    if not samples.a_year or (equity <= 0).any():
        reason = "equity fell to zero" if samples.a_year else "the run has closes on fewer than two days"
        why.update(dict.fromkeys(names, reason))
        return {}
    import empyrical  # imports scipy, which is slow

    scale = samples.a_year
    cagr = _finite("cagr", empyrical.cagr(samples.returns, annualization=scale), "it is too large", why)
    volatility = empyrical.annual_volatility(samples.returns, annualization=scale)
    found: MetricValues = {"cagr": cagr, "volatility": _finite("volatility", volatility, "it is too large", why)}
    if np.std(samples.returns) < MIN_DEVIATION:
        why |= dict.fromkeys(("sharpe", "sortino"), "returns do not vary")
    else:
        sharpe = empyrical.sharpe_ratio(samples.returns, annualization=scale)
        sortino = empyrical.sortino_ratio(samples.returns, annualization=scale)
        found["sharpe"] = _finite("sharpe", sharpe, "returns do not vary", why)
        found["sortino"] = _finite("sortino", sortino, "no day lost", why)
    if deepest < 0 and cagr is not None:
        return found | {"calmar": cagr / -deepest}
    why["calmar"] = "there was no drawdown" if cagr is not None else "there is no return a year"
    return found


def _trades(trades: Sequence[Trade], why: dict[str, str]) -> MetricValues:
    if not trades:
        names = ("hit_rate", "profit_factor", "average_trade", "average_trade_days")
        why.update(dict.fromkeys(names, "nothing was bought and sold again"))
        return {}
    nets = np.array([float(net(trade)) for trade in trades])
    held = np.array([trade.exit_time - trade.entry_time for trade in trades], dtype=np.float64)
    found: MetricValues = {
        "hit_rate": float((nets > 0).mean()),
        "average_trade_days": float(held.mean()) / DAY,
    }
    if len({trade.currency for trade in trades}) > 1:
        why.update(dict.fromkeys(("profit_factor", "average_trade"), "trades are in several currencies"))
        return found
    found["average_trade"] = float(nets.mean())
    lost = -float(nets[nets < 0].sum())
    if not lost:
        why["profit_factor"] = "no trade lost"
        return found
    return found | {"profit_factor": float(nets[nets > 0].sum()) / lost}


def net(trade: Trade) -> float:
    """A trade's result after commissions, as far as they are in its own currency."""
    return float(trade.gross - trade.commissions.get(trade.currency, ZERO))


def _costs(fills: Sequence[RuledFill], events: Sequence[CashEvent], currency: Currency) -> MetricValues:
    """What is not in the base currency is left out."""
    commissions = float(sum((f.commission for f in fills if f.commission_currency == currency), ZERO))
    moved = {
        kind: float(sum((e.amount for e in events if e.kind == kind and e.currency == currency), ZERO))
        for kind in ("borrow", "dividend")
    }
    borrow = -moved["borrow"]
    return {
        "commissions": commissions,
        "borrow": borrow + 0.0,
        "dividends": moved["dividend"],
        "costs": commissions + borrow,
    }


def _turnover(
    fills: Sequence[RuledFill], currency: Currency, equity: float, years: float, why: dict[str, str]
) -> float | None:
    executions = [fill.fill.execution for fill in fills]
    if any(execution.currency != currency for execution in executions):
        why["turnover"] = f"fills are not all in {currency}"
    elif not years or equity <= 0:
        why["turnover"] = "there is no equity or no time to compare with"
    else:
        traded = sum(float(e.quantity) * float(e.price) * float(e.multiplier) for e in executions)
        return traded / equity / years
    return None


def _against(samples: Samples, benchmark: Benchmark | None, why: dict[str, str]) -> MetricValues:
    names = ("benchmark_return", "alpha", "beta")
    if benchmark is None or not len(samples.time):
        why.update(dict.fromkeys(names, "there is no benchmark" if benchmark is None else "there are no closes"))
        return {}
    values = np.concatenate(([1.0], benchmark.at(samples.time)))
    found: MetricValues = {"benchmark_return": float(values[-1]) - 1}
    benchmark_returns = np.diff(values) / values[:-1]
    if not samples.a_year or not np.isfinite(samples.returns).all() or np.std(benchmark_returns) < MIN_DEVIATION:
        why.update(dict.fromkeys(("alpha", "beta"), "returns do not vary, or are too few"))
        return found
    import empyrical  # imports scipy, which is slow

    alpha, beta = empyrical.alpha_beta_aligned(samples.returns, benchmark_returns, annualization=samples.a_year)
    return found | {
        "alpha": _finite("alpha", alpha, "it is too large", why),
        "beta": _finite("beta", beta, "returns do not vary", why),
    }


def _finite(name: str, value: float, reason: str, why: dict[str, str]) -> float | None:
    if math.isfinite(value):
        return float(value)
    why[name] = reason
    return None


def _share(value: Floats, of: Floats) -> Floats:
    positive = of > 0
    shares: Floats = np.where(positive, value / np.where(positive, of, 1.0), 0.0)
    return shares
