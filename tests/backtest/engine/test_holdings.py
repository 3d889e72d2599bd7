"""What changes holdings besides orders; several strategies in one account; curves; determinism."""

import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
from msgspec.structs import replace

from mats.backtest.engine import run_backtest
from mats.backtest.engine.assembly import BacktestError
from mats.backtest.spec import ModelSettings
from mats.errors import StrategyError
from mats.model.bar_columns import Dividend, Split
from mats.model.timestamp import DAY, SECOND
from tests.backtest.engine.made import (
    NO_LIMITS,
    ROOT,
    START,
    bars_of,
    market,
    real_bars,
    real_folder,
    record,
    spec_of,
    walk,
)

D = Decimal
FREE = ModelSettings(fees="none", spread_ticks=0, participation=0.0)


def flat(price):
    return (price, price, price, price)


def scripted(*acts, **more):
    return record(file="scripted_orders.py", class_name="ScriptedOrders", acts=list(acts), **more)


def order(bar=0, side="BUY", **more):
    return {"bar": bar, "side": side, **more}


def run_of(bars, *acts, actions=(), models=FREE, **more):
    data = market(bars, actions={bars.instrument: tuple(actions)})
    return run_backtest(spec_of(data, scripted(*acts, instrument=bars.instrument, **more), models=models), data)


def test_a_split_changes_units_prices_and_resting_orders_and_no_money():
    bars = bars_of([flat(700.0), flat(700.0), flat(101.0), flat(102.0), flat(103.0)])
    limit = order(side="SELL", quantity=100, kind="LMT", limit="714.00")
    run = run_of(bars, order(), limit, actions=[Split(START + 120 * SECOND, D(7))])
    assert [(f.fill.execution.quantity, f.fill.execution.price) for f in run.fills] == [(100, 700), (700, 102)]
    assert run.total.equity.tolist() == [1_000_000, 1_000_000, 1_000_700, 1_001_400, 1_001_400]
    assert [(t.quantity, t.gross) for t in run.trades] == [(700, 1_400)]
    assert run.cash_events == ()


def test_a_reverse_split_pays_out_the_fraction_at_the_last_close():
    bars = bars_of([flat(10.0), flat(10.0), flat(40.0), flat(40.0)])
    run = run_of(bars, order(quantity=103), actions=[Split(START + 120 * SECOND, D("0.25"))])
    assert [(e.kind, e.amount, e.strategy) for e in run.cash_events] == [("split-cash", D("30"), "ema")]
    assert run.total.equity.tolist() == [1_000_000] * 4
    assert run.total.net.tolist() == [0, 1_030, 1_000, 1_000]


def test_who_is_long_gets_the_dividend_and_who_is_short_pays_it():
    bars = bars_of([flat(50.0)] * 4)
    dividend = Dividend(START + 120 * SECOND, D("0.40"), "USD")
    long = run_of(bars, order(), actions=[dividend])
    short = run_of(bars, order(side="SELL"), actions=[dividend])
    assert [(e.kind, e.amount, e.time) for e in long.cash_events] == [("dividend", D("40.00"), START + 120 * SECOND)]
    assert [e.amount for e in short.cash_events] == [D("-40.00")]
    assert [long.final_equity, short.final_equity] == [1_000_040, 999_960]


def test_what_is_borrowed_costs_by_the_night():
    friday = 1_600_387_200 * SECOND
    bars = bars_of([flat(100.0)] * 4, seconds=86_400, start=friday)
    starts = np.array([friday, friday + 3 * DAY, friday + 4 * DAY, friday + 5 * DAY])
    bars = replace(bars, start=starts)
    run = run_of(bars, order(side="SELL", quantity=1_000), models=replace(FREE, borrow_rate=0.0365), bar_seconds=86_400)
    assert [(e.kind, e.amount) for e in run.cash_events] == [("borrow", D("-10.00")), ("borrow", D("-10.00"))]


def test_the_split_of_a_real_stock_leaves_equity_where_it_was():
    (path,) = (real_folder("bars_1min") / "aapl_2014-06").iterdir()
    bars = real_bars(path, 60)
    first_of_split_day = int(bars.start[np.searchsorted(bars.start, 1_402_272_000 * SECOND)])
    with_split = run_of(bars, order(quantity=1_000), actions=[Split(first_of_split_day, D(7))])
    without = run_of(bars, order(quantity=1_000))
    last = int(np.searchsorted(bars.start, first_of_split_day))
    assert with_split.total.equity[:last].tolist() == without.total.equity[:last].tolist()
    jump = np.abs(np.diff(with_split.total.equity)).max()
    assert jump < 10_000 < np.abs(np.diff(without.total.equity)).max()


def drawn(name, seed, instruments, weight, **more):
    return record(
        name=name, file="drawn.py", class_name="Drawn", instruments=instruments, seed=seed, weight=weight, **more
    )


