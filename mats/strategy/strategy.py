"""The class that strategy authors subclass. It has no thread, socket or file: it handles events."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from mats.errors import StrategyError
from mats.model import (
    MINUTE,
    PLAIN,
    Bar,
    FillRecorded,
    InstrumentId,
    IntentId,
    Nanos,
    OrderState,
    OrderTicket,
    OrderView,
    Quote,
    Signal,
)
from mats.sessions import Hours
from mats.strategy.brackets import Bracket
from mats.strategy.broker import Broker
from mats.strategy.context import StrategyContext
from mats.strategy.history import BarWindow
from mats.strategy.host import LogLevel
from mats.strategy.market_hours import MarketHours
from mats.strategy.schedule import SessionBound, daily, every
from mats.strategy.tickets import Price
from mats.strategy.vectorized import Columns


class Strategy:
    """Base of all strategies: override the `on_*` hooks you need and call `signal` or `self.broker`.

    The same class runs live, on the paper gateway and in a backtest. Hooks are called one at a time and must return
    promptly; an exception raised by a hook stops this strategy only, which is then restarted or parked.
    The settings below may also be parameters: a field of the same name in `Params` takes precedence.
    """

    class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """The strategy's parameters; subclass it with typed fields and defaults."""

    bar_seconds: int = 60
    """Size of the bars that `on_bar` gets, in seconds: a multiple of 5 below a day, 86400 a session, 604800 a week."""
    session: Hours = "regular"
    """The hours that bars are made of: `regular`, or `extended`, with trading before the open and after the close."""
    ticks: bool = False
    """Whether quotes are wanted in `on_tick`."""
    warmup: int = 0
    """Bars of history per instrument that are loaded before `on_start`; there may be fewer where data begins."""
    history_length: int = 1000
    """Bars per instrument that `history` keeps; older ones are dropped."""

    SETTINGS: ClassVar[tuple[str, ...]] = ("bar_seconds", "session", "ticks", "warmup", "history_length")

    def __init__(self, context: StrategyContext, params: Any) -> None:
        """Created by the runner. Authors initialize their own state in `on_start`."""
        self._context = context
        self.name = context.name
        self.params = params
        self.broker = Broker(context)
        self._targets: dict[InstrumentId, float] = {}
        for setting in self.SETTINGS:
            if hasattr(params, setting):
                setattr(self, setting, getattr(params, setting))

    def instruments(self) -> tuple[InstrumentId, ...]:
        """What the strategy watches and may trade: as a rule its parameter `instruments`, or `instrument`."""
        several = getattr(self.params, "instruments", ())
        return tuple(several) if several else (self.params.instrument,) if hasattr(self.params, "instrument") else ()

    def larger_bars(self) -> Mapping[int, int]:
        """Sizes in seconds of further bars, built from those of `bar_seconds`, with the count that `on_start` needs.

        `history` and `frame` give them; they call no hook. Sizes are multiples of `bar_seconds`, a day or a week.
        """
        return {}

    # Hooks

    def on_start(self) -> None:
        """Called once, when history is loaded and before the first bar; also after a restart."""

    def on_bar(self, bar: Bar) -> None:
        """Called with each completed bar; `history` already ends with it. Unless overridden it follows `signals`.

        Instruments whose bars end at the same instant come one after the other, by name; those that come later still
        show the bar before.
        """
        targets = np.asarray(self.signals(self.frame(bar.instrument)), dtype=float)
        if len(targets):
            self.follow(bar.instrument, float(targets[-1]))

    def on_bars(self, bars: Mapping[InstrumentId, Bar]) -> None:
        """Called once for each close, with all bars that ended at that instant; `history` ends with each of them.

        It comes after the `on_bar` of each of them; a strategy that overrides `on_bars` alone gets no `on_bar`.
        """

    def on_tick(self, quote: Quote) -> None:
        """Called with each new quote where `ticks` is true; quotes may be conflated to the newest."""

    def on_fill(self, fill: FillRecorded) -> None:
        """Called with each own fill, after it has been booked: positions already contain it."""

    def on_order_status(self, order: OrderView) -> None:
        """Called when an own order changes state, also when it was rejected before it was sent (`order.note`).

        Unless overridden, a target of `signals` whose order was rejected is signaled again at the next bar.
        """
        if order.state is OrderState.REJECTED:
            self._targets.pop(order.instrument, None)

    def on_timer(self, name: str) -> None:
        """Called when a timer of `schedule` or `every` is due, before the bar that ends at that instant."""

    def on_stop(self) -> None:
        """Called once at an orderly stop; orders and positions stay as they are unless you act."""

    # Vectorized indicators and signals

    def indicators(self, frame: pd.DataFrame) -> Columns:
        """Indicators by name over a whole frame of bars (open, high, low, close, volume), one number for each row.

        They must be causal: a row may depend only on itself and earlier rows. `indicator` reads
        them at the newest bar. A backtest calls this once for each instrument, from its first warm-up bar on; live it
        is called over the kept history at each bar. Both agree exactly where an indicator looks back over no more than
        `history_length` bars, or that many have not passed yet; one with infinite memory differs by the
        weight of older bars.
        """
        return {}

    def signals(self, frame: pd.DataFrame) -> npt.ArrayLike:
        """Target strengths over a whole frame of bars, one for each row; NaN keeps the last target. Causal too.

        A strategy with `signals` and without `on_bar` signals a target when it changes.
        """
        return np.full(len(frame), np.nan)

    # Actions

    def follow(self, instrument: InstrumentId, target: float) -> None:
        """Signal a target that differs from the last one signaled; NaN signals nothing."""
        if target == target and target != self._targets.get(instrument):
            self._targets[instrument] = target
            self.signal(instrument, target)

    def indicator(self, name: str, instrument: InstrumentId) -> float | None:
        """A declared indicator at the newest completed bar; None where it is not a number, and before the first bar."""
        return self._context.indicators.value(name, instrument)

    def signal(
        self, instrument: InstrumentId, strength: float, *, ticket: OrderTicket | None = None, reason: str = ""
    ) -> IntentId:
        """Ask to hold `strength` of the strategy's equity in `instrument`: 1 all of it long, -1 short, 0 flat.

        The risk manager trades the difference to the position by `ticket` (a market order unless given), and cancels
        what a target before it has ordered and what leads elsewhere. Returns the id of the order that may follow;
        further orders for the same target have it with `.2`, `.3` and so on.
        """
        context = self._context
        context.require(instrument)
        if not -1 <= strength <= 1:
            raise StrategyError(
                f"strategy {self.name}: a signal of strength {strength} for {instrument} is out of range; "
                "give a number from -1 to 1"
            )
        signal = Signal(
            intent_id=context.host.mint(),
            strategy=self.name,
            instrument=instrument,
            strength=float(strength),
            time=context.now,
            ticket=ticket or PLAIN,
            reason=reason,
        )
        context.host.submit(signal)
        return signal.intent_id

    def bracket(
        self,
        instrument: InstrumentId,
        quantity: Decimal | int | None = None,
        *,
        size: float | None = None,
        entry: OrderTicket | None = None,
        stop_loss: Price | None = None,
        take_profit: Price | None = None,
        reason: str = "",
    ) -> Bracket:
        """Ask for an entry with a stop, a profit limit or both, as one unit: see `Broker.bracket`."""
        return self.broker.bracket(
            instrument, quantity, size=size, entry=entry, stop_loss=stop_loss, take_profit=take_profit, reason=reason
        )

    def close(self, instrument: InstrumentId, *, reason: str = "") -> IntentId:
        """Cancel every own order on `instrument`, stops too, and go flat: a target of zero, which ends flat."""
        self._context.require(instrument)
        self.broker.cancel_all(instrument)
        self._targets[instrument] = 0.0
        return self.signal(instrument, 0.0, reason=reason)

    def flatten(self, *, reason: str = "") -> None:
        """Close every instrument of the strategy."""
        for instrument in self._context.instruments:
            self.close(instrument, reason=reason)

    @property
    def now(self) -> Nanos:
        """Strategy time: nanoseconds UTC. Between bars it moves with the clock; it never runs backward."""
        return self._context.now

    def history(self, instrument: InstrumentId, n: int | None = None, *, seconds: int | None = None) -> list[Bar]:
        """The newest `n` completed bars (all that are kept when None), oldest first; fewer where there are fewer.

        `seconds` names a size of `larger_bars`.
        """
        return self._window(instrument, n, seconds).newest(n)

    def frame(self, instrument: InstrumentId, n: int | None = None, *, seconds: int | None = None) -> pd.DataFrame:
        """The same as `history`, as a frame: open, high, low, close, volume by the bars' starts, UTC."""
        return self._window(instrument, n, seconds).frame(n)

    def _window(self, instrument: InstrumentId, n: int | None, seconds: int | None) -> BarWindow:
        if n is not None and n < 0:
            raise StrategyError(f"strategy {self.name}: history of {n} bars was requested; give 0 or more")
        return self._context.window(instrument, seconds)

    def quote(self, instrument: InstrumentId) -> Quote | None:
        """The newest quote, or None: before the first one, and always where `ticks` is false."""
        self._context.require(instrument)
        return self._context.quotes.get(instrument)

    def schedule(self, name: str, *, at: str, zone: str = "America/New_York", days: str = "mon-fri") -> None:
        """Set timer `name` for a local time of day, for example `at="15:55"`, on `days`: `mon-fri`, `mon,wed`."""
        self._context.timers.add(name, daily(at, zone, days))

    def every(self, name: str, *, seconds: int = 0, minutes: int = 0, hours: int = 0) -> None:
        """Set timer `name` for each full multiple of a span (UTC): `minutes=5` is due at :00, :05, :10."""
        self._context.timers.add(name, every(seconds=seconds, minutes=minutes, hours=hours))

    def before_close(self, name: str, *, minutes: float, instrument: InstrumentId = "") -> None:
        """Set timer `name` for so long before each session's close, half days included; of the first instrument."""
        self._context.timers.add(name, self._session_bound("close", -minutes, instrument))

    def after_open(self, name: str, *, minutes: float, instrument: InstrumentId = "") -> None:
        """Set timer `name` for so long after each session's open; of the first instrument unless given."""
        self._context.timers.add(name, self._session_bound("open", minutes, instrument))

    def _session_bound(self, edge: Literal["open", "close"], minutes: float, instrument: InstrumentId) -> SessionBound:
        named = instrument or self._context.instruments[0]
        self._context.require(named)
        return SessionBound(lambda: self._context.calendar(named), edge, self.session, round(minutes * MINUTE))

    def hours(self, instrument: InstrumentId) -> MarketHours:
        """The sessions of an instrument as of now: open, close, minutes to the close, the next one."""
        self._context.require(instrument)
        return MarketHours(self._context.calendar(instrument), self.now, self.session)

    def unschedule(self, name: str) -> None:
        """Remove timer `name`."""
        self._context.timers.remove(name)

    def log(self, text: str, level: LogLevel = "info") -> None:
        """Write one line to the log under the strategy's name."""
        self._context.host.log(level, text)
