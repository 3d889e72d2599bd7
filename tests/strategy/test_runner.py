"""The driver: what is called when, and what a strategy can know at that moment."""

from decimal import Decimal

import pytest

from mats.model.market_data import Bar, Quote
from mats.model.orders import OrderState
from mats.model.timestamp import DAY, MINUTE, SECOND
from mats.strategy import Strategy, StrategyError
from mats.strategy.hosting.runner import StrategyRunner

START = 1_700_060_100 * SECOND


class Diary(Strategy):
    """Writes down each callback with what it could see."""

    class Params(Strategy.Params, frozen=True):
        instruments: tuple[str, ...] = ("SPY",)
        bar_seconds: int = 60
        beat: int = 0
        history_length: int = 1000
        warmup: int = 0

    params: Params

    def on_start(self) -> None:
        self.diary = [("start", self.now)]
        if self.params.beat:
            self.every("beat", seconds=self.params.beat)

    def on_bar(self, bar: Bar) -> None:
        assert self.history(bar.instrument, 1) == [bar]
        assert bar.end <= self.now
        self.diary.append(("bar", bar.instrument, bar.end - START))

    def on_tick(self, quote: Quote) -> None:
        self.diary.append(("tick", quote.bid, self.now))

    def on_fill(self, fill) -> None:
        self.diary.append(("fill", fill.execution.quantity))

    def on_order_status(self, order) -> None:
        self.diary.append(("status", order.state, order.filled))

    def on_timer(self, name: str) -> None:
        self.diary.append((name, self.now - START))

    def on_stop(self) -> None:
        self.diary.append(("stop",))


@pytest.fixture
def run(host):
    def start(history=None, **params) -> StrategyRunner:
        runner = StrategyRunner(Diary, "diary", params, host)
        runner.start(history or {})
        runner.strategy.diary.clear()
        return runner

    return start


def test_a_bar_is_delivered_by_the_part_that_reaches_its_end_and_not_before(run, part):
    runner = run()
    for at in range(0, 55, 5):
        runner.bar(part(at))
    assert runner.strategy.diary == []
    runner.bar(part(55))
    assert runner.strategy.diary == [("bar", "SPY", 60 * SECOND)]


def test_a_bar_without_its_last_part_is_delivered_when_a_later_part_comes(run, part):
    runner = run()
    runner.bar(part(0))
    runner.bar(part(60))
    assert runner.strategy.diary == [("bar", "SPY", 60 * SECOND)]
    assert runner.strategy.now == START + 65 * SECOND


def test_the_clock_closes_a_bar_only_after_waiting_for_its_last_part(run, part, host):
    runner = run()
    host.time = START + 5 * SECOND
    runner.bar(part(0))
    runner.clock(START + 69 * SECOND)
    assert runner.strategy.diary == []
    runner.clock(START + 70 * SECOND)
    assert [entry[:2] for entry in runner.strategy.diary] == [("bar", "SPY")]


def test_a_close_of_several_instruments_waits_for_all_and_comes_in_the_order_of_names(run, part):
    runner = run(instruments=["SPY", "IBM"])
    for at in range(0, 60, 5):
        runner.bar(part(at))
    for at in range(0, 55, 5):
        runner.bar(part(at, instrument="IBM"))
    assert runner.strategy.diary == []
    runner.bar(part(55, instrument="IBM"))
    assert runner.strategy.diary == [("bar", "IBM", 60 * SECOND), ("bar", "SPY", 60 * SECOND)]


def test_a_close_waits_no_longer_than_its_grace_for_the_other_instruments(run, part, host):
    runner = run(instruments=["SPY", "IBM"])
    runner.bar(part(0, instrument="IBM"))
    for at in range(0, 70, 5):
        host.time = START + (at + 5) * SECOND
        runner.bar(part(at))
    assert runner.strategy.diary == []
    runner.clock(START + 70 * SECOND)
    assert runner.strategy.diary == [("bar", "IBM", 60 * SECOND), ("bar", "SPY", 60 * SECOND)]


