"""Market data: each instrument is asked of the broker once and shared by all who want it."""

import msgspec

from actors.feed import Feed
from actors.followers import call_followers
from actors.messages.broker import (
    HistoryLoaded,
    InstrumentResolved,
    MarketNews,
    Ready,
    Resync,
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
from mats.model.instrument import Instrument, InstrumentId
from mats.runtime import Actor, Down, MailboxSpec, Ref

WATCH_SECONDS = 1.0
RETRY_SECONDS = 60.0
"""How long after a failure an instrument is resolved again."""


class Watch(msgspec.Struct, frozen=True):
    pass


class AskAgain(msgspec.Struct, frozen=True):
    """Try once more to resolve an instrument."""

    instrument: InstrumentId


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
                    self._feed(name).resolve()
            case LoadHistory(instrument=name):
                self._feed(name).load(message)
            case InstrumentResolved(asked=asked, instrument=instrument):
                self._resolved(asked, instrument)
            case Unresolved(asked=asked, reason=reason):
                self._unresolved(asked, reason)
            case HistoryLoaded(instrument=name):
                self._feed(name).loaded(message)
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
                self._feed(name).resolve()
            case Watch():
                self._watch_feeds()
            case _:
                return super().on_receive(message)
        return None

    def _welcome(self, ready: Ready) -> None:
        if self._up:
            return
        self._up = True
        self.watch(ready.ref, tag=ready.connection)
        for feed in self._feeds.values():
            feed.forget_contract()
            feed.resolve()

    def _feed(self, name: InstrumentId) -> Feed:
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = Feed(name, self._ask, self.ref, self.clock.monotonic())
        return feed

    def _ask(self, question: object) -> bool:
        if self._up:
            self._connection.tell(question)
        return self._up

    def _follow(self, message: FollowMarket) -> None:
        self.watch(message.follower, tag=message.follower)
        for name in message.instruments:
            feed = self._feed(name)
            feed.resolve()
            if feed.follow(message):
                feed.subscribe()

    def _forget(self, follower: Ref) -> None:
        for feed in self._feeds.values():
            feed.forget(follower)

    def _resolved(self, name: InstrumentId, instrument: Instrument) -> None:
        self._make_known(instrument)
        self._feed(name).resolved(instrument)

    def _make_known(self, instrument: Instrument) -> None:
        self._risk.tell(InstrumentKnown(instrument))
        self._portfolio.tell(InstrumentKnown(instrument))

    def _unresolved(self, name: InstrumentId, reason: str) -> None:
        """It may be the fault of the moment: whoever waits is told, and the broker is asked again later."""
        self.log.error(reason, instrument=name)
        self._feed(name).unresolved(reason)
        self.after(RETRY_SECONDS, AskAgain(name))

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
