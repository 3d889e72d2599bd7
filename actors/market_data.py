"""Market data: each instrument is asked of the broker once and shared by all who want it."""

import msgspec

from actors.broker import (
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
from actors.following import Inform, Leave, Left, call_followers
from mats.model.instrument import Instrument, InstrumentId, parse_instrument
from mats.model.market import Bar, Quote
from mats.runtime import Actor, Down, MailboxSpec, Ref

WATCH_SECONDS = 1.0


class FollowMarket(msgspec.Struct, frozen=True, kw_only=True):
    """Send `BarArrived` (and `QuoteArrived` where `quotes`) of the instruments to `follower` until it is gone."""

    instruments: tuple[InstrumentId, ...]
    quotes: bool
    follower: Ref


class LoadHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The last `count` bars; answered by the connection's `HistoryLoaded`."""

    instrument: InstrumentId
    bar_seconds: int
    count: int
    reply_to: Ref


class BarArrived(msgspec.Struct, frozen=True, gc=False):
    """A finished five-second bar."""

    bar: Bar


class QuoteArrived(msgspec.Struct, frozen=True, gc=False):
    """The newest quote; where they come too fast, the newest only."""

    quote: Quote


class PriceMarked(msgspec.Struct, frozen=True, gc=False):
    """What one unit is worth now, in the instrument's currency."""

    instrument: InstrumentId
    price: float


class InstrumentKnown(msgspec.Struct, frozen=True):
    """The broker has completed an instrument; risk works with nothing less."""

    instrument: Instrument


class DataStale(msgspec.Struct, frozen=True):
    """Instruments from which nothing has come for too long; replaces the list sent before."""

    instruments: frozenset[InstrumentId]


class Watch(msgspec.Struct, frozen=True):
    pass


class Feed:
    """One instrument: who follows it, and when it was last heard (monotonic seconds)."""

    def __init__(self, now: float) -> None:
        self.bars: set[Ref] = set()
        self.quotes: set[Ref] = set()
        self.instrument: Instrument | None = None
        self.heard = now
        self.waiting: list[LoadHistory] = []


class MarketData(Actor):
    """Reference-counted subscriptions over the data connection, and the liveness of each."""

    mailbox = MailboxSpec(capacity=50_000)

    def __init__(self, connection: Ref, risk: Ref, portfolio: Ref, stale_after: float) -> None:
        self._connection, self._risk, self._portfolio = connection, risk, portfolio
        self._stale_after = stale_after

    def on_start(self) -> None:
        self._feeds: dict[InstrumentId, Feed] = {}
        self._ready = False
        self._stale: frozenset[InstrumentId] = frozenset()
        self._connection.tell(Resync())
        call_followers(self)
        self.every(WATCH_SECONDS, Watch())

    def on_receive(self, message: object) -> object:
        match message:
            case MarketNews():
                self._spread(message)
            case FollowMarket():
                self._follow(message)
            case LoadHistory():
                self._load(message)
            case InstrumentResolved(asked=asked, instrument=instrument):
                self._resolved(asked, instrument)
            case Unresolved(asked=asked, reason=reason):
                self._unresolved(asked, reason)
            case Ready():
                self._ready = True
                for name in self._feeds:
                    self._resolve(name)
            case Inform():
                for known in [feed.instrument for feed in self._feeds.values() if feed.instrument is not None]:
                    self._risk.tell(InstrumentKnown(known))
            case Leave(follower=follower):
                self._forget(follower)
                follower.tell(Left(self.name))
            case Down(tag=Ref() as follower):
                self._forget(follower)
            case Watch():
                self._watch_feeds()
            case _:
                return super().on_receive(message)
        return None

    def _feed(self, name: InstrumentId) -> Feed:
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = Feed(self.clock.monotonic())
            self._resolve(name)
        return feed

    def _resolve(self, name: InstrumentId) -> None:
        if self._ready:
            self._connection.tell(ResolveInstrument(parse_instrument(name), self.ref))

    def _follow(self, message: FollowMarket) -> None:
        self.watch(message.follower, tag=message.follower)
        for name in message.instruments:
            feed = self._feed(name)
            feed.bars.add(message.follower)
            if message.quotes:
                feed.quotes.add(message.follower)
                self._subscribe(feed)

    def _forget(self, follower: Ref) -> None:
        for feed in self._feeds.values():
            feed.bars.discard(follower)
            feed.quotes.discard(follower)

    def _load(self, message: LoadHistory) -> None:
        feed = self._feed(message.instrument)
        if feed.instrument is None:
            feed.waiting.append(message)
            return
        self._connection.tell(
            RequestHistory(
                instrument=feed.instrument,
                bar_seconds=message.bar_seconds,
                count=message.count,
                reply_to=message.reply_to,
            )
        )

    def _resolved(self, name: InstrumentId, instrument: Instrument) -> None:
        feed = self._feed(name)
        feed.instrument = instrument
        self._risk.tell(InstrumentKnown(instrument))
        waiting, feed.waiting = feed.waiting, []
        for message in waiting:
            self._load(message)
        self._subscribe(feed)

    def _unresolved(self, name: InstrumentId, reason: str) -> None:
        self.log.error(reason, instrument=name)
        for message in self._feed(name).waiting:
            message.reply_to.tell(HistoryLoaded(name, (), complete=False, reason=reason))
        self._feed(name).waiting.clear()

    def _subscribe(self, feed: Feed) -> None:
        if feed.instrument is not None and self._ready:
            self._connection.tell(SubscribeMarket(feed.instrument, quotes=bool(feed.quotes)))

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
