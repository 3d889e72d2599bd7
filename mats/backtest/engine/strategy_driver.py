"""Drives a strategy in a backtest: the same runner as live, and what it raises named with strategy and time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from mats.backtest.engine.bar_feed import BarFeed, Clock, FeedIndicators, FeedWindow
from mats.backtest.engine.own_bars import OwnBars, OwnCloses
from mats.errors import StrategyError
from mats.model import Bar, FillRecorded, InstrumentId, IntentId, Nanos, OrderView, Signal, StrategyRecord, iso
from mats.runtime import describe, text_of
from mats.strategy import LogLevel, Position, Strategy
from mats.strategy.hosting import BarListener, Delivery, LocalHost, OrderCommand, make_runner


class StrategyFailed(Exception):
    """A strategy raised in a callback; the text names it, the time of the data, and what it raised."""


class Account(Protocol):
    """What a run knows of one strategy, as it is when it is asked."""

    def equity(self) -> Decimal | None: ...

    def positions(self) -> Mapping[InstrumentId, Position]: ...

    def working_orders(self) -> Mapping[IntentId, OrderView]: ...


class BacktestHost(LocalHost):
    """A host that looks values up when they are asked for, instead of being updated.

    A strategy that hears of its orders sees its orders as it was told of them last: that may be a turn behind.
    """

    account: Account
    hears = False

    def __init__(
        self,
        submit: Callable[[Signal], None],
        send: Callable[[OrderCommand], None],
        mint: Callable[[], IntentId],
        now: Callable[[], Nanos],
        log: Callable[[LogLevel, str], None],
    ) -> None:
        """Signals go their own way, since most orders begin with one."""
        super().__init__(send, mint, now, log)
        self.submit = submit

    def equity(self) -> Decimal | None:
        return self.account.equity()

    def position(self, instrument: InstrumentId) -> Position:
        return self.account.positions().get(instrument) or Position(instrument=instrument)

    def positions(self) -> Mapping[InstrumentId, Position]:
        return self.account.positions()

    def working_orders(self) -> Mapping[IntentId, OrderView]:
        return super().working_orders() if self.hears else self.account.working_orders()


class StrategyDriver:
    """One strategy of a run, over bars of `bar_seconds`; its own may be longer.

    It is told of its orders and fills where it `hears` of them, or their time matters to its `timers`.
    """

    def __init__(
        self, record: StrategyRecord, folder: Path, host: BacktestHost, bar_seconds: int, clock: Clock
    ) -> None:
        """Raises StrategyError where file, class, parameters or settings do not fit."""
        self.name, self.host, self._clock = record.name, host, clock
        self.runner = make_runner(record, folder, host)
        self.instruments = frozenset(self.runner.instruments)
        made = type(self.runner.strategy)
        host.hears = self.hears = (
            made.on_fill is not Strategy.on_fill or made.on_order_status is not Strategy.on_order_status
        )
        self.timers = self.runner.timers
        self.follow = self.runner.follower(self._failed)
        self._bar_seconds = bar_seconds
        self.on_rejection: Callable[[OrderView], None] | None = None
        self._delivery = Delivery()
        if self.runner.bar_seconds % bar_seconds:
            raise StrategyError(
                f"strategy {self.name} works on bars of {self.runner.bar_seconds} s, which cannot be built from bars "
                f"of {bar_seconds} s; set its bar_seconds to a multiple of that"
            )

    def declares(self, style: str) -> bool:
        """Whether its targets come from `signals`: where the style asks for it, or it has nothing else."""
        made = type(self.runner.strategy)
        has_signals = made.signals is not Strategy.signals
        if style == "signals" and not has_signals:
            raise StrategyError(
                f"strategy {self.name} has no signals(frame), which the style signals needs; use the style bars"
            )
        hears = made.on_bar is not Strategy.on_bar or made.on_bars is not Strategy.on_bars
        return has_signals and (style == "signals" or not hears)

    def watch(self, own: OwnBars) -> None:
        """Take the feeds of the sizes and hours that the strategy works on."""
        runner, hours = self.runner, self.runner.hours
        self.feeds = {name: own.feed(name, runner.bar_seconds, hours) for name in sorted(runner.instruments)}
        self._larger = {
            size: {name: own.feed(name, size, hours) for name in runner.instruments} for size in runner.larger
        }
        self._own = own

    def start(self, feeds: Mapping[InstrumentId, BarFeed]) -> None:
        """Begin with what is known before the run: as many warm-up bars as were asked for, as far as there are."""
        self._selects = len(self.instruments) < len(feeds)
        self._is_of_the_run = all(feeds[name] is feed for name, feed in self.feeds.items())
        runner = self.runner
        self.windows = self._windows(self.feeds, runner.warmup)
        larger = {size: self._windows(made, runner.larger[size]) for size, made in self._larger.items()}
        indicators = FeedIndicators(runner.strategy.indicators, self.windows)
        with self.guard():
            runner.begin(self.windows, larger, indicators, self._own.calendar, self._clock.now)

    def _windows(self, feeds: Mapping[InstrumentId, BarFeed], count: int) -> dict[InstrumentId, FeedWindow]:
        length = max(self.runner.strategy.history_length, count)
        return {
            name: FeedWindow(feed, max(0, feed.first - count), length, self._clock, self._delivery)
            for name, feed in feeds.items()
        }

    def stop(self) -> None:
        """Let the strategy end in order."""
        with self.guard():
            self.runner.stop()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """What the strategy raises inside is its failure, not ours."""
        try:
            yield
        except Exception as error:
            raise self._failed(error) from error

    def listener(self) -> BarListener:
        """What hears of bars that have just ended; it takes those of the strategy's own instruments and size."""
        take = self.runner.listener(self._failed, self._delivery)
        if not self._is_of_the_run:
            return self._own_listener(take)
        if not self._selects:
            return take
        mine = self.instruments

        def select(bars: Sequence[Bar], end: Nanos) -> None:
            if selected := [bar for bar in bars if bar.instrument in mine]:
                take(selected, end)

        return select

    def _own_listener(self, take: BarListener) -> BarListener:
        closes = OwnCloses(tuple(self.feeds.values()))

        def hear(bars: Sequence[Bar], end: Nanos) -> None:
            if own := closes.at(end):
                take(own, end)

        return hear

    def pass_time(self, now: Nanos) -> None:
        """Let timers fire that are due by now."""
        with self.guard():
            self.runner.pass_time(now)

    def on_order(self, view: OrderView) -> None:
        """Its order stands so now."""
        self.host.take_order(view)
        self.runner.set_time(self._clock.now)
        try:
            self.runner.order_status(view)
        except Exception as error:
            raise self._failed(error) from error

    def rejected(self, view: OrderView) -> None:
        """What it asked for was rejected; what works goes on working."""
        with self.guard():
            self.runner.set_time(self._clock.now)
            self.runner.order_status(view)
        if self.on_rejection is not None:
            self.on_rejection(view)

    def on_fill(self, fill: FillRecorded, view: OrderView) -> None:
        """Its own fill, and how its order stands after it; the host shows both already."""
        self.host.take_order(view)
        self.runner.set_time(self._clock.now)
        try:
            self.runner.fill(fill)
            self.runner.order_status(view)
        except Exception as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StrategyFailed:
        what = describe(error) if text_of(error) else type(error).__name__
        return StrategyFailed(f"strategy {self.name} raised at {iso(self._clock.now)}: {what}")
