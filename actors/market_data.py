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
    ResubscribeMarket,
    SubscribeMarket,
    Unresolved,
)
from actors.messages.market_data import (
    BarArrived,
    BarsInterrupted,
    BarsOver,
    DataStale,
    InstrumentCompleted,
    InstrumentNamed,
    InstrumentUnnamed,
    LoadHistory,
    MarketChange,
    PriceMarked,
    QuoteArrived,
    ReadStreams,
    SubscribeInstruments,
    WatchPrices,
)
from actors.messages.subscription import Republish, Unsubscribe, Unsubscribed
from mats.instruments import parse_instrument
from mats.model import (
    Bar,
    Instrument,
    InstrumentId,
    MarketStream,
    Nanos,
    StrategyName,
    StreamMeaning,
    StreamNotice,
    iso,
)
from mats.runtime import Actor, Down, MailboxSpec, Ref
from mats.sessions import Hours
from mats.streams import ALWAYS_OPEN, QuoteBars, StreamKey, StreamPhase, StreamTable, StreamView, TradingHours, view_of

BrokerAnswer = InstrumentResolved | Unresolved | HistoryLoaded | HistoryProgressed


class InstrumentSubscription:
    """Followers in the order in which they came; `priced` (monotonic seconds) is when it last had a price.

    `instrument` is None until the broker has resolved the contract. `open_since` (monotonic seconds): data are expected
    since then; None while its market is closed. `ask` passes a request on to the broker, False while there is no
    connection; answers go to `asker`.
    """

    def __init__(
        self, name: InstrumentId, ask: Callable[[MarketRequest], bool], asker: Ref[BrokerAnswer], now: float
    ) -> None:
        self.name, self._ask, self._asker = name, ask, asker
        self._loads = HistoryLoads(name, self._request_history)
        self.instrument: Instrument | None = None
        self.bars: dict[Ref[MarketChange], None] = {}
        self.quotes: dict[Ref[MarketChange], None] = {}
        self.priced = now
        self.open_since: float | None = now

    def resolved(self, instrument: Instrument) -> None:
        """The contract is known: send the loads that waited for it."""
        self.instrument = instrument
        self._loads.request_again()

    def unresolved(self, reason: str) -> None:
        """There is no contract now: whoever waits for history gets none."""
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

    def absorb(self, other: "InstrumentSubscription") -> None:
        """The other one was of a second name for this instrument."""
        self.bars |= other.bars
        self.quotes |= other.quotes
        for load in other.pending_loads():
            self.load(load)

    def strategies(self, stream: MarketStream) -> tuple[StrategyName, ...]:
        """Who follows a stream of it."""
        followers = self.quotes if stream is MarketStream.QUOTES else self.bars
        return tuple(follower.name.rpartition("/")[2] for follower in followers)

    def look(self, hours: TradingHours, time: Nanos, now: float) -> None:
        """Whether its market is open, and since when."""
        if self.instrument is None or hours.is_open(self.instrument, time):
            self.open_since = now if self.open_since is None else self.open_since
        else:
            self.open_since = None

    # History

    def pending_loads(self) -> list[LoadHistory]:
        """The loads that wait for the contract."""
        return self._loads.waiting()

    def load(self, request: LoadHistory) -> None:
        """Request bars from the broker, after the loads that wait already."""
        self._loads.add(request)
        if self.instrument is not None:
            self._loads.request()

    def loaded(self, answer: HistoryLoaded | HistoryProgressed) -> None:
        """Pass an answer on to whoever waits for it."""
        if isinstance(answer, HistoryLoaded):
            self._loads.loaded(answer)
        else:
            self._loads.progressed(answer)

    def _request_history(self, seconds: int, hours: Hours, count: int) -> None:
        if self.instrument is not None:
            request = RequestHistory(
                instrument=self.instrument, bar_seconds=seconds, hours=hours, count=count, reply_to=self._asker
            )
            self._ask(request)


CHECK_SECONDS = 1.0
FLUSH_SECONDS = 60.0


class CheckStreams(msgspec.Struct, frozen=True):
    pass


class FlushBars(msgspec.Struct, frozen=True):
    """Send the bars of the last minute to the store."""


OwnMessage = CheckStreams | FlushBars | Down


