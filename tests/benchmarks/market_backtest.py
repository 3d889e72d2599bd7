"""The market and the rule that MATS and its peers are measured by; only NumPy is needed here.

Rule: long while the EMA over 10 closes is above that over 30, else flat; no orders in the first 300 bars, because
libraries begin their averages differently; half of the equity at the signal's close, divided by the number of
instruments and rounded down to whole units; market orders filled at the next bar's open; 0.005 a unit; 1,000,000.
"""

from pathlib import Path

import numpy as np

FAST, SLOW, QUIET_BARS = 10, 30, 300
CAPITAL, SHARE, FEE = 1_000_000.0, 0.5, 0.005
FIRST = 1_577_836_800  # 2020-01-01
SETS = {"one": (1, 500_000), "ten": (10, 100_000)}
COLUMNS = ("open", "high", "low", "close")


def minute_bars(count: int, seed: int) -> dict[str, np.ndarray]:
    """A walk from 100 in cents around the clock; an open is not the close before it, so that fills at either differ."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 5e-4, count)))
    opened = np.concatenate(([100.0], close[:-1])) * np.exp(random.normal(0, 2e-4, count))
    reach = np.abs(random.normal(0, 3e-4, (2, count)))
    high, low = np.maximum(opened, close) * (1 + reach[0]), np.minimum(opened, close) * (1 - reach[1])
    return {name: np.round(values, 2) for name, values in zip(COLUMNS, (opened, high, low, close), strict=True)}


def write(path: Path, instruments: int, count: int, seed: int) -> None:
    """The bars of all instruments as one file, an array of instruments × bars for each column."""
    bars = [minute_bars(count, seed + at) for at in range(instruments)]
    np.savez(path, **{name: np.stack([one[name] for one in bars]) for name in COLUMNS})


def oracle(opens: np.ndarray, closes: np.ndarray) -> tuple[int, float]:
    """Fills and final equity by a bare loop over instruments × bars: what everybody should come to."""
    count, share = len(opens), SHARE / len(opens)
    cash, units, wanted, fills = CAPITAL, [0] * count, [None] * count, 0
    fast, slow = closes[:, 0].tolist(), closes[:, 0].tolist()
    for at in range(opens.shape[1]):
        for i in range(count):
            if wanted[i] is not None and wanted[i] != units[i]:
                change = wanted[i] - units[i]
                cash -= change * opens[i, at] + abs(change) * FEE
                units[i], fills = wanted[i], fills + 1
            wanted[i] = None
        equity = cash + sum(units[i] * closes[i, at] for i in range(count))
        for i in range(count):
            fast[i] += 2 / (FAST + 1) * (closes[i, at] - fast[i])
            slow[i] += 2 / (SLOW + 1) * (closes[i, at] - slow[i])
            long = fast[i] > slow[i]
            if at >= QUIET_BARS and long != bool(units[i]):
                wanted[i] = int(equity * share / closes[i, at]) if long else 0
    return fills, cash + sum(units[i] * closes[i, -1] for i in range(count))
