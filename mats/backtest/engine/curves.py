"""Equity curves from what moved, at once: between two moves holdings are constant and only prices change."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import accumulate

import numpy as np

from mats.backtest.engine.bar_feed import BarFeed
from mats.backtest.engine.portfolio import Key, Moves, Portfolio
from mats.backtest.engine.run_records import Curve
from mats.model import Currency, InstrumentId, StrategyName
from mats.model.bar_columns import Floats, Instants


def curves(
    closes: Instants, portfolio: Portfolio, shares: Mapping[StrategyName, Decimal], capital: Decimal
) -> tuple[Curve, dict[StrategyName, Curve]]:
    """The curve of the account and of each strategy; the account's is the sum and what no strategy was given."""
    prices = _Prices(closes, portfolio.feeds, portfolio.base)
    positions, results = portfolio.positions(), portfolio.results()
    by_strategy = {
        name: _curve(prices, float(share), _of(positions, name), _of(results, name))
        for name, share in sorted(shares.items())
    }
    spare = float(capital - sum(shares.values()))
    zero = np.zeros(len(closes))
    summed = {
        part: sum((getattr(curve, part) for curve in by_strategy.values()), zero)
        for part in ("equity", "cash", "gross", "net")
    }
    total = Curve(closes, summed["equity"] + spare, summed["cash"] + spare, summed["gross"], summed["net"])
    return total, by_strategy


class _Prices:
    """Closes as of the timeline in the base currency; made once for each instrument that anybody holds."""

    def __init__(self, closes: Instants, feeds: Mapping[InstrumentId, BarFeed], base: Currency) -> None:
        self.closes, self._feeds, self._base = closes, feeds, base
        self._values: dict[InstrumentId, Floats] = {}

    def value(self, name: InstrumentId) -> Floats:
        """What one unit is worth at each close."""
        if name not in self._values:
            instrument = self._feeds[name].instrument
            self._values[name] = self._level(name) * float(instrument.unit_value) * self.rate(instrument.currency)
        return self._values[name]

    def rate(self, currency: Currency) -> Floats | float:
        """Base currency for one unit of a currency, 1 where it is the base or no pair tells."""
        if currency == self._base:
            return 1.0
        if currency + self._base in self._feeds:
            return self._level(currency + self._base)
        if self._base + currency in self._feeds:
            level = self._level(self._base + currency)
            return np.divide(1.0, level, out=np.zeros_like(level), where=level > 0)
        return 1.0

    def _level(self, name: InstrumentId) -> Floats:
        return self._feeds[name].levels(len(self.closes))


def _curve(prices: _Prices, share: float, positions: Mapping[str, Moves], results: Mapping[str, Moves]) -> Curve:
    count = len(prices.closes)
    gross, net, cash = np.zeros(count), np.zeros(count), np.full(count, share)
    for name, moves in positions.items():
        value = _balance(moves, count) * prices.value(name)
        net += value
        gross += np.abs(value)
    for currency, moves in results.items():
        cash += _balance(moves, count) * prices.rate(currency)
    return Curve(prices.closes, cash + net, cash, gross, net)


def _balance(moves: Moves, count: int) -> Floats:
    """The balance at each close: that of the last move up to it, 0 before the first."""
    balances = np.array([0.0, *map(float, accumulate([change for _, change in moves]))])
    steps = np.array([0, *[step for step, _ in moves], count])
    lengths = np.maximum(np.diff(np.minimum(steps, count)), 0)
    return np.repeat(balances, lengths)


def _of(moves: Mapping[Key, Moves], strategy: StrategyName) -> dict[str, Moves]:
    return {what: moved for (name, what), moved in moves.items() if name == strategy}