class MarketData(Actor[MarketDataMessage | OwnMessage]):
    """One subscription for each instrument over the data connection, shared by all its followers.

    A subscription outlives its followers: what is held needs a price. Each of its streams is a state of `StreamTable`,
    which says when to ask for it again: until data flow, however often that fails. Requests that a lost connection did
    not answer are repeated on the next one.
    """

    mailbox = MailboxSpec(capacity=50_000)

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        """`stale_after` in seconds: with an older price no new risk is taken. `delayed`: delayed data may be used.

        The bars of instruments that are followed go to the `store`, if there is one.
        """

        stale_after: float
        connection: Ref[ConnectionMessage]
        risk: Ref[RiskManagerMessage]
        portfolio: Ref[PortfolioManagerMessage]
        hours: TradingHours = ALWAYS_OPEN
        delayed: bool = False
        store: Ref[PersistenceWriterMessage] | None = None

    def __init__(self, args: Args) -> None:
        self._store = args.store
        self._connection, self._risk, self._portfolio = args.connection, args.risk, args.portfolio
        self._stale_after, self._hours, self._delayed = args.stale_after, args.hours, args.delayed

    def on_start(self) -> None:
        self._feeds: dict[InstrumentId, InstrumentSubscription] = {}
        self._aliases: dict[InstrumentId, InstrumentId] = {}
        self._streams = StreamTable(self.random.random, delayed=self._delayed)
        self._quote_bars = QuoteBars()
        self._up = False
        self._connection.tell(RequestSnapshot())
        self._portfolio.tell(Republish())
        ask_to_resubscribe(self)
        self.every(CHECK_SECONDS, CheckStreams())
        self._collected = BarCollector(self._store)
        self.every(FLUSH_SECONDS, FlushBars())

    def on_receive(self, message: MarketDataMessage | OwnMessage) -> object:
        match message:
            case MarketEvents():
                self._publish(message)
            case SubscribeInstruments():
                self._follow(message)
            case WatchPrices(instruments=names):
                for name in sorted(names):
                    self._resolve(self._feed(name))
            case LoadHistory(instrument=name):
                self._feed(name).load(message)
                self._resolve_now(self._feed(name))
            case InstrumentResolved(asked=asked, instrument=instrument):
                self._resolved(asked, instrument)
            case Unresolved(asked=asked, reason=reason):
                self._unresolved(asked, reason)
            case HistoryLoaded(instrument=name) | HistoryProgressed(instrument=name):
                self._feed(name).loaded(message)
            case StreamNotice():
                self._notice(message)
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
            case Down(reason=reason):
                self._disconnect()
                if reason != "normal":
                    self._log_streams()
            case ReadStreams():
                return message.answer(self._views())
            case CheckStreams():
                self._check()
            case FlushBars():
                self._collected.flush()
            case _:
                assert_never(message)
        return None

    # The connection, and what is asked of it

    def on_stop(self) -> None:
        self._collected.flush()

    def _connect(self, ready: Ready) -> None:
        if self._up:
            return
        self._up = True
        self.watch(ready.ref, tag=ready.connection)
        self._streams.connected()
        for feed in self._feeds.values():
            feed.instrument = None
            self._resolve_now(feed)

    def _disconnect(self) -> None:
        self._up = False
        self._streams.disconnected("the connection to the gateway is lost", self.clock.monotonic())

    def _ask(self, request: MarketRequest) -> bool:
        if self._up:
            self._connection.tell(request)
        return self._up

    def _feed(self, name: InstrumentId) -> InstrumentSubscription:
        """What there is of an instrument, by any of its names."""
        name = self._aliases.get(name, name)
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = InstrumentSubscription(name, self._ask, self.ref, self.clock.monotonic())
        return feed

    def _resolve(self, feed: InstrumentSubscription) -> None:
        """Request the contract, unless it is known, was requested, or is to be requested again at its time."""
        if (feed.name, MarketStream.CONTRACT) not in self._streams:
            self._resolve_now(feed)

    def _resolve_now(self, feed: InstrumentSubscription) -> None:
        """Request the contract, unless it is known or its request is under way."""
        key = (feed.name, MarketStream.CONTRACT)
        if feed.instrument is None and not self._streams.pending(key):
            self._request(key)

    def _request(self, key: StreamKey) -> None:
        """Ask for a contract, or for a stream of a known one."""
        name, stream = key
        instrument = self._feeds[name].instrument
        request: MarketRequest | None = None
        if stream is MarketStream.CONTRACT:
            request = ResolveInstrument(parse_instrument(name), self.ref)
        elif instrument is not None:
            request = ResubscribeMarket(instrument, stream)
        if request is not None and self._ask(request):
            self._streams.asked(key, self.clock.monotonic())

    def _subscribe(self, feed: InstrumentSubscription) -> None:
        """Have the broker stream bars, and quotes where a follower wants them."""
        quotes = bool(feed.quotes) or feed.name in self._quote_bars
        wanted = [MarketStream.BARS, MarketStream.QUOTES][: 1 + quotes]
        if feed.instrument is not None and self._ask(SubscribeMarket(feed.instrument, quotes=quotes)):
            for stream in wanted:
                if not self._streams.requested((feed.name, stream)):
                    self._streams.asked((feed.name, stream), self.clock.monotonic())

    def _resolved(self, name: InstrumentId, instrument: Instrument) -> None:
        """What was asked for by a name that is not the instrument's joins what there is of the instrument."""
        self._streams.resolved(name, self.clock.monotonic())
        self._announce(instrument)
        asked, feed = self._feeds.get(name), self._feed(instrument.id)
        if asked is not None and asked is not feed:
            self._aliases[name] = instrument.id
            feed.absorb(self._feeds.pop(name))
        feed.resolved(instrument)
        for follower in feed.bars:
            follower.tell(InstrumentNamed(name, instrument.id, instrument))
        self._subscribe(feed)

    def _unresolved(self, name: InstrumentId, reason: str) -> None:
        feed = self._feed(name)
        feed.unresolved(reason)
        for follower in feed.bars:
            follower.tell(InstrumentUnnamed(name, reason))
        self._notice(StreamNotice(StreamMeaning.UNRESOLVED, reason, name, MarketStream.CONTRACT))

    def _announce(self, instrument: Instrument) -> None:
        self._risk.tell(InstrumentCompleted(instrument))
        self._portfolio.tell(InstrumentCompleted(instrument))

    # Followers

    def _follow(self, message: SubscribeInstruments) -> None:
        self.watch(message.follower, tag=message.follower)
        for name in message.instruments:
            feed = self._feed(name)
            self._resolve_now(feed)
            if feed.instrument is not None:
                message.follower.tell(InstrumentNamed(name, feed.name, feed.instrument))
            if feed.follow(message):
                self._subscribe(feed)

    def _forget(self, follower: Ref[Never]) -> None:
        for feed in self._feeds.values():
            feed.forget(follower)

    def _publish(self, events: MarketEvents) -> None:
        """Marks first, so that risk knows the price by the time a strategy acts on it."""
        now = self.clock.monotonic()
        for bar in events.bars:
            if not self._streams.received_bar(bar, now):
                continue
            self._quote_bars.end(bar.instrument)
            if self._pass_on(bar, now):
                self._collected.add(bar)
        for quote in events.quotes:
            if not self._streams.received_quote(quote.instrument, now):
                continue
            self._mark(quote.instrument, quote.mid, now)
            self._quote_bars.add(quote)
            for follower in self._feeds[quote.instrument].quotes:
                follower.offer(QuoteArrived(quote))

    def _pass_on(self, bar: Bar, now: float) -> bool:
        """Mark its price, and hand it to whoever follows the instrument; whether somebody does."""
        self._mark(bar.instrument, bar.close, now)
        arrived, followers = BarArrived(bar), self._feeds[bar.instrument].bars
        for follower in followers:
            follower.offer(arrived)
        return bool(followers)

    def _make_bars(self, now: float) -> None:
        """Of delayed quotes. They are not stored: their times are not those of the market."""
        for bar in self._quote_bars.over(self.clock.now()):
            self._streams.substituted_bar(bar, now)
            self._pass_on(bar, now)

    def _mark(self, name: InstrumentId, price: float, now: float) -> None:
        self._feed(name).priced = now
        if price > 0:
            self._risk.tell(PriceMarked(name, price))
            self._portfolio.tell(PriceMarked(name, price))

    # The states of the streams

    def _notice(self, notice: StreamNotice) -> None:
        self._streams.noticed(notice, self.clock.monotonic())
        no_bars = notice.meaning is StreamMeaning.NOT_SUBSCRIBED and notice.stream is MarketStream.BARS
        if self._delayed and no_bars and notice.instrument not in self._quote_bars:
            self._quote_bars.begin(notice.instrument)
            self._subscribe(self._feed(notice.instrument))
        self._log_streams()

    def _check(self) -> None:
        """Ask for what is due, and tell risk on what it cannot rely."""
        now, time = self.clock.monotonic(), self.clock.now()
        self._make_bars(now)
        for feed in self._feeds.values():
            feed.look(self._hours, time, now)
        for key in self._streams.look(now, {name: feed.open_since for name, feed in self._feeds.items()}):
            self._request(key)
        self._log_streams()
        self._risk.tell(DataStale(self._unreliable(now)))

    def _unreliable(self, now: float) -> dict[InstrumentId, str]:
        found = {
            feed.name: f"there is no price of {feed.name} for {self._stale_after:g} s"
            for feed in self._feeds.values()
            if feed.open_since is not None and now - max(feed.priced, feed.open_since) > self._stale_after
        }
        return found | self._streams.faults()

    def _log_streams(self) -> None:
        """What has changed: streams with the same lot in one line."""
        changed: dict[tuple[str, str], list[str]] = {}
        for key, state in self._streams.transitions():
            changed.setdefault((str(state.phase), state.reason), []).append(f"{key[0]} {key[1]}")
            if key[1] is MarketStream.BARS:
                self._interrupt(key[0], state.phase)
        for (phase, reason), streams in changed.items():
            self.log.warning("market data changed", state=phase, reason=reason, streams=streams)
        for hole in self._streams.holes():
            self.log.warning("bars are missing", instrument=hole.instrument, start=iso(hole.start), end=iso(hole.end))

    def _interrupt(self, name: InstrumentId, phase: StreamPhase) -> None:
        """Followers load what they miss when bars go on, or when it is clear that none are to come."""
        if not phase.troubled and phase is not StreamPhase.CLOSED:
            return
        change = BarsInterrupted(name) if phase.troubled else BarsOver(name, self.clock.now())
        for follower in self._feeds[name].bars:
            follower.offer(change)

    def _views(self) -> tuple[StreamView, ...]:
        """Every stream by instrument; a contract only while it is not known."""
        now = self.clock.monotonic()
        return tuple(
            view_of(key, self._streams[key], now, self._feeds[key[0]].strategies(key[1]))
            for key in sorted(self._streams)
        )