def test_a_close_does_not_wait_for_an_instrument_that_has_shown_to_have_no_bar(run, part):
    runner = run(instruments=["SPY", "IBM"])
    for at in range(0, 60, 5):
        runner.bar(part(at))
    runner.bar(part(60, instrument="IBM"))
    assert runner.strategy.diary == [("bar", "SPY", 60 * SECOND)]


def test_no_timer_overtakes_a_close_that_waits(run, part):
    runner = run(instruments=["SPY", "IBM"], beat=5)
    for at in range(0, 65, 5):
        runner.bar(part(at))
    assert runner.strategy.diary[-1] == ("beat", 60 * SECOND)
    for at in range(0, 65, 5):
        runner.bar(part(at, instrument="IBM"))
    assert runner.strategy.diary[-4:] == [
        ("beat", 60 * SECOND),
        ("bar", "IBM", 60 * SECOND),
        ("bar", "SPY", 60 * SECOND),
        ("beat", 65 * SECOND),
    ]


def test_the_first_bar_is_a_whole_one(run, part):
    runner = run()
    for at in range(30, 120, 5):
        runner.bar(part(at))
    assert runner.strategy.diary == [("bar", "SPY", 120 * SECOND)]
    assert len(runner.strategy.history("SPY")) == 1


def test_a_bar_of_the_history_that_is_not_over_is_left_out(run, part, host):
    host.time = START + 119 * SECOND
    runner = run({"SPY": [part(0, seconds=60), part(60, seconds=60)]}, warmup=2)
    assert [bar.start - START for bar in runner.strategy.history("SPY")] == [0]


def test_live_bars_that_repeat_the_history_are_ignored(run, part, host):
    host.time = START + 60 * SECOND
    runner = run({"SPY": [part(0, seconds=60)]}, warmup=1)
    for at in range(0, 120, 5):
        runner.bar(part(at))
    assert runner.strategy.diary == [("bar", "SPY", 120 * SECOND)]
    assert [bar.start - START for bar in runner.strategy.history("SPY")] == [0, MINUTE]


def test_a_timer_fires_before_the_bar_that_ends_at_its_instant_and_has_not_seen_it(run, part):
    runner = run(beat=60)
    seen = []
    runner.strategy.on_timer = lambda name: seen.append(
        (runner.strategy.now - START, len(runner.strategy.history("SPY")))
    )
    for at in range(0, 120, 5):
        runner.bar(part(at))
    assert seen == [(60 * SECOND, 0), (120 * SECOND, 1)]


def test_timers_and_bars_come_in_time_order(run, part):
    runner = run(beat=20)
    for at in range(0, 60, 5):
        runner.bar(part(at))
    assert runner.strategy.diary == [
        ("beat", 20 * SECOND),
        ("beat", 40 * SECOND),
        ("beat", 60 * SECOND),
        ("bar", "SPY", 60 * SECOND),
    ]


def test_a_timer_fires_by_the_clock_where_no_bars_come(run):
    runner = run(beat=30)
    runner.clock(START + 1 * SECOND)
    runner.clock(START + 29 * SECOND)
    assert runner.strategy.diary == []
    runner.clock(START + 30 * SECOND)
    assert runner.strategy.diary == [("beat", 30 * SECOND)]


def test_of_several_missed_beats_one_fires(run):
    runner = run(beat=30)
    runner.clock(START)
    runner.clock(START + 100 * SECOND)
    runner.clock(START + 120 * SECOND)
    assert runner.strategy.diary == [("beat", 30 * SECOND), ("beat", 120 * SECOND)]


def test_history_loaded_long_after_its_end_fires_no_timer_of_the_time_between(run, part):
    runner = run({"SPY": [part(-86_400, seconds=60)]}, beat=60, warmup=1)
    runner.bar(part(5))
    assert runner.strategy.diary == []


def test_time_never_runs_backward(run, part):
    runner = run()
    runner.clock(START + 100 * SECOND)
    runner.clock(START + 50 * SECOND)
    assert runner.strategy.now == START + 100 * SECOND


