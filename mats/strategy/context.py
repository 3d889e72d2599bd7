"""The context of a running strategy: name, host, time, history, quotes, timers."""

from collections.abc import Callable, Mapping

from mats.errors import StrategyError
from mats.instruments import parse_instrument
from mats.model import InstrumentId, Nanos, Quote, StrategyName
from mats.sessions import SessionCalendar, calendar_of
from mats.strategy.history import BarWindow
from mats.strategy.host import StrategyHost
from mats.strategy.schedule import Timers
from mats.strategy.vectorized import Indicators


class StrategyContext:
    """The runner updates it; the strategy and its broker read it.

    `time` is strategy time, None before the first event. `windows` is the history of bars, `larger` that of each larger
    size in seconds, `indicators` follow from the first; they are set before the strategy starts. `calendar` is asked
    for an instrument's sessions.
    """

    indicators: Indicators

    def __init__(self, name: StrategyName, host: StrategyHost) -> None:
        self.name = name
        self.host = host
        self.timers = Timers()
        self.quotes: dict[InstrumentId, Quote] = {}
        self.time: Nanos | None = None
        self.windows: Mapping[InstrumentId, BarWindow] = {}
        self.larger: Mapping[int, Mapping[InstrumentId, BarWindow]] = {}
        self.calendar: Callable[[InstrumentId], SessionCalendar] = usual_calendar

    @property
    def now(self) -> Nanos:
        """Strategy time: the newest instant of bars and clock messages; the host's clock until there is one."""
        return self.host.now() if self.time is None else self.time

    def advance(self, instant: Nanos) -> None:
        """Move strategy time forward; an earlier instant changes nothing."""
        self.time = instant if self.time is None else max(self.time, instant)

    def restart_time(self) -> None:
        """Discard the clock's time from before there was data; timers restart."""
        self.time = None
        self.timers.restart()

    @property
    def instruments(self) -> tuple[InstrumentId, ...]:
        """What the strategy watches and may trade."""
        return tuple(self.windows)

    def window(self, instrument: InstrumentId, seconds: int | None = None) -> BarWindow:
        """The window of one of the strategy's instruments, of a larger size where one is given."""
        self.require(instrument)
        if seconds is None:
            return self.windows[instrument]
        if seconds not in self.larger:
            raise StrategyError(
                f"strategy {self.name}: it has no bars of {seconds} seconds besides its own; "
                "return that size from larger_bars()"
            )
        return self.larger[seconds][instrument]

    def require(self, instrument: InstrumentId) -> None:
        """Refuse an instrument that the strategy did not name in `instruments()`."""
        if instrument not in self.windows:
            raise StrategyError(
                f"strategy {self.name}: {instrument!r} is not one of its instruments "
                f"({', '.join(self.windows) or 'none'}); return it from instruments()"
            )


def usual_calendar(instrument: InstrumentId) -> SessionCalendar:
    """The sessions that a name stands for, as long as its contract is not known."""
    return calendar_of(parse_instrument(instrument))
