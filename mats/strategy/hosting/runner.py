"""Drives one strategy: builds its bars, fires its timers, and calls its hooks in order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mats.model import Bar, FillRecorded, Instrument, InstrumentId, Nanos, OrderView, Quote, StrategyName
from mats.sessions import Hours, SessionCalendar
from mats.strategy.context import StrategyContext
from mats.strategy.history import BarWindow, Delivery
from mats.strategy.host import StrategyHost
from mats.strategy.hosting.bar_holes import BarHole
from mats.strategy.hosting.event_ordering import OrderGate
from mats.strategy.hosting.live_bars import BAR_CLOSE_GRACE, Close
from mats.strategy.hosting.settings_check import check_settings
from mats.strategy.hosting.strategy_bars import StrategyBars
from mats.strategy.hosting.strategy_clock import StrategyClock
from mats.strategy.params import convert_params
from mats.strategy.schedule import Schedule
from mats.strategy.strategy import Strategy
from mats.strategy.vectorized import Indicators, WindowIndicators

BarListener = Callable[[Sequence[Bar], Nanos], None]
"""Takes the bars that have just ended, and when that is."""

Failure = Callable[[Exception], Exception]
"""What an exception of the strategy is raised as."""


class StrategyRunner:
    """One strategy with its bar builders, its history and its timers.

    Time comes only from bars, and between them from `clock`, so the same input gives the same callbacks everywhere.
    A timer due at T fires before `on_bar` of a bar that ends at T. A bar reaches `on_bar` only when it is over.
    """

    def __init__(
        self, strategy_class: type[Strategy], name: StrategyName, params: Mapping[str, Any], host: StrategyHost
    ) -> None:
        """Raises StrategyError where parameters or settings are invalid, before any hook has run."""
        self._context = StrategyContext(name, host)
        self.strategy = strategy_class(self._context, convert_params(strategy_class.Params, name, params))
        self.instruments = self.strategy.instruments()
        check_settings(self.strategy, self.instruments)
        self.larger = dict(self.strategy.larger_bars())
        length = max(self.strategy.history_length, *self.larger.values(), 0)
        self._bars = StrategyBars(self.instruments, self.bar_seconds, tuple(self.larger), self.hours, length)
        self._context.windows, self._context.larger = self._bars.windows, self._bars.larger
        self._context.calendar = self._bars.calendar
        self._context.indicators = WindowIndicators(self.strategy.indicators, self._context.window)
        hooks = type(self.strategy)
        self._takes_closes = hooks.on_bars is not Strategy.on_bars
        self._takes_bars = hooks.on_bar is not Strategy.on_bar or not self._takes_closes
        self._clock = StrategyClock()
        self._gate = OrderGate()

    @property
    def bar_seconds(self) -> int:
        """Span in seconds of the bars that the strategy gets."""
        return self.strategy.bar_seconds

    @property
    def hours(self) -> Hours:
        """The hours that its bars are made of."""
        return self.strategy.session

    @property
    def warmup(self) -> int:
        """Bars per instrument that `start` should be given."""
        return self.strategy.warmup

    @property
    def ticks(self) -> bool:
        """Whether `quote` should be called."""
        return self.strategy.ticks

    def know(self, name: InstrumentId, instrument: Instrument) -> None:
        """The contract of a name is known, and with it its sessions."""
        if self._bars.know(name, instrument):
            self._context.timers.restart()

    def needs(self, name: InstrumentId) -> dict[int, int]:
        """How many bars of which size `start` should be given of an instrument."""
        counts = {**self.larger, self.bar_seconds: self.warmup}
        return self._bars.needs(name, counts, self._context.host.now())

    def start(self, history: Mapping[InstrumentId, Sequence[Bar]]) -> None:
        """Take what went before, in time order, then call `on_start`; bars that are not over are left out.

        That is bars of `bar_seconds` and of the larger sizes, each size by itself, and shorter ones that reach back to
        the begin of what is under way.
        """
        self._bars.load(self.strategy.name, history, self._context.host.now())
        self._gate.exempt(set(self._context.host.working_orders()))
        self.strategy.on_start()

    def begin(
        self,
        windows: Mapping[InstrumentId, BarWindow],
        larger: Mapping[int, Mapping[InstrumentId, BarWindow]],
        indicators: Indicators,
        calendar: Callable[[InstrumentId], SessionCalendar],
        now: Nanos,
    ) -> None:
        """Start at `now` where the host keeps the history itself, as a backtest does; then call `on_start`."""
        context = self._context
        context.windows, context.larger, context.indicators, context.calendar = windows, larger, indicators, calendar
        context.advance(now)
        self.strategy.on_start()

    def listener(self, failed: Failure, delivery: Delivery) -> BarListener:
        """A handler of complete bars of `bar_seconds` that end at one instant; the windows of `begin` contain them.

        Those of several instruments are in the order of their names, and `delivery` knows which of them are to come.
        """
        context, on_bar, on_bars = self._context, self.strategy.on_bar, self.strategy.on_bars
        each, together = self._takes_bars, self._takes_closes

        def take_one(bars: Sequence[Bar], end: Nanos) -> None:
            context.time = end
            try:
                for bar in bars:
                    on_bar(bar)
            except Exception as error:
                raise failed(error) from error

        def take(bars: Sequence[Bar], end: Nanos) -> None:
            context.time = end
            try:
                for bar in delivery.of(bars) if each else ():
                    on_bar(bar)
                if together:
                    on_bars({bar.instrument: bar for bar in bars})
            except Exception as error:
                raise failed(error) from error

        return take if together or len(self.instruments) > 1 else take_one

    def follower(self, failed: Failure) -> Callable[[InstrumentId, float, Nanos], None]:
        """A handler of the targets that the strategy declared in `signals`: it follows them as its `on_bar` would."""
        context, follow = self._context, self.strategy.follow

        def take(instrument: InstrumentId, target: float, now: Nanos) -> None:
            context.time = now
            try:
                follow(instrument, target)
            except Exception as error:
                raise failed(error) from error

        return take

    @property
    def timers(self) -> Mapping[str, Schedule]:
        """The timers that the strategy has set; a live view."""
        return self._context.timers.schedules

    def pass_time(self, now: Nanos) -> None:
        """Advance strategy time to `now`, and fire what is due."""
        self._context.timers.anchor(self._since(now))
        self._fire_timers(now)

    def set_time(self, now: Nanos) -> None:
        """Strategy time is `now`; nothing is due."""
        self._context.advance(now)

    def bar(self, part: Bar) -> None:
        """Take a live bar, as a rule of 5 seconds, or any span that divides `bar_seconds`.

        A close of several instruments is delivered when all of them have given their bar or shown that there is none,
        `BAR_CLOSE_GRACE` after it at the latest.
        """
        self._context.require(part.instrument)
        if self._clock.is_replay(self._context.time, part.end):
            self._context.restart_time()
        self._clock.mark(part.end, self._context.host.now())
        self._context.timers.anchor(self._since(part.start))
        self._bars.take(part)
        self._pass(part.start - BAR_CLOSE_GRACE, part.end)

    def interrupt(self, name: InstrumentId) -> None:
        """Bars of an instrument do not come: what is missing is to be loaded, and none ends by time alone."""
        self._bars.interrupt(name)

    def hole(self, name: InstrumentId, until: Nanos) -> BarHole | None:
        """What is missing of an interrupted instrument before what came at last; None where nothing is."""
        return self._bars.hole(name, until)

    def fill_hole(self, hole: BarHole, parts: Sequence[Bar]) -> None:
        """Take what was missing. Bars that have ended within `LATEST` before its end are delivered, older ones are
        history, which `on_bar` does not see."""
        self._bars.fill(hole, parts)
        self._pass(hole.until - BAR_CLOSE_GRACE, hole.until)

    def resume(self, name: InstrumentId) -> None:
        """What is missing cannot be had: the bars that lack it are made of what came."""
        self._bars.resume(name)

    def clock(self, now: Nanos) -> None:
        """Let time pass without data, `now` on the host's clock: close overdue bars and fire due timers."""
        instant = self._clock.read(now)
        self._context.timers.anchor(self._since(instant))
        self._pass(instant - BAR_CLOSE_GRACE, instant)

    def quote(self, quote: Quote) -> None:
        """Take a quote. It does not advance time: quotes are stamped on receipt, bars by the market."""
        self._context.require(quote.instrument)
        self._context.quotes[quote.instrument] = quote
        self.strategy.on_tick(quote)

    def fill(self, fill: FillRecorded) -> None:
        """Pass on an own fill, then the status that waited for it; the host's positions contain it already."""
        self.strategy.on_fill(fill)
        if (order := self._gate.fill(fill)) is not None:
            self.strategy.on_order_status(order)

    def order_status(self, order: OrderView) -> None:
        """Pass on the new state of an own order, once its fills have been passed on."""
        if (passed := self._gate.status(order)) is not None:
            self.strategy.on_order_status(passed)

    def book_replaced(self) -> None:
        """The host's book was replaced, with fills that were not passed on: release the statuses that wait for them."""
        for order in self._gate.release_all():
            self.strategy.on_order_status(order)

    def stop(self) -> None:
        """Stop the strategy."""
        self.strategy.on_stop()

    def _since(self, instant: Nanos) -> Nanos:
        return instant if self._context.time is None else self._context.time

    def _pass(self, horizon: Nanos, now: Nanos) -> None:
        """Deliver the closes that are complete or waited long enough; then what is due by `now`, but for later ones."""
        for close in self._bars.closes(horizon):
            self._deliver(close)
        self._bars.close_larger(horizon)
        waiting = self._bars.waiting
        self._fire_timers(now if waiting is None else min(now, waiting))

    def _deliver(self, close: Close) -> None:
        self._fire_timers(close.end)
        self._bars.close_larger(close.end, but={bar.instrument for bar in close.bars})
        for bar in close.bars:
            self._bars.show(bar)
            if self._takes_bars:
                self.strategy.on_bar(bar)
        if self._takes_closes:
            self.strategy.on_bars({bar.instrument: bar for bar in close.bars})

    def _fire_timers(self, until: Nanos) -> None:
        while (timer := self._context.timers.take_due(until)) is not None:
            due, name = timer
            self._context.advance(due)
            self.strategy.on_timer(name)
        self._context.advance(until)