def test_a_replay_of_old_data_keeps_the_time_of_the_data(run, part, host):
    """The host's clock is ten years ahead and one of its seconds is many minutes of the data."""
    ahead = 10 * 365 * DAY
    runner = run(beat=60, bar_seconds=30)
    host.time = START + ahead
    runner.clock(host.time)
    runner.clock(host.time + 1 * SECOND)
    for at in range(0, 120, 5):
        runner.bar(part(at))
        host.time += SECOND // 100
        runner.clock(host.time)
    assert runner.strategy.diary == [
        ("bar", "SPY", 30 * SECOND),
        ("beat", 60 * SECOND),
        ("bar", "SPY", 60 * SECOND),
        ("bar", "SPY", 90 * SECOND),
        ("beat", 120 * SECOND),
        ("bar", "SPY", 120 * SECOND),
    ]
    runner.clock(host.time + 60 * SECOND)
    assert runner.strategy.diary[-1] == ("beat", 180 * SECOND)


def test_a_live_bar_that_is_some_seconds_late_does_not_turn_time_back(run, part, host):
    runner = run(beat=60)
    runner.clock(START + 59 * SECOND)
    runner.clock(START + 64 * SECOND)
    host.time = START + 64 * SECOND
    runner.bar(part(55))
    assert runner.strategy.diary == [("beat", 60 * SECOND)]
    assert runner.strategy.now == START + 64 * SECOND


def test_between_bars_time_passes_by_the_hosts_clock(run, part, host):
    runner = run(beat=60)
    host.time = START + 57 * SECOND  # the bar that ends at 55 came two seconds late
    runner.bar(part(50))
    runner.clock(START + 61 * SECOND)
    assert runner.strategy.diary == []
    runner.clock(START + 62 * SECOND)
    assert runner.strategy.diary == [("beat", 60 * SECOND)]


def test_a_late_part_of_another_instrument_does_not_delay_time(run, part, host):
    runner = run(beat=60, instruments=["SPY", "IBM"])
    host.time = START + 50 * SECOND
    runner.bar(part(45))
    host.time = START + 55 * SECOND
    runner.bar(part(30, instrument="IBM"))
    runner.clock(START + 60 * SECOND)
    assert runner.strategy.diary == [("beat", 60 * SECOND)]


def test_the_time_before_the_first_bar_is_the_hosts(run, host):
    assert run().strategy.now == host.time


def test_a_quote_is_kept_and_passed_on_and_moves_no_time(run):
    runner = run()
    quote = Quote("SPY", START + 999 * SECOND, 99.0, 101.0, 1, 1)
    assert runner.strategy.quote("SPY") is None
    runner.quote(quote)
    assert runner.strategy.quote("SPY") == quote
    assert runner.strategy.diary == [("tick", 99.0, START)]


def test_a_status_waits_for_the_fills_that_it_counts(run, view, fill_of):
    runner = run()
    runner.order_status(view())
    runner.order_status(view(state=OrderState.FILLED, filled=Decimal(10)))
    assert runner.strategy.diary == [("status", "WORKING", 0)]
    runner.fill(fill_of(view(), Decimal(4), 100.0, 1, START))
    assert runner.strategy.diary[1:] == [("fill", 4)]
    runner.fill(fill_of(view(), Decimal(6), 100.0, 2, START))
    assert runner.strategy.diary[2:] == [("fill", 6), ("status", "FILLED", 10)]


def test_a_status_of_an_order_that_was_open_at_the_start_does_not_wait(host, view):
    host.working = {"old": view("old", filled=Decimal(4))}
    runner = StrategyRunner(Diary, "diary", {}, host)
    runner.start({})
    runner.order_status(view("old", OrderState.CANCELLED, Decimal(4)))
    assert runner.strategy.diary[1:] == [("status", "CANCELLED", 4)]


def test_a_status_whose_fills_came_with_a_whole_book_waits_no_longer(run, view):
    runner = run()
    runner.order_status(view(state=OrderState.FILLED, filled=Decimal(10)))
    runner.order_status(view("i2", filled=Decimal(3)))
    assert runner.strategy.diary == []
    runner.book_replaced()
    assert runner.strategy.diary == [("status", "FILLED", 10), ("status", "WORKING", 3)]
    runner.order_status(view("i2", OrderState.CANCELLED, Decimal(3)))
    assert runner.strategy.diary[2:] == [("status", "CANCELLED", 3)]
    runner.book_replaced()
    assert len(runner.strategy.diary) == 3


