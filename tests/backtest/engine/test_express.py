"""The short way of ordinary orders comes to what the whole way comes to, wherever it ends."""

import pickle
from decimal import Decimal

import numpy as np
import pytest

from mats.backtest.engine import Engine
from mats.backtest.records import Records
from mats.backtest.spec import ModelSettings
from mats.model.bar_columns import BarColumns
from mats.risk.limits import Limits
from tests.backtest.engine.made import market, record, spec_of, walk


def thinned(bars: BarColumns, seed: int) -> BarColumns:
    """Some of the bars, so that instruments are not in step."""
    kept = np.random.default_rng(seed).random(len(bars)) < 0.85
    columns = (bars.start, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return BarColumns(bars.instrument, bars.seconds, *(column[kept] for column in columns))


def outcome(spec, data, short_way: bool):
    engine = Engine(spec, data)
    if not short_way:
        engine.parts.express.leave()
    run = engine.run(None)
    heard = {name: speaker.runner.strategy.heard for name, speaker in engine.parts.speakers.items()}
    curves = {
        name: (curve.equity.tolist(), curve.cash.tolist(), curve.gross.tolist(), curve.net.tolist())
        for name, curve in {"": run.total, **run.by_strategy}.items()
    }
    return run, (run.signals, run.orders, run.fills, run.trades, run.state, run.failure, heard, curves)


@pytest.mark.parametrize("seed", range(8))
def test_both_ways_come_to_the_same(seed):
    data = market(thinned(walk(900, seed, "AAA"), seed), thinned(walk(900, seed + 50, "BBB"), seed + 1))
    never = 10**9
    strategies = (
        record(name="deaf", file="signalling.py", class_name="Signalling", weight=0.5, instruments=["AAA", "BBB"],
               seed=seed, until=(never, 300, never, 700)[seed % 4]),
        record(name="hears", file="signalling.py", class_name="Hearing", weight=0.4, instruments=["BBB"],
               seed=seed, until=(never, never, 400, never)[seed % 4]),
    )  # fmt: skip
    models = ModelSettings(
        fees=("per-unit", "ib-fixed", "none")[seed % 3], spread_ticks=Decimal(seed % 2), slippage_ticks=seed % 3,
        participation=(0.0, 0.3)[seed // 4],
    )  # fmt: skip
    limits = Limits() if seed < 6 else Limits(max_order_notional=Decimal(300_000), stale_after=45.0)
    spec = spec_of(data, *strategies, models=models, limits=limits)
    short, found = outcome(spec, data, short_way=True)
    _, expected = outcome(spec, data, short_way=False)
    assert len(short.fills) > 80
    for got, wanted in zip(found, expected, strict=True):
        assert got == wanted


def test_a_run_of_nothing_but_signals_stays_on_the_short_way():
    data = market(walk(500, 3))
    strategy = record(file="signalling.py", class_name="Signalling", instruments=["SYN"])
    engine = Engine(spec_of(data, strategy), data)
    run = engine.run(None)
    assert len(run.fills) > 50
    assert engine.parts.express.open


def test_records_are_made_once_and_are_equal_to_tuples_of_the_same():
    made = []
    records = Records(lambda: made.append(1) or [3, 4, 5])
    assert made == []
    assert (len(records), records[1], records[1:], list(records)) == (3, 4, (4, 5), [3, 4, 5])
    assert made == [1]
    assert records == (3, 4, 5) == records
    assert records != (3, 4)
    assert pickle.loads(pickle.dumps(records)) == (3, 4, 5)