@pytest.fixture(scope="module")
def crowd():
    data = market(walk(700, 1, "AAA"), walk(700, 2, "BBB"))
    strategies = drawn("one", 1, ["AAA", "BBB"], 0.5), drawn("two", 2, ["BBB"], 0.3, timer=5)
    models = ModelSettings(fees="ib-fixed", participation=0.05, borrow_rate=0.05)
    spec = spec_of(data, *strategies, models=models, limits=NO_LIMITS)
    return spec, data, run_backtest(spec, data)


def test_the_curves_are_those_of_a_fold_bar_by_bar(crowd):
    _, data, run = crowd
    fills = list(run.fills)
    events = list(run.cash_events)
    cash, held, done, paid = D(1_000_000), {}, 0, 0
    for step, close in enumerate(run.total.time.tolist()):
        while done < len(fills) and fills[done].fill.execution.time < close:
            execution = fills[done].fill.execution
            cash -= execution.signed_quantity * execution.price + fills[done].commission
            held[execution.instrument] = held.get(execution.instrument, 0) + execution.signed_quantity
            done += 1
        while paid < len(events) and events[paid].time < close:
            cash += events[paid].amount
            paid += 1
        value = sum(q * D(repr(float(data.bars[name].close[step]))) for name, q in held.items())
        assert run.total.equity[step] == pytest.approx(float(cash + value), abs=1e-9, rel=1e-13)
        assert run.total.cash[step] == pytest.approx(float(cash), abs=1e-9, rel=1e-13)
    assert done == len(fills) > 300


def test_the_account_is_the_sum_of_its_strategies_and_of_what_none_was_given(crowd):
    _, _, run = crowd
    parts = sum(curve.equity for curve in run.by_strategy.values())
    assert np.allclose(run.total.equity, parts + 200_000, rtol=0, atol=1e-6)
    assert [float(curve.equity[0]) for curve in run.by_strategy.values()] == [500_000, 300_000]


def test_a_run_is_the_same_each_time_and_under_any_hash_seed(crowd, tmp_path):
    spec, data, run = crowd
    assert run_backtest(spec, data).fills == run.fills
    code = (
        "import hashlib, sys, types; sys.path.insert(0, sys.argv[1]); tests = types.ModuleType('tests');"
        "tests.__path__ = [sys.argv[1] + '/tests']; sys.modules['tests'] = tests;"
        "from tests.backtest.engine.made import *; from mats.backtest.engine import run_backtest;"
        "data = market(walk(400, 1, 'AAA'), walk(400, 2, 'BBB'));"
        "r = [record(name=n, file='drawn.py', class_name='Drawn', instruments=['BBB', 'AAA'], seed=3, weight=0.4)"
        " for n in ('x', 'y')]; run = run_backtest(spec_of(data, *r), data);"
        "print(len(run.fills), hashlib.sha256(repr((run.orders, run.fills, run.trades)).encode()"
        " + run.total.equity.tobytes()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, check=True, timeout=60,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1
    assert int(said.pop().split()[0]) > 100


def test_history_ends_at_the_clock(crowd, tmp_path):
    (tmp_path / "curious.py").write_text(
        "from mats.strategy import Strategy\n"
        "class Curious(Strategy):\n"
        "    class Params(Strategy.Params, frozen=True):\n"
        "        instruments: tuple[str, ...]\n"
        "    def on_start(self):\n"
        "        self.seen = []\n"
        "    def on_bar(self, bar):\n"
        "        for name in self.params.instruments:\n"
        "            bars = self.history(name, 3)\n"
        "            self.seen.append(all(b.end <= self.now for b in bars) and len(self.frame(name)) <= 1000)\n"
        "        assert self.history(bar.instrument, 1) == [bar]\n"
    )
    _, data, _ = crowd
    spec = spec_of(data, record(file="curious.py", class_name="Curious", instruments=["AAA", "BBB"]))
    run = run_backtest(replace(spec, folder=str(tmp_path)), data)
    assert (run.state, run.failure) == ("complete", "")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"start": 0, "end": 5}, "no bar of SYN begins from 1970"),
        ({"bar_seconds": 300}, "strategy ema works on bars of 60 s, which cannot be built from bars of 300 s"),
    ],
)
def test_what_cannot_begin_is_refused_in_one_sentence(change, says):
    data = market(walk(50, 1))
    with pytest.raises((BacktestError, StrategyError), match=says):
        run_backtest(replace(spec_of(data, record(instrument="SYN")), **change), data)


def test_an_instrument_without_bars_is_named():
    data = market(walk(50, 1))
    with pytest.raises(BacktestError, match="strategy ema trades SPY, of which there are no bars; the data has SYN"):
        run_backtest(spec_of(data, record(instrument="SPY")), data)


def test_longer_bars_are_built_from_those_of_the_data():
    data = market(walk(3_000, 4))
    short = run_backtest(spec_of(data, record(instrument="SYN", fast=2, slow=5, warmup=0, bar_seconds=300)), data)
    assert len(short.fills) > 20
    assert all(s.time % (300 * SECOND) == 0 for s in short.signals)
