"""Drives one strategy: builds its bars, fires its timers, and calls its hooks in order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mats.data import BarBuilder, ceil_time
from mats.errors import StrategyError
from mats.instruments import parse_instrument
from mats.model import SECOND, Bar, FillRecorded, InstrumentId, Nanos, OrderView, Quote, StrategyName
from mats.strategy.context import StrategyContext
from mats.strategy.history import BarWindow, RollingWindow
from mats.strategy.host import StrategyHost
from mats.strategy.hosting.event_ordering import OrderGate
from mats.strategy.hosting.strategy_clock import StrategyClock
from mats.strategy.params import convert_params
from mats.strategy.schedule import Schedule
from mats.strategy.strategy import Strategy
from mats.strategy.vectorized import Indicators, WindowIndicators

BAR_CLOSE_GRACE: Nanos = 10 * SECOND
"""How long after its end a bar waits for its last part before it is closed without it."""


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
        self._rolling = {name: RollingWindow(self.strategy.history_length) for name in self.instruments}
        self._context.windows = self._rolling
        self._context.indicators = WindowIndicators(self.strategy.indicators, self._context.window)
        self._builders: dict[InstrumentId, BarBuilder] = {}
        self._clock = StrategyClock()
        self._gate = OrderGate()
        self._check_settings()

    @property
    def bar_seconds(self) -> int:
        """Span in seconds of the bars that the strategy gets."""
        return self.strategy.bar_seconds

    @property
    def warmup(self) -> int:
        """Bars per instrument that `start` should be given."""
        return self.strategy.warmup

    @property
    def ticks(self) -> bool:
        """Whether `quote` should be called."""
        return self.strategy.ticks

    def start(self, history: Mapping[InstrumentId, Sequence[Bar]]) -> None:
        """Take bars of `bar_seconds`, in time order, as history, then call `on_start`; unfinished bars are left out."""
        now = self._context.host.now()
        for instrument in self.instruments:
            for bar in history.get(instrument, ()):
                if bar.seconds != self.bar_seconds:
                    raise StrategyError(
                        f"strategy {self.strategy.name}: its history of {instrument} has {bar.seconds}-second bars, "
                        f"but it works on {self.bar_seconds}; load bars of {self.bar_seconds} seconds"
                    )
                if bar.end <= now:
                    self._rolling[instrument].add(bar)
        self._gate.exempt(set(self._context.host.working_orders()))
        self.strategy.on_start()

    def begin(self, windows: Mapping[InstrumentId, BarWindow], indicators: Indicators, now: Nanos) -> None:
        """Start at `now` where the host keeps the history itself, as a backtest does; then call `on_start`."""
        self._context.windows, self._context.indicators = windows, indicators
        self._context.advance(now)
        self.strategy.on_start()

    def listener(self, failed: Callable[[Exception], Exception]) -> Callable[[Sequence[Bar], Nanos], None]:
        """A handler of complete bars of `bar_seconds` that end at one instant; the windows of `begin` contain them.

        An exception of the strategy is raised as `failed` converts it.
        """
        context, on_bar = self._context, self.strategy.on_bar

        def take(bars: Sequence[Bar], end: Nanos) -> None:
            context.time = end
            try:
                for bar in bars:
                    on_bar(bar)
            except Exception as error:
                raise failed(error) from error

        return take

    def follower(self, failed: Callable[[Exception], Exception]) -> Callable[[InstrumentId, float, Nanos], None]:
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
        """Take a live bar, as a rule of 5 seconds, or any span that divides `bar_seconds`."""
        self._context.require(part.instrument)
        if self._clock.is_replay(self._context.time, part.end):
            self._context.restart_time()
        self._clock.mark(part.end, self._context.host.now())
        self._context.timers.anchor(self._since(part.start))
        for bar in (*self._overdue(part.start - BAR_CLOSE_GRACE), *self._builder(part).add(part)):
            self._deliver(bar)
        self._fire_timers(part.end)

    def clock(self, now: Nanos) -> None:
        """Let time pass without data, `now` on the host's clock: close overdue bars and fire due timers."""
        instant = self._clock.read(now)
        self._context.timers.anchor(self._since(instant))
        for bar in self._overdue(instant - BAR_CLOSE_GRACE):
            self._deliver(bar)
        self._fire_timers(instant)

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

    def _builder(self, part: Bar) -> BarBuilder:
        """The builder of the part's instrument. It starts at a full bar, after the history: no bar is partial."""
        builder = self._builders.get(part.instrument)
        if builder is None:
            newest = self._rolling[part.instrument].newest(1)
            begin = max(ceil_time(part.start, self.bar_seconds), newest[-1].end if newest else 0)
            builder = self._builders[part.instrument] = BarBuilder(part.instrument, self.bar_seconds, begin)
        return builder

    def _overdue(self, until: Nanos) -> list[Bar]:
        closed = [bar for builder in self._builders.values() for bar in builder.close_until(until)]
        return sorted(closed, key=lambda bar: bar.end)

    def _deliver(self, bar: Bar) -> None:
        self._fire_timers(bar.end)
        self._rolling[bar.instrument].add(bar)
        self.strategy.on_bar(bar)

    def _fire_timers(self, until: Nanos) -> None:
        while (timer := self._context.timers.take_due(until)) is not None:
            due, name = timer
            self._context.advance(due)
            self.strategy.on_timer(name)
        self._context.advance(until)

    def _check_settings(self) -> None:
        name, strategy = self.strategy.name, self.strategy
        if not self.instruments or not all(self.instruments):
            raise StrategyError(f"strategy {name} names no instrument; give the parameter instrument or instruments")
        for instrument in self.instruments:
            _check_name(name, instrument)
        if len(set(self.instruments)) < len(self.instruments):
            raise StrategyError(f"strategy {name} names an instrument twice in {self.instruments}; name each once")
        if strategy.bar_seconds < 5 or strategy.bar_seconds % 5:
            raise StrategyError(f"strategy {name}: bar_seconds is {strategy.bar_seconds}; give a multiple of 5")
        if strategy.history_length < max(strategy.warmup, 1) or strategy.warmup < 0:
            raise StrategyError(
                f"strategy {name}: warmup is {strategy.warmup} and history_length {strategy.history_length}; "
                "give 0 <= warmup <= history_length and a history of 1 at least"
            )


def _check_name(strategy: StrategyName, instrument: InstrumentId) -> None:
    """An invalid name is an error of this strategy, and must not reach the shared actors."""
    try:
        parse_instrument(instrument)
    except ValueError as error:
        raise StrategyError(f"strategy {strategy}: {error}") from error
