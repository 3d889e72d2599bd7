"""A strategy in a backtest: the same runner and desk as live, and what it raises named with strategy and time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from mats.backtest.tape import Clock, Tape, TapeIndicators, TapeWindow
from mats.data import aggregate
from mats.errors import StrategyError
from mats.model import Bar, FillRecorded, InstrumentId, IntentId, Nanos, OrderView, StrategyRecord, iso
from mats.strategy import LogLevel, Position, Strategy
from mats.strategy.hosting import LocalHost, OrderCommand, make_runner

Listener = Callable[[Sequence[Bar], Nanos], None]
"""Takes the bars that have just ended, and when that is."""


class StrategyFailed(Exception):
    """A strategy raised in a callback; the text names it, the time of the data, and what it raised."""


class BacktestDesk(LocalHost):
    """A desk whose equity is worked out when somebody asks, and that is told before anybody looks at what is on it."""

    def __init__(
        self,
        send: Callable[[OrderCommand], None],
        mint: Callable[[], IntentId],
        now: Callable[[], Nanos],
        log: Callable[[LogLevel, str], None],
        value: Callable[[], Decimal | None],
        settle: Callable[[], None],
    ) -> None:
        super().__init__(send, mint, now, log)
        self._value, self._settle = value, settle

    def equity(self) -> Decimal | None:
        return self._value()

    def position(self, instrument: InstrumentId) -> Position:
        self._settle()
        return super().position(instrument)

    def positions(self) -> Mapping[InstrumentId, Position]:
        self._settle()
        return super().positions()

    def working_orders(self) -> Mapping[IntentId, OrderView]:
        self._settle()
        return super().working_orders()


class Speaker:
    """One strategy of a run, over bars of `bar_seconds`; its own may be longer.

    `hears` says that it reacts to its orders and fills.
    """

    def __init__(
        self, record: StrategyRecord, folder: Path, desk: BacktestDesk, bar_seconds: int, clock: Clock
    ) -> None:
        """Raises StrategyError where file, class, parameters or settings do not fit."""
        self.name, self.desk, self._clock = record.name, desk, clock
        self.runner = make_runner(record, folder, desk)
        self.instruments = frozenset(self.runner.instruments)
        made = type(self.runner.strategy)
        self.hears = made.on_fill is not Strategy.on_fill or made.on_order_status is not Strategy.on_order_status
        self._bar_seconds = bar_seconds
        self.on_denial: Callable[[OrderView], None] | None = None
        self._parts_per_bar = self.runner.bar_seconds // bar_seconds
        if self.runner.bar_seconds % bar_seconds:
            raise StrategyError(
                f"strategy {self.name} works on bars of {self.runner.bar_seconds} s, which cannot be built from bars "
                f"of {bar_seconds} s; set its bar_seconds to a multiple of that"
            )

    def declares(self, style: str) -> bool:
        """Whether its targets come from `signals`: where the style asks for it, or it has nothing else."""
        made = type(self.runner.strategy)
        has_signals = made.signals is not Strategy.signals
        if style == "signals" and not (has_signals and self._parts_per_bar == 1):
            raise StrategyError(
                f"strategy {self.name} has no signals(frame) over bars of {self._bar_seconds} s, which the style "
                "signals needs; use the style bars"
            )
        return has_signals and self._parts_per_bar == 1 and (style == "signals" or made.on_bar is Strategy.on_bar)

    def start(self, tapes: Mapping[InstrumentId, Tape]) -> None:
        """Begin with what is known before the run: as many warm-up bars as were asked for, as far as there are."""
        self._selects = len(self.instruments) < len(tapes)
        runner, count = self.runner, self.runner.warmup * self._parts_per_bar
        mine = {name: tapes[name] for name in runner.instruments}
        self.windows = {
            name: TapeWindow(tape, max(0, tape.first - count), runner.strategy.history_length)
            for name, tape in mine.items()
        }
        with self.guard():
            if self._parts_per_bar == 1:
                indicators = TapeIndicators(runner.strategy.indicators, self.windows)
                runner.begin(self.windows, indicators, self._clock.now)
            else:
                history = {name: tape.bars(max(0, tape.first - count), tape.first) for name, tape in mine.items()}
                runner.start({name: aggregate(bars, runner.bar_seconds) for name, bars in history.items()})

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

    def listener(self) -> Listener:
        """What hears of bars that have just ended; it takes those of the strategy's own instruments."""
        take = self.runner.listener(self._failed) if self._parts_per_bar == 1 else self._take_parts
        if not self._selects:
            return take
        mine = self.instruments
        return lambda bars, end: take([bar for bar in bars if bar.instrument in mine], end)

    def _take_parts(self, bars: Sequence[Bar], end: Nanos) -> None:
        with self.guard():
            for bar in bars:
                self.runner.bar(bar)

    def follow(self, instrument: InstrumentId, target: float, now: Nanos) -> None:
        """Follow a declared target."""
        try:
            self.runner.follow(instrument, target, now)
        except Exception as error:
            raise self._failed(error) from error

    def pass_time(self, now: Nanos) -> None:
        """Let timers fire that are due by now."""
        with self.guard():
            self.runner.pass_time(now)

    def order(self, view: OrderView) -> None:
        """Hear how an order stands."""
        self.desk.take_order(view)
        self.heard(view)

    def heard(self, view: OrderView) -> None:
        """The same, without the desk."""
        self.runner.set_time(self._clock.now)
        try:
            self.runner.order_status(view)
        except Exception as error:
            raise self._failed(error) from error

    def denied(self, view: OrderView) -> None:
        """Hear that a wish was refused; what works goes on working."""
        with self.guard():
            self.runner.set_time(self._clock.now)
            self.runner.order_status(view)
        if self.on_denial is not None:
            self.on_denial(view)

    def fill(self, fill: FillRecorded, view: OrderView) -> None:
        """Hear of an own fill, and how its order stands after it; the desk shows both already."""
        self.runner.set_time(self._clock.now)
        try:
            self.runner.fill(fill)
            self.runner.order_status(view)
        except Exception as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StrategyFailed:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return StrategyFailed(f"strategy {self.name} raised at {iso(self._clock.now)}: {what}")
