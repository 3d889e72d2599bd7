"""One instrument of the market data: who follows it, what the broker is asked about it, and who waits for its past."""

from collections import deque
from collections.abc import Callable

from actors.messages.broker import HistoryLoaded, RequestHistory, ResolveInstrument, SubscribeMarket
from actors.messages.market_data import FollowMarket, LoadHistory
from mats.model.instrument import Instrument, InstrumentId, parse_instrument
from mats.runtime import Ref


class Feed:
    """Followers stand in the order in which they came; `heard` (monotonic seconds) is when it last had a price.

    `instrument` is None until the broker has named the contract. `ask` passes a question on to the broker, False where
    there is no line to it now; answers come to `asker`.
    """

    def __init__(self, name: InstrumentId, ask: Callable[[object], bool], asker: Ref, now: float) -> None:
        self._name, self._ask, self._asker = name, ask, asker
        self._asked = False
        self._loads: deque[LoadHistory] = deque()
        self.instrument: Instrument | None = None
        self.bars: dict[Ref, None] = {}
        self.quotes: dict[Ref, None] = {}
        self.heard = now

    def forget_contract(self) -> None:
        """A new connection knows nothing of what the one before was asked for."""
        self.instrument, self._asked = None, False

    def resolve(self) -> None:
        """Ask for the contract, unless it is known or being asked for."""
        if self.instrument is None and not self._asked:
            self._asked = self._ask(ResolveInstrument(parse_instrument(self._name), self._asker))

    def resolved(self, instrument: Instrument) -> None:
        """The broker has named the contract: what waited for it is asked for."""
        self.instrument = instrument
        self._request()
        self.subscribe()

    def unresolved(self, reason: str) -> None:
        """There is no contract now: whoever waits for bars is told."""
        self._asked = False
        while self._loads:
            self._loads.popleft().reply_to.tell(HistoryLoaded(self._name, (), complete=False, reason=reason))

    def follow(self, wish: FollowMarket) -> bool:
        """One more follower; True where it is the first one that wants quotes."""
        first = wish.quotes and not self.quotes
        self.bars[wish.follower] = None
        if wish.quotes:
            self.quotes[wish.follower] = None
        return first

    def forget(self, follower: Ref) -> None:
        self.bars.pop(follower, None)
        self.quotes.pop(follower, None)

    def subscribe(self) -> None:
        """Have the broker stream bars, and quotes where somebody wants them."""
        if self.instrument is not None:
            self._ask(SubscribeMarket(self.instrument, quotes=bool(self.quotes)))

    # History: one load at a time

    def load(self, wish: LoadHistory) -> None:
        """Have the broker asked for bars, after those who wait already."""
        self._loads.append(wish)
        if self.instrument is None:
            self.resolve()
        elif len(self._loads) == 1:
            self._request()

    def loaded(self, loaded: HistoryLoaded) -> None:
        """Bars of another span were asked for before their asker restarted: nobody waits for them."""
        if self._loads and all(bar.seconds == self._loads[0].bar_seconds for bar in loaded.bars):
            self._loads.popleft().reply_to.tell(loaded)
            self._request()

    def _request(self) -> None:
        if self.instrument is not None and self._loads:
            seconds, count = self._loads[0].bar_seconds, self._loads[0].count
            self._ask(
                RequestHistory(instrument=self.instrument, bar_seconds=seconds, count=count, reply_to=self._asker)
            )
