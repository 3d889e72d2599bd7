"""Indicators: equal to pandas, and blind to the future."""

import math
import random

import pandas as pd
import pytest

from mats.model.market_data import Bar
from mats.strategy.indicators import Atr, Ema, RollingStd, Sma, ZScore

rng = random.Random(7)
VALUES = [100 + rng.gauss(0, 5) for _ in range(300)]
SERIES = pd.Series(VALUES)


def from_ready(series: pd.Series, length: int) -> list[float | None]:
    return [None if index < length - 1 else value for index, value in enumerate(series)]


EXPECTED = {
    "ema": (Ema, SERIES.ewm(span=12, adjust=False).mean()),
    "sma": (Sma, SERIES.rolling(12).mean()),
    "std": (RollingStd, SERIES.rolling(12).std()),
    "zscore": (ZScore, (SERIES - SERIES.rolling(12).mean()) / SERIES.rolling(12).std()),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_indicator_is_what_pandas_says(name):
    make, expected = EXPECTED[name]
    indicator = make(12)
    values = []
    for value in VALUES:
        values.append(indicator.update(value))
        assert values[-1] == indicator.value
    wanted = from_ready(expected, 12)
    assert [value is None for value in values] == [value is None for value in wanted]
    assert all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
        for a, b in zip(values, wanted, strict=True)
        if a is not None and b is not None
    )


def test_atr_is_wilders():
    bars = [Bar("SPY", i, 5, v, v + abs(v % 3), v - abs(v % 2), v + v % 1, 1.0) for i, v in enumerate(VALUES)]
    frame = pd.DataFrame(
        {"high": [b.high for b in bars], "low": [b.low for b in bars], "close": [b.close for b in bars]}
    )
    before = frame["close"].shift().fillna(bars[0].open)
    ranges = pd.concat([frame["high"] - frame["low"], frame["high"] - before, before - frame["low"]], axis=1).max(
        axis=1
    )
    expected = from_ready(ranges.ewm(alpha=1 / 14, adjust=False).mean(), 14)
    indicator = Atr(14)
    values = [indicator.update(bar) for bar in bars]
    assert values[:13] == [None] * 13
    assert values[13:] == pytest.approx(expected[13:], rel=1e-12)


def test_a_flat_market_has_no_deviation():
    indicator = ZScore(3)
    assert [indicator.update(5.0) for _ in range(4)] == [None, None, 0.0, 0.0]


@pytest.mark.parametrize(("make", "length"), [(Ema, 0), (Sma, 0), (RollingStd, 1), (ZScore, 1), (Atr, -1)])
def test_an_invalid_length_is_rejected(make, length):
    with pytest.raises(ValueError, match=f"invalid indicator length {length}"):
        make(length)