def test_stop_is_the_last_word(run):
    runner = run()
    runner.stop()
    assert runner.strategy.diary == [("stop",)]


def test_history_is_bounded(run, part):
    runner = run(bar_seconds=5, history_length=3)
    for at in range(0, 50, 5):
        runner.bar(part(at, price=100.0 + at))
    assert [bar.close for bar in runner.strategy.history("SPY")] == [135.0, 140.0, 145.0]
    assert [bar.close for bar in runner.strategy.history("SPY", 2)] == [140.0, 145.0]
    assert runner.strategy.history("SPY", 0) == []
    assert list(runner.strategy.frame("SPY", 2)["close"]) == [140.0, 145.0]


def test_nothing_is_known_before_it_has_happened(host):
    """Cutting the future off changes nothing of what a strategy saw and did before."""

    class Peek(Diary):
        def on_bar(self, bar: Bar) -> None:
            super().on_bar(bar)
            self.diary.append(tuple(past.close for past in self.history("SPY", 5)))

    prices = [100 + (i * 37 % 11) for i in range(200)]
    parts = [Bar("SPY", START + i * 5 * SECOND, 5, p, p + 1, p - 1, p, 1.0) for i, p in enumerate(prices)]

    def diary(parts):
        runner = StrategyRunner(Peek, "peek", {"beat": 45, "bar_seconds": 30}, host)
        runner.start({})
        for part in parts:
            runner.bar(part)
        return runner.strategy.diary

    whole = diary(parts)
    for cut in (1, 7, 60, 111, 199):
        part_of_it = diary(parts[:cut])
        assert part_of_it == whole[: len(part_of_it)]
        known = parts[cut - 1].end - START
        assert all(entry[1] <= known for entry in part_of_it if entry[0] == "beat")
    assert len(whole) > 60


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"bar_seconds": 7}, "bar_seconds is 7; give a multiple of 5"),
        ({"instruments": []}, "names no instrument"),
        ({"instruments": ["SPY", "SPY"]}, "names an instrument twice"),
        ({"warmup": 2000}, "give 0 <= warmup <= history_length"),
    ],
)
def test_settings_that_cannot_work_are_refused(host, params, sentence):
    with pytest.raises(StrategyError, match=sentence):
        StrategyRunner(Diary, "diary", params, host)


def test_parts_longer_than_the_bars_are_refused(run, part):
    with pytest.raises(ValueError, match="bars of 60 s cannot be built from the 300-second bar"):
        run().bar(part(0, seconds=300))


def test_history_of_another_span_is_refused(run, part):
    with pytest.raises(StrategyError, match="load bars of 60 seconds"):
        run({"SPY": [part(0, seconds=300)]})


def test_shorter_bars_of_the_history_build_the_bar_that_is_under_way(run, part, host):
    host.time = START + 90 * SECOND
    parts = [part(at, price=100.0 + at) for at in range(-5, 90, 5)]
    runner = run({"SPY": [part(-60, seconds=60), *parts]}, warmup=1)
    assert [bar.start - START for bar in runner.strategy.history("SPY")] == [-MINUTE, 0]
    for at in range(80, 120, 5):
        runner.bar(part(at))
    assert runner.strategy.diary == [("bar", "SPY", 120 * SECOND)]
    (bar,) = runner.strategy.history("SPY", 1)
    assert (bar.open, bar.high, bar.volume) == (160.0, 185.0, 12.0)


def test_shorter_bars_that_do_not_reach_back_to_the_begin_build_no_partial_bar(run, part, host):
    host.time = START + 90 * SECOND
    runner = run({"SPY": [part(at) for at in range(65, 90, 5)]}, warmup=1)
    for at in range(90, 120, 5):
        runner.bar(part(at))
    assert runner.strategy.history("SPY") == []
