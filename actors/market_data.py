"""Market data: each instrument is asked of the broker once and shared by all who want it."""

from collections import deque

import msgspec

from actors.followers import call_followers
from actors.messages.broker import (
    HistoryLoaded,
    InstrumentResolved,
    MarketNews,
    Ready,
    RequestHistory,
    ResolveInstrument,
    Resync,
    SubscribeMarket,
    Unresolved,
)
from actors.messages.following import Inform, Leave, Left
from actors.messages.market_data import (
    BarArrived,
    DataStale,
    FollowMarket,
    InstrumentKnown,
    LoadHistory,
    PriceMarked,
    QuoteArrived,
    WatchPrices,
)
from mats.model.instrument import Instrument, InstrumentId, parse_instrument
from mats.runtime import Actor, Down, MailboxSpec, Ref

WATCH_SECONDS = 1.0
RETRY_SECONDS = 60.0
"""How long after a failure an instrument is resolved again."""


class Watch(msgspec.Struct, frozen=True):
    pass


class AskAgain(msgspec.Struct, frozen=True):
    """Try once more to resolve an instrument."""

    instrument: InstrumentId


class Feed:
    """One instrument: who follows it, in order, and when it was last heard (monotonic seconds).

    `loads` wait for their bars, of which the first is asked for. `asked`: the broker is being asked for the contract.
    """

    def __init__(self, now: float) -> None:
        self.bars: dict[Ref, None] = {}
        self.quotes: dict[Ref, None] = {}
        self.instrument: Instrument | None = None
        self.asked = False
        self.heard = now
        self.loads: deque[LoadHistory] = deque()


