"""One strategy in three styles: bar by bar, with declared indicators, with declared signals; the same to a digit."""

from decimal import Decimal

import pytest

from mats.backtest.engine import run_backtest
from mats.risk import Limits
from tests.backtest.engine.made import market, real_bars, real_folder, record, spec_of, walk

STYLES = (
    ("examples/ema_cross.py", "EmaCross"),
    ("examples/ema_cross_declared.py", "EmaCrossIndicators"),
    ("examples/ema_cross_declared.py", "EmaCrossSignals"),
)


def runs(data, **params):
    for file, class_name in STYLES:
        yield run_backtest(spec_of(data, record(file=file, class_name=class_name, **params)), data)


def check_equal(data, **params):
    bars, indicators, signals = runs(data, **params)
    assert len(bars.fills) > 50
    assert bars.fills == indicators.fills == signals.fills
    assert bars.trades == indicators.trades == signals.trades
    assert bars.total.equity.tolist() == indicators.total.equity.tolist() == signals.total.equity.tolist()
    assert [order.intent_id for order in bars.orders] == [order.intent_id for order in signals.orders]


@pytest.mark.parametrize("seed", range(4))
def test_the_styles_agree_on_random_data(seed):
    check_equal(market(walk(6_000, seed)), instrument="SYN", fast=3 + seed, slow=12 + 5 * seed, short=0.2 * (seed % 2))


def test_the_styles_agree_on_real_daily_data():
    for path in sorted(real_folder("bars_1day").iterdir()):
        bars = real_bars(path, 86_400)
        check_equal(market(bars), instrument=bars.instrument, fast=5, slow=20, bar_seconds=86_400)


def test_a_target_that_is_denied_is_asked_for_again_at_the_next_bar_in_every_style():
    data = market(walk(400, 3))
    asked = []
    for file, class_name in STYLES:
        strategy = record(file=file, class_name=class_name, instrument="SYN", fast=3, slow=8, warmup=0)
        run = run_backtest(spec_of(data, strategy, limits=Limits(max_order_notional=Decimal(400_000))), data)
        assert run.fills == ()
        asked.append([(signal.time, signal.strength) for signal in run.signals])
    assert len(asked[0]) > 200
    assert asked[0] == asked[1] == asked[2]


def test_the_style_signals_is_refused_to_a_strategy_that_declares_none():
    data = market(walk(100, 1))
    with pytest.raises(Exception, match=r"strategy ema has no signals\(frame\)"):
        run_backtest(spec_of(data, record(instrument="SYN"), style="signals"), data)
