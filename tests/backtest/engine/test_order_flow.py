"""One flow for every order of a backtest: each is held against every check, whoever listens and however it is made."""

import pickle
from decimal import Decimal

import numpy as np
import pytest

from mats.backtest.engine import Records, run_backtest
from mats.backtest.spec import ModelSettings
from mats.model.bar_columns import BarColumns
from mats.model.orders import OrderState
from mats.risk import Limits, RejectionCode, checks, reject
from tests.backtest.engine.made import market, record, spec_of, walk

NEVER = 10**9


def thinned(bars: BarColumns, seed: int) -> BarColumns:
    """Some of the bars, so that instruments are not in step."""
    kept = np.random.default_rng(seed).random(len(bars)) < 0.85
    columns = (bars.start, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return BarColumns(bars.instrument, bars.seconds, *(column[kept] for column in columns))


def outcome(class_name: str, seed: int):
    data = market(thinned(walk(900, seed, "AAA"), seed), thinned(walk(900, seed + 50, "BBB"), seed + 1))
    until = (NEVER, 300, NEVER, 700)[seed % 4]
    strategies = (
        record(name="first", file="signalling.py", class_name=class_name, weight=0.5, instruments=["AAA", "BBB"],
               seed=seed, until=until),
        record(name="second", file="signalling.py", class_name="Hearing", weight=0.4, instruments=["BBB"], seed=seed),
    )  # fmt: skip
    models = ModelSettings(
        fees=("per-unit", "ib-fixed", "none")[seed % 3], spread_ticks=seed % 2, slippage_ticks=seed % 3,
        participation=(0.0, 0.3)[seed // 4], latency=(0.0, 45.0)[seed % 2],
    )  # fmt: skip
    limits = Limits() if seed < 6 else Limits(max_order_notional=Decimal(300_000), max_price_age_seconds=45.0)
    run = run_backtest(spec_of(data, *strategies, models=models, limits=limits), data)
    assert len(run.fills) > 80
    return run.signals, run.orders, run.fills, run.trades, run.total.equity.tolist()


@pytest.mark.parametrize("seed", range(8))
def test_whoever_listens_to_its_orders_gets_the_same_orders(seed):
    for got, wanted in zip(outcome("Listening", seed), outcome("Signalling", seed), strict=True):
        assert got == wanted


@pytest.mark.parametrize(
    ("file", "class_name", "params"),
    [
        ("examples/ema_cross.py", "EmaCross", {"instrument": "SYN", "fast": 3, "slow": 8, "warmup": 0}),
        ("examples/ema_cross_declared.py", "EmaCrossSignals", {"instrument": "SYN", "fast": 3, "slow": 8, "warmup": 0}),
        ("signalling.py", "Hearing", {"instruments": ["SYN"], "until": 0}),
    ],
    ids=["bars", "signals", "limits"],
)
def test_a_check_that_is_added_to_the_list_is_asked_for_every_order(monkeypatch, file, class_name, params):
    asked = []

    def nobody_trades(intent, context, limits):
        asked.append(intent.intent_id)
        return reject(RejectionCode.HALTED, "no order at all")

    monkeypatch.setattr(checks, "RISK_TAKING", (*checks.RISK_TAKING, nobody_trades))
    data = market(walk(400, 1))
    run = run_backtest(spec_of(data, record(file=file, class_name=class_name, **params)), data)
    assert len(asked) > 10
    assert run.fills == ()
    assert [order.intent_id for order in run.orders] == asked
    assert {order.note for order in run.orders} == {"HALTED: no order at all"}


def test_records_are_made_once_and_are_equal_to_tuples_of_the_same():
    made = []
    records = Records(lambda: made.append(1) or [3, 4, 5])
    assert made == []
    assert (len(records), records[1], records[1:], list(records)) == (3, 4, (4, 5), [3, 4, 5])
    assert made == [1]
    assert records == (3, 4, 5) == records
    assert records != (3, 4)
    assert pickle.loads(pickle.dumps(records)) == (3, 4, 5)


@pytest.mark.parametrize("latency", [0.0, 90.0])
def test_what_is_placed_and_cancelled_in_one_callback_does_not_work_on(latency):
    data = market(walk(60, 3))
    strategy = record(file="one_callback.py", class_name="PlacesAndCancels", instrument="SYN")
    run = run_backtest(spec_of(data, strategy, models=ModelSettings(latency=latency)), data)
    assert [(order.state, order.ticket.limit_price) for order in run.orders] == [
        (OrderState.CANCELLED, 1), (OrderState.CANCELLED, 2), (OrderState.CANCELLED, 3),
    ]  # fmt: skip
    assert run.fills == ()


@pytest.mark.parametrize("latency", [0.0, 1.0, 90.0])
@pytest.mark.parametrize("seed", range(6))
def test_flat_beside_a_resting_bid_ends_flat(latency, seed):
    data = market(walk(60, seed))
    strategy = record(file="one_callback.py", class_name="FlatBesideABid", instrument="SYN")
    run = run_backtest(spec_of(data, strategy, models=ModelSettings(latency=latency)), data)
    assert sum(fill.fill.execution.signed_quantity for fill in run.fills) == 0