class MarketData(Actor):
    """One subscription for each instrument over the data connection, shared by all its followers, and its liveness.

    A subscription outlives its followers: what is held needs a price. What a lost connection did not answer is asked
    again of the next one.
    """

    mailbox = MailboxSpec(capacity=50_000)

    def __init__(self, connection: Ref, risk: Ref, portfolio: Ref, stale_after: float) -> None:
        self._connection, self._risk, self._portfolio = connection, risk, portfolio
        self._stale_after = stale_after

    def on_start(self) -> None:
        self._feeds: dict[InstrumentId, Feed] = {}
        self._up = False
        self._stale: frozenset[InstrumentId] = frozenset()
        self._connection.tell(Resync())
        self._portfolio.tell(Inform())
        call_followers(self)
        self.every(WATCH_SECONDS, Watch())

    def on_receive(self, message: object) -> object:
        match message:
            case MarketNews():
                self._spread(message)
            case FollowMarket():
                self._follow(message)
            case WatchPrices(instruments=names):
                for name in sorted(names):
                    self._want(name)
            case LoadHistory():
                self._load(message)
            case InstrumentResolved(asked=asked, instrument=instrument):
                self._resolved(asked, instrument)
            case Unresolved(asked=asked, reason=reason):
                self._unresolved(asked, reason)
            case HistoryLoaded(instrument=name):
                self._loaded(self._feed(name), message)
            case Ready():
                self._welcome(message)
            case Inform():
                for known in [feed.instrument for feed in self._feeds.values() if feed.instrument is not None]:
                    self._make_known(known)
            case Leave(follower=follower):
                self._forget(follower)
                follower.tell(Left(self.name))
            case Down(tag=Ref() as follower):
                self._forget(follower)
            case Down():
                self._up = False
            case AskAgain(instrument=name):
                if self._feed(name).instrument is None:
                    self._resolve(name, self._feed(name))
            case Watch():
                self._watch_feeds()
            case _:
                return super().on_receive(message)
        return None

    def _welcome(self, ready: Ready) -> None:
        """A connection that was made anew knows nothing of what the one before was asked for."""
        if self._up:
            return
        self._up = True
        self.watch(ready.ref, tag=ready.connection)
        for name, feed in self._feeds.items():
            feed.instrument, feed.asked = None, False
            self._resolve(name, feed)

    def _feed(self, name: InstrumentId) -> Feed:
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = Feed(self.clock.monotonic())
        return feed

    def _resolve(self, name: InstrumentId, feed: Feed) -> None:
        if self._up and not feed.asked:
            feed.asked = True
            self._connection.tell(ResolveInstrument(parse_instrument(name), self.ref))

    def _follow(self, message: FollowMarket) -> None:
        self.watch(message.follower, tag=message.follower)
        for name in message.instruments:
            feed = self._want(name)
            feed.bars[message.follower] = None
            if message.quotes:
                first = not feed.quotes
                feed.quotes[message.follower] = None
                if first:
                    self._subscribe(feed)

    def _want(self, name: InstrumentId) -> Feed:
        """The feed of an instrument; the broker is asked for what it does not have yet."""
        feed = self._feed(name)
        if feed.instrument is None:
            self._resolve(name, feed)
        return feed

    def _forget(self, follower: Ref) -> None:
        for feed in self._feeds.values():
            feed.bars.pop(follower, None)
            feed.quotes.pop(follower, None)

    def _resolved(self, name: InstrumentId, instrument: Instrument) -> None:
        feed = self._feed(name)
        feed.instrument = instrument
        self._make_known(instrument)
        self._request(feed)
        self._subscribe(feed)

    def _make_known(self, instrument: Instrument) -> None:
        self._risk.tell(InstrumentKnown(instrument))
        self._portfolio.tell(InstrumentKnown(instrument))

    def _unresolved(self, name: InstrumentId, reason: str) -> None:
        """It may be the fault of the moment: whoever waits is told, and the broker is asked again later."""
        self.log.error(reason, instrument=name)
        feed = self._feed(name)
        feed.asked = False
        self.after(RETRY_SECONDS, AskAgain(name))
        while feed.loads:
            feed.loads.popleft().reply_to.tell(HistoryLoaded(name, (), complete=False, reason=reason))

    def _subscribe(self, feed: Feed) -> None:
        if feed.instrument is not None and self._up:
            self._connection.tell(SubscribeMarket(feed.instrument, quotes=bool(feed.quotes)))

    # History

    def _load(self, message: LoadHistory) -> None:
        feed = self._feed(message.instrument)
        feed.loads.append(message)
        if feed.instrument is None:
            self._resolve(message.instrument, feed)
        elif len(feed.loads) == 1:
            self._request(feed)

    def _request(self, feed: Feed) -> None:
        if feed.instrument is not None and self._up and feed.loads:
            first = feed.loads[0]
            self._connection.tell(
                RequestHistory(
                    instrument=feed.instrument,
                    bar_seconds=first.bar_seconds,
                    count=first.count,
                    reply_to=self.ref,
                )
            )

    def _loaded(self, feed: Feed, loaded: HistoryLoaded) -> None:
        """Bars of another span were asked for before this actor restarted."""
        if feed.loads and all(bar.seconds == feed.loads[0].bar_seconds for bar in loaded.bars):
            feed.loads.popleft().reply_to.tell(loaded)
            self._request(feed)

    def _spread(self, news: MarketNews) -> None:
        """Marks first, so that risk knows the price by the time a strategy acts on it."""
        now = self.clock.monotonic()
        for bar in news.bars:
            self._mark(bar.instrument, bar.close, now)
            arrived = BarArrived(bar)
            for follower in self._feeds[bar.instrument].bars:
                follower.offer(arrived)
        for quote in news.quotes:
            self._mark(quote.instrument, quote.mid, now)
            for follower in self._feeds[quote.instrument].quotes:
                follower.offer(QuoteArrived(quote))

    def _mark(self, name: InstrumentId, price: float, now: float) -> None:
        self._feed(name).heard = now
        if price > 0:
            self._risk.tell(PriceMarked(name, price))
            self._portfolio.tell(PriceMarked(name, price))

    def _watch_feeds(self) -> None:
        horizon = self.clock.monotonic() - self._stale_after
        stale = frozenset(name for name, feed in self._feeds.items() if feed.heard < horizon)
        if stale != self._stale:
            self._stale = stale
            self.log.warning("data went silent or came back", silent=sorted(stale))
        self._risk.tell(DataStale(stale))
