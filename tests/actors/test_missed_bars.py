"""Bars that a strategy missed: interrupted, loaded, and the live ones go on after them."""

from pathlib import Path

import pytest
import structlog

from actors.messages.broker import HistoryLoaded
from actors.messages.market_data import BarArrived, BarsInterrupted, BarsOver, LoadHistory
from actors.messages.order_manager import WorkingOrders
from actors.messages.subscription import AskToResubscribe
from mats.model.timestamp import MINUTE, SECOND
from mats.runtime import VirtualRuntime
from mats.strategy.hosting import FILL_SECONDS
from tests.actors.conftest import START
from tests.actors.test_strategy import Trader, book


@pytest.fixture
def world(runtime: VirtualRuntime, tmp_path: Path) -> Trader:
    return Trader(runtime, tmp_path, bar_seconds=15).start()


def bars(a_bar, *at: int) -> tuple[BarArrived, ...]:
    """Each at its price, which is the second at which it begins."""
    return tuple(BarArrived(a_bar(second, price=float(second + 1))) for second in at)


def closes(world: Trader) -> list[float]:
    return [what[1] for what in world.heard if what[0] == "bar"]


def interrupted(world: Trader, a_bar) -> None:
    """Bars until the middle of the second one of 15 seconds; then one comes that is 10 seconds too late."""
    world.tell(*bars(a_bar, 0, 5, 10, 15), BarsInterrupted("SPY"))
    world.market.receive(0)
    world.tell(*bars(a_bar, 30))


def loads(world: Trader) -> list[LoadHistory]:
    world.runtime.run_until_idle()
    found = []
    while (envelope := world.market._take(0.0)) is not None:
        found += [envelope.message] if isinstance(envelope.message, LoadHistory) else []
    return found


def answer(a_bar, last: int, count: int) -> HistoryLoaded:
    parts = tuple(a_bar(second, price=float(second + 1)) for second in range(last - 5 * count, last, 5))
    return HistoryLoaded("SPY", parts, complete=True, bar_seconds=5, count=count)


def test_what_was_missed_is_loaded_before_live_bars_go_on(world, a_bar):
    interrupted(world, a_bar)
    (load,) = loads(world)
    assert (load.bar_seconds, load.instrument) == (5, "SPY")
    world.tell(*bars(a_bar, 35, 40))
    assert closes(world) == [11.0]
    world.tell(answer(a_bar, 35, load.count))
    assert closes(world) == [11.0, 26.0, 41.0]
    assert loads(world) == []


def test_no_bar_ends_by_time_alone_while_bars_are_interrupted(world, a_bar):
    world.tell(*bars(a_bar, 0, 5, 10, 15), BarsInterrupted("SPY"))
    world.runtime.advance(60.0)
    assert closes(world) == [11.0]


def test_without_an_answer_bars_are_made_of_what_came_and_the_log_says_so(world, a_bar):
    interrupted(world, a_bar)
    with structlog.testing.capture_logs() as lines:
        world.runtime.advance(FILL_SECONDS)
    assert closes(world)[:2] == [11.0, 16.0]
    (line,) = [line for line in lines if "made of what came" in line["event"]]
    assert line["reason"] == "nothing came in time"
    world.tell(*bars(a_bar, 35, 40))
    assert 41.0 in closes(world)


def test_an_answer_that_is_none_ends_the_wait_at_once(world, a_bar):
    interrupted(world, a_bar)
    (load,) = loads(world)
    world.tell(HistoryLoaded("SPY", (), False, "no data farm", 5, load.count))
    world.tell(*bars(a_bar, 35, 40))
    assert closes(world) == [11.0, 16.0, 41.0]


def test_an_answer_that_begins_too_late_fills_nothing(world, a_bar):
    interrupted(world, a_bar)
    (load,) = loads(world)
    world.tell(answer(a_bar, 30 + 5 * load.count, load.count))
    world.tell(*bars(a_bar, 35, 40))
    assert closes(world) == [11.0, 16.0, 41.0]


def test_bars_that_go_on_side_by_side_miss_nothing(world, a_bar):
    world.tell(*bars(a_bar, 0, 5), BarsInterrupted("SPY"), *bars(a_bar, 10, 15))
    assert closes(world) == [11.0]
    assert loads(world) == []


def test_where_the_market_has_closed_the_last_bar_is_completed(world, a_bar):
    world.tell(*bars(a_bar, 0, 5, 10, 15), BarsInterrupted("SPY"))
    world.tell(BarsOver("SPY", START + 30 * SECOND))
    (load,) = loads(world)
    world.tell(answer(a_bar, 30, load.count))
    assert closes(world) == [11.0, 26.0]


def test_a_market_that_closes_while_bars_are_loaded_leaves_no_bar_waiting(world, a_bar):
    interrupted(world, a_bar)
    (load,) = loads(world)
    world.tell(BarsInterrupted("SPY"), BarsOver("SPY", START + 45 * SECOND))
    assert closes(world) == [11.0]
    world.tell(answer(a_bar, 30, load.count))
    (second,) = loads(world)
    world.tell(answer(a_bar, 45, second.count))
    assert closes(world) == [11.0, 26.0, 41.0]


def test_what_came_while_market_data_restarted_is_loaded_too(world, a_bar):
    world.tell(*bars(a_bar, 0, 5, 10, 15), AskToResubscribe("market-data"))
    world.tell(*bars(a_bar, 30))
    assert len(loads(world)) == 1


def test_it_starts_without_bars_that_it_never_had(runtime, tmp_path, a_bar):
    world = Trader(runtime, tmp_path, bar_seconds=60).launch()
    world.tell(BarsInterrupted("SPY"), BarsOver("SPY", START + MINUTE), book(), WorkingOrders(()))
    assert [what[0] for what in world.heard] == ["start"]
    world.tell(BarsInterrupted("SPY"), *bars(a_bar, 60, 65))
    assert loads(world) == []
