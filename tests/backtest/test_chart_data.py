"""What a report draws is the result: nothing is lost that anybody could see, and every figure can be recomputed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.backtest.engine.run_records import Curve
from mats.backtest.result.metrics import net
from mats.model.bar_columns import BarColumns, Floats, Instants
from mats.model.timestamp import DAY, HOUR
from mats.report import chart_data
from tests.backtest.handmade import CAPITAL, START, result, walk


def curve(time: Instants, equity: Floats) -> Curve:
    return Curve(time, equity, equity, equity * 0, equity * 0)


@settings(max_examples=60)
@given(st.integers(1, 3_000), st.integers(8, 400), st.integers(0, 2**31))
def test_a_thinned_line_keeps_both_ends_and_every_extreme(size: int, points: int, seed: int) -> None:
    value = np.cumsum(np.random.default_rng(seed).normal(size=size))
    time = START + np.arange(size, dtype=np.int64) * HOUR
    line = chart_data.thin(time, value, points)
    assert (line.value[0], line.value[-1]) == (value[0], value[-1])
    assert (line.value.min(), line.value.max()) == (value.min(), value.max())
    assert len(line.value) <= min(size, points)
    assert (np.diff(line.time) > 0).all()
    assert set(zip(line.time, line.value, strict=True)) <= set(zip(chart_data.milliseconds(time), value, strict=True))


@pytest.mark.parametrize("count", [1, 2, 7, 100, 1_501, 4_000])
def test_folded_candles_span_the_same_prices(count: int) -> None:
    bars = walk(count)
    folded = chart_data.candles(bars, 50)
    assert len(folded.close) <= 50
    assert (folded.open[0], folded.close[-1]) == (bars.open[0], bars.close[-1])
    assert (folded.high.max(), folded.low.min()) == (bars.high.max(), bars.low.min())
    assert folded.bars == -(-count // 50)
    second = bars.high[folded.bars : 2 * folded.bars]
    assert not len(second) or folded.high[1] == second.max()


def test_half_a_million_bars_become_a_page_that_stays_fluid() -> None:
    time = START + np.arange(500_000, dtype=np.int64) * 60 * 10**9
    value = np.cumsum(np.random.default_rng(3).normal(size=500_000))
    bars = BarColumns("SPY", 60, time, value, value + 1, value - 1, value, value * 0)
    assert len(chart_data.thin(time, value).value) <= 4_500
    assert len(chart_data.candles(bars).close) <= 1_500


def test_drawdown_is_the_distance_from_the_highest_so_far() -> None:
    assert chart_data.drawdown(np.array([100.0, 120.0, 90.0, 120.0, 60.0])) == pytest.approx([0, 0, -0.25, 0, -0.5])


def test_months_compound_to_the_year_and_years_to_the_whole() -> None:
    days = START + np.arange(800, dtype=np.int64) * DAY
    equity = CAPITAL * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.01, 800)))
    table = chart_data.monthly_returns(curve(days, equity), CAPITAL)
    assert [row.year for row in table] == [2020, 2021, 2022]
    assert table[2].months[3:] == (None,) * 9
    assert np.prod([1 + row.total for row in table]) == pytest.approx(equity[-1] / CAPITAL)
    assert table[0].months[0] == pytest.approx(equity[30] / CAPITAL - 1)


def test_a_day_counts_with_its_last_equity() -> None:
    hours = START + np.arange(72, dtype=np.int64) * HOUR
    days, equity = chart_data.daily(curve(hours, np.arange(72.0) + 100))
    assert days.tolist() == [START, START + DAY, START + 2 * DAY]
    assert equity.tolist() == [123, 147, 171]
    assert chart_data.daily_returns(curve(hours, np.arange(72.0) + 100), 100) == pytest.approx(
        [0.23, 24 / 123, 24 / 147]
    )


def test_nothing_at_all_is_no_reason_to_fail() -> None:
    empty = curve(np.array([], dtype=np.int64), np.array([]))
    assert len(chart_data.daily_returns(empty, CAPITAL)) == 0
    assert chart_data.monthly_returns(empty, CAPITAL) == ()
    assert chart_data.bins([]) is None
    assert chart_data.markers(()).of == 0


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
def test_bins_hold_every_value_once_and_gains_apart_from_losses(scale: float) -> None:
    values = np.random.default_rng(9).normal(0.3, 1, 900) * scale
    found = chart_data.bins(values)
    assert found is not None
    assert found.count.sum() == 900
    assert found.count[found.edge[:-1] < 0].sum() == (values < 0).sum()
    assert 0.0 in found.edge and len(found.count) <= 62
    single = chart_data.bins([5.0, 5.0])
    assert single is not None and single.count.sum() == 2


def test_of_too_many_trades_those_with_the_largest_results_are_marked_in_order_of_time() -> None:
    trades = result(400, ("one",)).trades
    marked = chart_data.markers(trades, 5)
    nets = [net(trade) for trade in trades]
    assert sorted(np.abs(marked.net)) == sorted(sorted(map(abs, nets))[-5:])
    assert (np.diff(marked.entry_time) > 0).all()
    assert marked.of == len(trades) > 5


def test_what_was_earned_is_taken_apart_without_a_remainder() -> None:
    run = result()
    rows = {row.strategy: row for row in chart_data.costs(run)}
    for name, row in rows.items():
        own = [trade for trade in run.trades if trade.strategy == name]
        assert row.commissions == -30 * len(own)
        assert row.trading + row.commissions + row.borrow + row.dividends == pytest.approx(row.net)
        assert row.net == pytest.approx(sum(net(trade) for trade in own))
    assert rows["trend"].dividends == 4_000
    assert sum(row.net for row in rows.values()) == pytest.approx(run.final_equity - CAPITAL)


def test_exposure_is_a_share_of_equity_and_nothing_where_there_is_none() -> None:
    some = Curve(
        np.arange(3), np.array([100.0, 0.0, -5.0]), np.zeros(3), np.array([50.0, 9, 9]), np.array([-20.0, 9, 9])
    )
    gross, net = chart_data.exposure(some)
    assert (gross.tolist(), net.tolist()) == ([0.5, 0, 0], [-0.2, 0, 0])
