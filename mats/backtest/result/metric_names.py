"""The metrics of a result; `mats/backtest/result/metrics.py` computes them."""

from collections.abc import Mapping

import msgspec


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one curve: shares as fractions (0.1 is a tenth), amounts in the base currency, days of the calendar.

    A figure that the run does not define is None, and `undefined` says why.
    """

    days: float
    days_per_year: float | None = None
    """Days with a close in a year, as counted."""
    final_equity: float
    total_return: float
    cagr: float | None = None
    """Compound return a year."""
    volatility: float | None = None
    """Standard deviation of returns, a year."""
    sharpe: float | None = None
    """Mean return over its standard deviation, a year; no interest is subtracted."""
    sortino: float | None = None
    """Mean return over the root mean square of the negative ones, a year."""
    calmar: float | None = None
    """`cagr` over the largest drawdown."""
    max_drawdown: float
    """The largest fall from a high, at any close, as a share of that high: -0.1 is a tenth below."""
    max_drawdown_days: float
    """The longest time from a high until it was reached again, or to the end."""
    exposure: float
    """The share of closes at which anything was held."""
    leverage: float
    """The mean of what was held, long and short, over equity."""
    turnover: float | None = None
    """Value of all fills over mean equity, a year."""
    fills: int
    trades: int
    """Round trips, one for each lot, or part of one, that was closed."""
    hit_rate: float | None = None
    profit_factor: float | None = None
    """What winning trades made over what losing ones lost, commissions included."""
    average_trade: float | None = None
    average_trade_days: float | None = None
    commissions: float
    borrow: float
    dividends: float
    """Received, less paid."""
    costs: float
    """Commissions and borrow."""
    benchmark_return: float | None = None
    alpha: float | None = None
    """Return a year that the benchmark does not explain."""
    beta: float | None = None
    undefined: Mapping[str, str] = {}

    def figures(self) -> dict[str, float | None]:
        """The figures by name."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "undefined"}
