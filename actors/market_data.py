"""Market data: one subscription per instrument at the broker, shared by all followers."""

from collections.abc import Callable
from typing import Never, assert_never

import msgspec

from actors.base import BarCollector, HistoryLoads, ask_to_resubscribe
from actors.messages.addresses import (
    ConnectionMessage,
    MarketDataMessage,
    PersistenceWriterMessage,
    PortfolioManagerMessage,
    RiskManagerMessage,
)
from actors.messages.broker import (
    HistoryLoaded,
    HistoryProgressed,
    InstrumentResolved,
    MarketEvents,
    MarketRequest,
    Ready,
    RequestHistory,
    RequestSnapshot,
    ResolveInstrument,
    SubscribeMarket,
    Unresolved,
)
from actors.messages.market_data import (
    BarArrived,
    DataStale,
    InstrumentCompleted,
    LoadHistory,
    MarketChange,
    PriceMarked,
    QuoteArrived,
    SubscribeInstruments,
    WatchPrices,
)
from actors.messages.subscription import Republish, Unsubscribe, Unsubscribed
from mats.model import Instrument, InstrumentId, parse_instrument
from mats.runtime import Actor, Down, MailboxSpec, Ref

BrokerAnswer = InstrumentResolved | Unresolved | HistoryLoaded | HistoryProgressed


class InstrumentSubscription:
    """Followers in the order in which they came; `updated` (monotonic seconds) is when it last had a price.

    `instrument` is None until the broker has resolved the contract. `ask` passes a request on to the broker, False
    while there is no connection; answers go to `asker`.
    """

    def __init__(
        self, name: InstrumentId, ask: Callable[[MarketRequest], bool], asker: Ref[BrokerAnswer], now: float
    ) -> None:
        self._name, self._ask, self._asker = name, ask, asker
        self._asked = False
        self._loads = HistoryLoads(name, self._request_history)
        self.instrument: Instrument | None = None
        self.bars: dict[Ref[MarketChange], None] = {}
        self.quotes: dict[Ref[MarketChange], None] = {}
        self.updated = now

    def forget_contract(self) -> None:
        """A new connection has none of the requests of the one before."""
        self.instrument, self._asked = None, False

    def resolve(self) -> None:
        """Request the contract, unless it is known or requested already."""
        if self.instrument is None and not self._asked:
            self._asked = self._ask(ResolveInstrument(parse_instrument(self._name), self._asker))

    def resolved(self, instrument: Instrument) -> None:
        """The contract is known: send the requests that waited for it."""
        self.instrument = instrument
        self._loads.request_again()
        self.subscribe()

    def unresolved(self, reason: str) -> None:
        """There is no contract now: whoever waits for history gets none."""
        self._asked = False
        self._loads.fail(reason)

    def follow(self, request: SubscribeInstruments) -> bool:
        """One more follower; True where it is the first one that wants quotes."""
        first = request.quotes and not self.quotes
        self.bars[request.follower] = None
        if request.quotes:
            self.quotes[request.follower] = None
        return first

    def forget(self, follower: Ref[Never]) -> None:
        self.bars = {ref: None for ref in self.bars if ref != follower}
        self.quotes = {ref: None for ref in self.quotes if ref != follower}

    def subscribe(self) -> None:
        """Have the broker stream bars, and quotes where a follower wants them."""
        if self.instrument is not None:
            self._ask(SubscribeMarket(self.instrument, quotes=bool(self.quotes)))

    # History

    def load(self, request: LoadHistory) -> None:
        """Request bars from the broker, after the loads that wait already."""
        self._loads.add(request)
        if self.instrument is None:
            self.resolve()
        else:
            self._loads.request()

    def loaded(self, answer: HistoryLoaded | HistoryProgressed) -> None:
        """Pass an answer on to whoever waits for it."""
        if isinstance(answer, HistoryLoaded):
            self._loads.loaded(answer)
        else:
            self._loads.progressed(answer)

    def _request_history(self, seconds: int, count: int) -> None:
        if self.instrument is not None:
            request = RequestHistory(instrument=self.instrument, bar_seconds=seconds, count=count, reply_to=self._asker)
            self._ask(request)


CHECK_SECONDS = 1.0
FLUSH_SECONDS = 60.0
RETRY_SECONDS = 60.0
"""How long after a failure an instrument is resolved again."""


class CheckStale(msgspec.Struct, frozen=True):
    pass


class FlushBars(msgspec.Struct, frozen=True):
    """Send the bars of the last minute to the store."""


class RetryResolve(msgspec.Struct, frozen=True):
    """Try once more to resolve an instrument."""

    instrument: InstrumentId


OwnMessage = RetryResolve | CheckStale | FlushBars | Down


