"""What a running strategy knows: its name, its host, the time, its rolling history, the last quotes, its timers."""

from collections import deque
from collections.abc import Iterable

from mats.model.instrument import InstrumentId
from mats.model.market import Bar, Quote
from mats.model.orders import StrategyName
from mats.model.timestamp import Nanos
from mats.strategy.errors import StrategyError
from mats.strategy.host import StrategyHost
from mats.strategy.schedule import Timers


class StrategyContext:
    """The surroundings of one strategy. The runner moves them forward; the strategy and its broker read them."""

    def __init__(self, name: StrategyName, host: StrategyHost) -> None:
        self.name = name
        self.host = host
        self.timers = Timers()
        self.quotes: dict[InstrumentId, Quote] = {}
        self._time: Nanos | None = None
        self._windows: dict[InstrumentId, deque[Bar]] = {}

    @property
    def now(self) -> Nanos:
        """Strategy time: the newest instant of bars and clock messages; the host's clock until there is one."""
        return self.host.now() if self._time is None else self._time

    @property
    def time(self) -> Nanos | None:
        """Strategy time, or None while nothing has told it."""
        return self._time

    def advance(self, instant: Nanos) -> None:
        """Move strategy time forward; an earlier instant changes nothing."""
        self._time = instant if self._time is None else max(self._time, instant)

    def restart_time(self) -> None:
        """Forget the time that a clock told before there was data; timers count anew."""
        self._time = None
        self.timers.restart()

    def open_windows(self, instruments: Iterable[InstrumentId], length: int) -> None:
        """Make room for `length` bars of each instrument."""
        self._windows = {instrument: deque(maxlen=length) for instrument in instruments}

    @property
    def instruments(self) -> tuple[InstrumentId, ...]:
        """What the strategy watches and may trade."""
        return tuple(self._windows)

    def remember(self, bar: Bar) -> None:
        """Put a completed bar at the end of its window."""
        self._windows[bar.instrument].append(bar)

    def window(self, instrument: InstrumentId) -> deque[Bar]:
        """The remembered bars of an instrument, oldest first."""
        self.require(instrument)
        return self._windows[instrument]

    def require(self, instrument: InstrumentId) -> None:
        """Refuse an instrument that the strategy did not name in `instruments()`."""
        if instrument not in self._windows:
            raise StrategyError(
                f"strategy {self.name}: {instrument!r} is not one of its instruments "
                f"({', '.join(self._windows) or 'none'}); return it from instruments()"
            )
