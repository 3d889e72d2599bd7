"""Brackets over bars: what waits, what is let go, and what ends what."""

from decimal import Decimal

import pytest

from mats.backtest.engine import run_backtest
from mats.backtest.spec import ModelSettings
from mats.model.bar_columns import Split
from mats.model.timestamp import SECOND
from mats.venue.matching import CANCELLED_WITH, ENDED_WITH, PARENT_ENDED
from tests.backtest.engine.made import PLAIN, START, bars_of, market, record, spec_of, walk

D = Decimal
MINUTE = 60 * SECOND
FLAT = (100.0, 100.5, 99.5, 100.0)
UP = (100.0, 103.0, 99.8, 102.0)  # low first, then high
DOWN = (100.0, 100.2, 97.0, 98.0)  # high first, then low
BOTH = {"stop_loss": "98.00", "take_profit": "102.00"}


def run_of(rows, *, actions=None, models=None, **params):
    data = market(bars_of(rows), actions=actions)
    strategy = record(file="bracketed.py", class_name="Bracketed", **params)
    more = {"models": models} if models else {}
    return run_backtest(spec_of(data, strategy, **more), data)


def fills_of(run):
    return [
        ((f.fill.execution.time - START) // MINUTE, f.fill.execution.signed_quantity, f.fill.execution.price, f.rule)
        for f in run.fills
    ]


def orders_of(run):
    return [(order.intent_id, str(order.state), order.filled, order.note) for order in run.orders]


def test_the_profit_ends_the_stop():
    run = run_of([FLAT, FLAT, UP, DOWN], **BOTH)
    assert fills_of(run) == [(1, 100, D("100.0"), "open"), (2, -100, D("102.00"), "limit-touch")]
    assert orders_of(run) == [
        ("bt-1", "FILLED", 100, ""), ("bt-1.stop", "CANCELLED", 0, ENDED_WITH), ("bt-1.profit", "FILLED", 100, ""),
    ]  # fmt: skip


def test_the_stop_ends_the_profit():
    run = run_of([FLAT, FLAT, DOWN, UP], **BOTH)
    assert fills_of(run) == [(1, 100, D("100.0"), "open"), (2, -100, D("98.00"), "stop-touch")]


def test_both_work_on_the_way_of_the_bar_that_fills_the_entry():
    assert fills_of(run_of([FLAT, DOWN, FLAT], **BOTH))[1] == (1, -100, D("98.00"), "stop-touch")
    assert fills_of(run_of([FLAT, UP, FLAT], **BOTH))[1] == (1, -100, D("102.00"), "limit-touch")
    dip = (100.0, 100.2, 97.5, 100.1)
    touched = fills_of(run_of([FLAT, dip], entry="99.00", stop_loss="98.00", take_profit="100.10"))
    assert touched == [(1, 100, D("99.00"), "limit-touch"), (1, -100, D("98.00"), "stop-touch")]


def test_neither_trades_while_the_entry_has_not():
    run = run_of([FLAT, UP, DOWN, UP], entry="90.00", stop_loss="89.00", take_profit="102.00")
    assert fills_of(run) == []
    assert [state for _, state, _, _ in orders_of(run)] == ["WORKING"] * 3


def test_a_short_bracket_is_the_mirror_image():
    run = run_of([FLAT, FLAT, UP], quantity=-100, stop_loss="102.00", take_profit="98.00")
    assert fills_of(run) == [(1, -100, D("100.0"), "open"), (2, 100, D("102.00"), "stop-touch")]


def test_an_entry_that_is_cancelled_takes_both_along():
    run = run_of([FLAT, FLAT, FLAT, DOWN], entry="98.50", cancel="entry", stop_loss="97.50", take_profit="102.00")
    assert fills_of(run) == []
    assert [(state, note) for _, state, _, note in orders_of(run)] == [
        ("CANCELLED", ""), ("CANCELLED", PARENT_ENDED), ("CANCELLED", PARENT_ENDED),
    ]  # fmt: skip


@pytest.mark.parametrize(("cancelled", "other"), [("stop_loss", "bt-1.profit"), ("take_profit", "bt-1.stop")])
def test_the_cancel_of_one_ends_the_other(cancelled, other):
    run = run_of([FLAT, FLAT, FLAT, DOWN, UP], cancel=cancelled, **BOTH)
    assert len(run.fills) == 1
    assert (other, "CANCELLED", 0, CANCELLED_WITH) in orders_of(run)


def test_a_stop_that_is_moved_protects_at_its_new_price():
    run = run_of([FLAT, FLAT, FLAT, DOWN], trail="99.40", **BOTH)
    assert fills_of(run)[1:] == [(3, -100, D("99.40"), "stop-touch")]


@pytest.mark.parametrize("way", ["close", "flat"])
def test_closing_ends_all_of_it(way):
    run = run_of([FLAT, FLAT, FLAT, FLAT, DOWN, UP], **{way: True}, **BOTH)
    assert fills_of(run)[1:] == [(3, -100, D("100.0"), "open")]
    assert {state for _, state, _, _ in orders_of(run)} == {"FILLED", "CANCELLED"}


def test_a_part_of_the_profit_reduces_the_stop():
    thin = ModelSettings(fees="none", spread_ticks=0, participation=0.1)
    rows = [(*FLAT, 5_000.0), (*FLAT, 5_000.0), (*UP, 400.0), (*DOWN, 5_000.0)]
    run = run_of(rows, models=thin, **BOTH)
    assert fills_of(run)[1:] == [(2, -40, D("102.00"), "limit-touch"), (3, -60, D("98.00"), "stop-touch")]
    assert orders_of(run)[1:] == [("bt-1.stop", "FILLED", 60, ""), ("bt-1.profit", "CANCELLED", 40, ENDED_WITH)]


def test_an_entry_that_is_cancelled_in_part_is_protected_in_part():
    thin = ModelSettings(fees="none", spread_ticks=0, participation=0.1)
    rows = [(*FLAT, 5_000.0), (*FLAT, 300.0), (*FLAT, 0.1), (*FLAT, 5_000.0), (*DOWN, 5_000.0)]
    run = run_of(rows, models=thin, entry="100.00", cancel="entry", **BOTH)
    assert fills_of(run) == [(1, 30, D("100.0"), "limit-open"), (4, -30, D("98.00"), "stop-touch")]


def test_a_split_finds_orders_that_wait():
    run = run_of([FLAT, FLAT, FLAT], entry="90.00", actions={"SYN": (Split(START + 2 * MINUTE, D(2)),)}, **BOTH)
    assert [(order.quantity, order.ticket.stop_price or order.ticket.limit_price) for order in run.orders] == [
        (200, D("45.00")), (200, D("49.00")), (200, D("51.00")),
    ]  # fmt: skip


def test_a_bracket_is_rejected_as_a_whole():
    run = run_of([FLAT, FLAT], stop_loss="98.005", take_profit="102.00")
    assert [(order.intent_id, order.code) for order in run.orders] == [("bt-1", "TICK_SIZE")]


@pytest.mark.parametrize("seed", range(4))
def test_the_example_leaves_every_entry_by_one_of_its_exits(seed):
    data = market(walk(3_000, seed))
    strategy = record(file="examples/ema_bracket.py", class_name="EmaBracket", instrument="SYN", warmup=0)
    run = run_backtest(spec_of(data, strategy, models=PLAIN), data)
    assert run.state == "complete", run.failure
    held = [sum(f.fill.execution.signed_quantity for f in run.fills[:n]) for n in range(len(run.fills) + 1)]
    assert min(held) == 0, "no exit went beyond zero"
    entries = [order for order in run.orders if order.intent_id.count(".") == 0 and order.side == "BUY"]
    assert len(entries) > 5
    family = {order.intent_id: order for order in run.orders if order.parent}
    for entry in entries[:-1]:
        ends = [family[f"{entry.intent_id}.{name}"] for name in ("stop", "profit")]
        assert entry.filled == entry.quantity
        assert [order.filled for order in ends] in ([0, 0], [entry.quantity, 0], [0, entry.quantity])
    assert any(order.filled and order.ticket.stop_price for order in family.values())
    assert not [order for order in run.orders if order.code]