class MarketData(Actor[MarketDataMessage | OwnMessage]):
    """One subscription for each instrument over the data connection, shared by all its followers, and its liveness.

    A subscription outlives its followers: what is held needs a price. Requests that a lost connection did not answer
    are repeated on the next one.
    """

    mailbox = MailboxSpec(capacity=50_000)

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        """`stale_after` in seconds: an instrument without data for longer is reported as stale.

        The bars of instruments that are followed go to the `store`, if there is one.
        """

        stale_after: float
        connection: Ref[ConnectionMessage]
        risk: Ref[RiskManagerMessage]
        portfolio: Ref[PortfolioManagerMessage]
        store: Ref[PersistenceWriterMessage] | None = None

    def __init__(self, args: Args) -> None:
        self._store = args.store
        self._connection, self._risk, self._portfolio = args.connection, args.risk, args.portfolio
        self._stale_after = args.stale_after

    def on_start(self) -> None:
        self._feeds: dict[InstrumentId, InstrumentSubscription] = {}
        self._up = False
        self._stale: frozenset[InstrumentId] = frozenset()
        self._connection.tell(RequestSnapshot())
        self._portfolio.tell(Republish())
        ask_to_resubscribe(self)
        self.every(CHECK_SECONDS, CheckStale())
        self._collected = BarCollector(self._store)
        self.every(FLUSH_SECONDS, FlushBars())

    def on_receive(self, message: MarketDataMessage | OwnMessage) -> None:
        match message:
            case MarketEvents():
                self._publish(message)
            case SubscribeInstruments():
                self._follow(message)
            case WatchPrices(instruments=names):
                for name in sorted(names):
                    self._feed(name).resolve()
            case LoadHistory(instrument=name):
                self._feed(name).load(message)
            case InstrumentResolved(asked=asked, instrument=instrument):
                self._resolved(asked, instrument)
            case Unresolved(asked=asked, reason=reason):
                self._unresolved(asked, reason)
            case HistoryLoaded(instrument=name) | HistoryProgressed(instrument=name):
                self._feed(name).loaded(message)
            case Ready():
                self._connect(message)
            case Republish():
                for known in [feed.instrument for feed in self._feeds.values() if feed.instrument is not None]:
                    self._announce(known)
            case Unsubscribe(follower=follower):
                self._forget(follower)
                follower.tell(Unsubscribed(self.name))
            case Down(tag=Ref() as follower):
                self._forget(follower)
            case Down():
                self._up = False
            case RetryResolve(instrument=name):
                self._feed(name).resolve()
            case CheckStale():
                self._check_stale()
            case FlushBars():
                self._collected.flush()
            case _:
                assert_never(message)

    def on_stop(self) -> None:
        self._collected.flush()

    def _connect(self, ready: Ready) -> None:
        if self._up:
            return
        self._up = True
        self.watch(ready.ref, tag=ready.connection)
        for feed in self._feeds.values():
            feed.forget_contract()
            feed.resolve()

    def _feed(self, name: InstrumentId) -> InstrumentSubscription:
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = InstrumentSubscription(name, self._ask, self.ref, self.clock.monotonic())
        return feed

    def _ask(self, request: MarketRequest) -> bool:
        if self._up:
            self._connection.tell(request)
        return self._up

    def _follow(self, message: SubscribeInstruments) -> None:
        self.watch(message.follower, tag=message.follower)
        for name in message.instruments:
            feed = self._feed(name)
            feed.resolve()
            if feed.follow(message):
                feed.subscribe()

    def _forget(self, follower: Ref[Never]) -> None:
        for feed in self._feeds.values():
            feed.forget(follower)

    def _resolved(self, name: InstrumentId, instrument: Instrument) -> None:
        self._announce(instrument)
        self._feed(name).resolved(instrument)

    def _announce(self, instrument: Instrument) -> None:
        self._risk.tell(InstrumentCompleted(instrument))
        self._portfolio.tell(InstrumentCompleted(instrument))

    def _unresolved(self, name: InstrumentId, reason: str) -> None:
        """The cause may be temporary: fail the loads that wait, and try again later."""
        self.log.error(reason, instrument=name)
        self._feed(name).unresolved(reason)
        self.after(RETRY_SECONDS, RetryResolve(name))

    def _publish(self, events: MarketEvents) -> None:
        """Marks first, so that risk knows the price by the time a strategy acts on it."""
        now = self.clock.monotonic()
        for bar in events.bars:
            self._mark(bar.instrument, bar.close, now)
            arrived, followers = BarArrived(bar), self._feeds[bar.instrument].bars
            for follower in followers:
                follower.offer(arrived)
            if followers:
                self._collected.add(bar)
        for quote in events.quotes:
            self._mark(quote.instrument, quote.mid, now)
            for follower in self._feeds[quote.instrument].quotes:
                follower.offer(QuoteArrived(quote))

    def _mark(self, name: InstrumentId, price: float, now: float) -> None:
        self._feed(name).updated = now
        if price > 0:
            self._risk.tell(PriceMarked(name, price))
            self._portfolio.tell(PriceMarked(name, price))

    def _check_stale(self) -> None:
        horizon = self.clock.monotonic() - self._stale_after
        stale = frozenset(name for name, feed in self._feeds.items() if feed.updated < horizon)
        if stale != self._stale:
            self._stale = stale
            self.log.warning("stale instruments changed", stale=sorted(stale))
        self._risk.tell(DataStale(stale))
