"""How orders meet bars: each type, each rule, each bound, worked out by hand."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.backtest.engine import run_backtest
from mats.backtest.spec import ModelSettings
from mats.model.timestamp import SECOND, from_datetime
from mats.risk import Limits
from tests.backtest.engine.made import PLAIN, START, bars_of, market, record, spec_of

D = Decimal
MINUTE = 60 * SECOND
FLAT = (100.0, 100.5, 99.5, 100.0)
RISING = (100.0, 101.0, 99.0, 100.5)  # low first, then high
FALLING = (100.0, 101.0, 99.0, 99.5)  # high first, then low


def run_of(rows, *acts, **more):
    bars = bars_of(rows)
    data = market(bars)
    strategy = record(file="scripted_orders.py", class_name="ScriptedOrders", acts=list(acts))
    return run_backtest(spec_of(data, strategy, **more), data)


def fills_of(run):
    return [
        (f.fill.execution.time - START, f.fill.execution.quantity, f.fill.execution.price, f.rule) for f in run.fills
    ]


def order(kind="MKT", side="BUY", bar=0, **more):
    return {"bar": bar, "kind": kind, "side": side, **more}


@pytest.mark.parametrize(
    ("rows", "act", "expected"),
    [
        ([FLAT, (101.0, 102.0, 100.0, 101.0)], order(), (1, "101.0", "open")),
        ([FLAT, (99.0, 100.0, 98.0, 99.5)], order("LMT", limit="99.50"), (1, "99.0", "limit-open")),
        ([FLAT, FLAT, RISING], order("LMT", limit="99.20"), (2, "99.20", "limit-touch")),
        ([FLAT, FLAT, RISING], order("LMT", side="SELL", limit="100.80"), (2, "100.80", "limit-touch")),
        ([FLAT, (101.0, 102.0, 101.0, 101.5)], order("STP", stop="100.70"), (1, "101.0", "stop-open")),
        ([FLAT, RISING], order("STP", stop="100.70"), (1, "100.70", "stop-touch")),
        ([FLAT, FALLING], order("STP", side="SELL", stop="99.30"), (1, "99.30", "stop-touch")),
        ([FLAT, RISING], order("STP LMT", stop="100.70", limit="100.90"), (1, "100.70", "stop-limit-touch")),
        ([FLAT, (101.0, 101.5, 100.2, 101.2)], order("STP LMT", stop="100.70", limit="100.60"),
         (1, "100.60", "stop-limit-touch")),
    ],
)  # fmt: skip
def test_an_order_fills_by_its_rule(rows, act, expected):
    bar, price, rule = expected
    (time, quantity, got, by), *rest = fills_of(run_of(rows, act))
    assert not rest
    assert (quantity, got, by) == (100, D(price), rule)
    assert bar * MINUTE <= time < (bar + 1) * MINUTE


def test_a_touch_is_dated_by_where_the_path_is_then():
    ((time, _, _, _),) = fills_of(run_of([FLAT, RISING], order("LMT", limit="99.50")))
    assert time == MINUTE + 10 * SECOND  # half of the first leg of 20 s, from 100 to 99


def test_the_path_decides_which_of_two_orders_is_first():
    acts = order("LMT", limit="99.20", quantity=1), order("LMT", side="SELL", limit="100.80", quantity=2)
    assert [q for _, q, _, _ in fills_of(run_of([FLAT, RISING], *acts))] == [1, 2]
    assert [q for _, q, _, _ in fills_of(run_of([FLAT, FALLING], *acts))] == [2, 1]


def test_spread_and_slippage_are_in_ticks_of_the_level_of_the_price():
    models = ModelSettings(fees="none", spread_ticks=2, slippage_ticks=3, participation=0.0)
    data = market(bars_of([FLAT] * 4))
    coarse = replace(data.instruments["SYN"], price_increments=((D(0), D("0.01")), (D(50), D("0.1"))))
    strategy = record(file="scripted_orders.py", class_name="ScriptedOrders", acts=[order(), order(side="SELL", bar=1)])
    run = run_backtest(spec_of(data, strategy, models=models), replace(data, instruments={"SYN": coarse}))
    assert [price for _, _, price, _ in fills_of(run)] == [D("100.4"), D("99.6")]


def test_the_spread_stays_on_the_tick_grid_and_slippage_is_worse_for_both_sides():
    models = ModelSettings(fees="none", spread_ticks=2, slippage_ticks=3, participation=0.0)
    rows = [FLAT, (101.0, 102.0, 100.0, 101.0), FLAT]
    run = run_of(rows, order(), order(side="SELL", bar=1), models=models)
    assert [price for _, _, price, _ in fills_of(run)] == [D("101.04"), D("99.96")]


def test_a_quoted_spread_of_the_data_wins():
    bars = bars_of([FLAT, FLAT])
    wide = replace(bars, spread=bars.close * 0 + 0.5)
    data = market(wide)
    strategy = record(file="scripted_orders.py", class_name="ScriptedOrders", acts=[order()])
    models = ModelSettings(fees="none", spread_ticks=0, participation=0.0)
    assert fills_of(run_backtest(spec_of(data, strategy, models=models), data))[0][2] == D("100.25")


def test_a_share_of_the_volume_fills_over_several_bars():
    rows = [(*FLAT, 1_000.0), (*FLAT, 430.0), (*FLAT, 0.0), (*FLAT, 1_000.0)]
    run = run_of(rows, order(quantity=120), models=ModelSettings(fees="none", spread_ticks=0, participation=0.1))
    assert [(time // MINUTE, quantity) for time, quantity, _, _ in fills_of(run)] == [(1, 43), (2, 77)]


def test_what_must_fill_at_once_ends_with_its_first_open():
    rows = [FLAT, (*FLAT, 500.0), (*FLAT, 500.0)]
    rows = [(*row, 500.0) if len(row) == 4 else row for row in rows]
    models = ModelSettings(fees="none", spread_ticks=0, participation=0.1)
    some = run_of(rows, order(tif="IOC", quantity=80), models=models)
    none = run_of(rows, order(tif="FOK", quantity=80), models=models)
    assert [(o.state, o.filled) for o in some.orders] == [("CANCELLED", 50)]
    assert [(o.state, o.filled) for o in none.orders] == [("CANCELLED", 0)]


def test_an_order_for_the_day_ends_with_the_day_of_its_first_bar():
    bars = [FLAT] * 3
    day = run_of([*bars], order("LMT", limit="90.00", tif="DAY"))
    assert [str(o.state) for o in day.orders] == ["WORKING"]
    data = market(bars_of([FLAT] * 4, seconds=43_200, start=1_600_041_600 * SECOND))
    strategy = record(
        file="scripted_orders.py", class_name="ScriptedOrders", bar_seconds=43_200,
        acts=[order("LMT", limit="90.00", tif="DAY")],
    )  # fmt: skip
    run = run_backtest(spec_of(data, strategy), data)
    assert [(str(o.state), o.note) for o in run.orders] == [("CANCELLED", "the day is over")]


def test_a_cancel_and_a_change_take_effect_before_the_next_bar():
    cancelled = run_of([FLAT, FLAT, RISING], order("LMT", limit="99.20"), {"bar": 1, "do": "cancel"})
    assert fills_of(cancelled) == []
    assert [str(o.state) for o in cancelled.orders] == ["CANCELLED"]
    changed = run_of(
        [FLAT, FLAT, RISING], order("LMT", limit="98.00"), {"bar": 1, "do": "modify", "limit": "99.10", "quantity": 70}
    )
    assert [(quantity, price) for _, quantity, price, _ in fills_of(changed)] == [(70, D("99.10"))]


def test_with_latency_an_order_meets_the_first_bar_that_begins_after_its_arrival():
    rows = [FLAT, FLAT, (100.2, 100.5, 99.9, 100.0), FLAT]
    late = run_of(rows, order(), models=ModelSettings(fees="none", spread_ticks=0, participation=0.0, latency=0.5))
    assert fills_of(late) == [(2 * MINUTE, 100, D("100.2"), "open")]


def test_fees_are_those_of_the_schedule_that_is_named():
    def cost(fees):
        run = run_of(
            [FLAT, FLAT], order(quantity=1_000), models=ModelSettings(fees=fees, spread_ticks=0, participation=0.0)
        )
        return run.fills[0].commission

    assert cost("ib-fixed") == D("5.00")
    assert cost("ib-tiered") == D("3.70")
    assert cost("per-unit") == D("5.00")
    assert cost("none") == 0


def test_no_order_off_the_tick_and_none_beyond_the_limits_gets_through():
    run = run_of([FLAT, FLAT], order("LMT", limit="99.205"), order(quantity=10**9), limits=Limits())
    assert [o.note.split(":")[0] for o in run.orders] == ["TICK_SIZE", "MAX_QUANTITY"]
    assert [str(o.state) for o in run.orders] == ["REJECTED", "REJECTED"]
    assert run.fills == ()


OPEN = from_datetime(datetime(2026, 11, 25, 14, 30, tzinfo=UTC))
"""An open in New York."""


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (order(), [(OPEN, D("100.0"), "open")]),
        (order("LMT", limit="100.00"), [(OPEN, D("100.0"), "limit-open")]),
        (order("LMT", limit="100.00", outside_rth=True), [(OPEN - MINUTE, D("100.0"), "limit-open")]),
        (order("LMT", limit="99.50", outside_rth=True), [(OPEN - 50 * SECOND, D("99.50"), "limit-touch")]),
        (order("STP", side="SELL", stop="99.50", outside_rth=True), [(OPEN + 10 * SECOND, D("99.50"), "stop-touch")]),
        (order(tif="IOC"), []),
    ],
)
def test_before_the_open_only_limits_that_ask_for_it_trade(act, expected):
    bars = bars_of([RISING] * 4, start=OPEN - 2 * MINUTE)
    data = replace(market(bars), hours="extended")
    strategy = record(file="scripted_orders.py", class_name="ScriptedOrders", session="extended", acts=[act])
    run = run_backtest(spec_of(data, strategy), data)
    assert [(f.fill.execution.time, f.fill.execution.price, f.rule) for f in run.fills] == expected


def test_where_sessions_are_not_known_every_bar_is_met():
    bars = bars_of([RISING] * 4, start=OPEN - 2 * MINUTE)
    data = replace(market(bars), hours="extended", around_the_clock=frozenset({"SYN"}))
    strategy = record(file="scripted_orders.py", class_name="ScriptedOrders", session="extended", acts=[order()])
    run = run_backtest(spec_of(data, strategy), data)
    assert [f.fill.execution.time for f in run.fills] == [OPEN - MINUTE]


def test_a_strategy_that_raises_ends_the_run_as_failed_and_keeps_what_was_before():
    run = run_of([FLAT] * 5, order(), {"bar": 3, "do": "raise"}, models=PLAIN)
    assert run.state == "failed"
    assert run.failure == "strategy ema raised at 2020-09-13T12:31:00.000Z: RuntimeError: out of ideas"
    assert (run.bars, len(run.total.equity), len(run.fills)) == (4, 4, 1)
