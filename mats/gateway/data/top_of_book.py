"""Top-of-book data: the ticks of a subscription and of a snapshot, live or fifteen minutes old."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data.contracts import ContractService
from mats.gateway.data.subscriptions import Subscriptions
from mats.gateway.protocol import ClientSession, Fields, Message, encode_text, responses
from mats.gateway.protocol import data_messages as wire
from mats.model import DAY, MINUTE, SECOND, Clock, Instrument, InstrumentId, Nanos, Quote, SecType
from mats.venue.markets import BarHistory, Listing, SessionPhase, Universe, greeks
from mats.venue.matching import Exchange

DELAY: Nanos = 15 * MINUTE
DELAYED_STEP: Nanos = 5 * SECOND
"""The interval at which delayed data changes."""

DELAYED_TYPES = (wire.DELAYED, wire.DELAYED_FROZEN)

MARK_TICKS = frozenset({"221", "232"})
TRADE_TICKS = frozenset({"233", "375"})
SHORTABLE_TICK = "236"
NO_QUOTES = "mdoff"
"""IB's keyword for generic ticks without quotes."""
GENERIC_TICKS = frozenset(
    "100 101 104 105 106 165 221 225 232 233 236 258 293 294 295 318 375 411 456 460 499 506 576 577 586 587 588 595"
    " 614 619 623".split()
)
"""The generic ticks that may be requested; only 221, 232, 233, 236 and 375 send data. Source: IB's documentation."""


class QuoteSubscription(msgspec.Struct, frozen=True):
    """Options of a subscription: generic ticks, and live or delayed data."""

    generic: frozenset[str]
    delayed: bool


class TopOfBook:
    """Top-of-book subscriptions, and the market data type that each client has chosen."""

    def __init__(
        self,
        clients: ClientRegistry,
        clock: Clock,
        universe: Universe,
        contracts: ContractService,
        exchange: Exchange,
        history: BarHistory,
        may_have_live: Callable[[InstrumentId], bool],
    ) -> None:
        self._clients, self._clock, self._universe, self._contracts = clients, clock, universe, contracts
        self._exchange, self._history, self._may_have_live = exchange, history, may_have_live
        self.subscriptions: Subscriptions[QuoteSubscription] = Subscriptions()
        self._types: dict[int, int] = {}
        self._delayed_quotes: dict[InstrumentId, Quote] = {}
        self._volume_sent: dict[InstrumentId, float] = {}

    def remove_client(self, client_id: int) -> None:
        """Drops the subscriptions and the data type of a client that has disconnected."""
        self.subscriptions.remove_where(lambda key: key[0] == client_id)
        self._types.pop(client_id, None)

    def choose_type(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        kind = fields.integer()
        if wire.LIVE <= kind <= wire.DELAYED_FROZEN:
            self._types[session.client_id] = kind
        else:
            text = f"Error validating request.-'cd' : cause - Market data type {kind} is unknown"
            session.send(responses.error(-1, 321, text))

    def request(self, session: ClientSession, fields: Fields, has_room: Callable[[InstrumentId], bool]) -> bool:
        """A subscription or a snapshot; `has_room` says whether one more instrument may be subscribed to.

        Returns whether there is a new subscription.
        """
        fields.skip(1)
        request_id = fields.integer()
        if (session.client_id, request_id) in self.subscriptions:
            session.send(
                responses.error(request_id, 322, "Error processing request.-'bW' : cause - Duplicate ticker ID")
            )
            return False
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return False
        if fields.flag():
            fields.skip(3)
        generic = frozenset(part.partition(":")[0].strip() for part in fields.text().split(",") if part.strip())
        snapshot = fields.flag()
        listing = self._universe.listing(instrument.id)
        error = self._check(session.client_id, listing, generic, snapshot=snapshot)
        if not error and not snapshot and not has_room(instrument.id):
            error = (101, "Max number of tickers has been reached")
        if error:
            session.send(responses.error(request_id, *error))
            return False
        options = QuoteSubscription(generic, delayed=not self._may_have_live(instrument.id))
        self._open(session, request_id, instrument, options)
        if snapshot:
            session.send(wire.snapshot_end(request_id))
            return False
        self.subscriptions.add((session.client_id, request_id), instrument.id, options)
        return True

    def _check(
        self, client_id: int, listing: Listing, generic: frozenset[str], *, snapshot: bool
    ) -> tuple[int, str] | None:
        unknown = sorted(generic - GENERIC_TICKS - {NO_QUOTES})
        if unknown:
            legal = ",".join(sorted(GENERIC_TICKS, key=int))
            text = f"Incorrect generic tick list of {','.join(unknown)}.  Legal ones are: {legal}"
            return 321, f"Error validating request.-'bW' : cause - {text}"
        if generic and snapshot:
            text = "Snapshot market data subscription is not applicable to generic ticks"
            return 321, f"Error validating request.-'bW' : cause - {text}"
        if (
            not self._may_have_live(listing.instrument.id)
            and self._types.get(client_id, wire.LIVE) not in DELAYED_TYPES
        ):
            text = "Requested market data is not subscribed. Delayed market data is available."
            return 354, f"{text}{listing.instrument.symbol}/TOP/ALL"
        return None

    def _open(
        self, session: ClientSession, request_id: int, instrument: Instrument, options: QuoteSubscription
    ) -> None:
        """Sends the tick parameters, the type of data, the current quote and the last close."""
        if options.delayed:
            text = "Requested market data is not subscribed. Displaying delayed market data."
            session.send(responses.error(request_id, 10167, text))
        session.send(wire.tick_parameters(request_id, instrument))
        session.send(wire.market_data_type(request_id, self._type(session.client_id, instrument, options)))
        quote = self._delayed_quote(instrument.id) if options.delayed else self._exchange.quote(instrument.id)
        types = wire.DELAYED_TICKS if options.delayed else wire.LIVE_TICKS
        if quote:
            self._send(session.client_id, request_id, wire.tick_changes(quote, None, types))
            session.send(*self._generic(request_id, options.generic, quote), *self._model(request_id, quote))
        close = self._last_close(instrument)
        if close:
            session.send(wire.tick_price(request_id, types.close, close))
        if SHORTABLE_TICK in options.generic and instrument.sec_type is SecType.STOCK:
            session.send(wire.tick_generic(request_id, wire.SHORTABLE, 3.0))
            session.send(wire.tick_size(request_id, wire.SHORTABLE_SHARES, 10_000_000))

    def _type(self, client_id: int, instrument: Instrument, options: QuoteSubscription) -> int:
        """The market data type sent: frozen if the client requested that and the market is closed."""
        now = self._clock.now()
        closed = self._exchange.session(instrument.id, now).phase(now) is SessionPhase.CLOSED
        frozen = closed and self._types.get(client_id) in (wire.FROZEN, wire.DELAYED_FROZEN)
        if options.delayed:
            return wire.DELAYED_FROZEN if frozen else wire.DELAYED
        return wire.FROZEN if frozen else wire.LIVE

    def _last_close(self, instrument: Instrument) -> float:
        today = self._clock.now() // DAY * DAY
        bars = self._history.bars(instrument.id, today - 7 * DAY, today, 86400, "TRADES")
        return bars[-1].close if bars else 0.0

    # ticks

    def on_quote(self, quote: Quote, before: Quote | None) -> None:
        """Sends what changed since the previous quote."""
        subscriptions = self.subscriptions.on(quote.instrument)
        if not subscriptions:
            return
        changes = wire.tick_changes(quote, before)
        for (client_id, request_id), options in subscriptions.items():
            if options.delayed:
                self._send_delayed(client_id, request_id, quote.instrument)
                continue
            self._send(client_id, request_id, changes)
            if options.generic:
                self._clients.send(client_id, *self._generic(request_id, options.generic, quote))
            if changes and self._universe.listing(quote.instrument).is_option:
                self._clients.send(client_id, *self._model(request_id, quote))

    def _send(self, client_id: int, request_id: int, changes: list[tuple[str, str]]) -> None:
        session = self._clients.session(client_id)
        if session and changes:
            session.send_raw(b"".join(encode_text(f"{head}{request_id}{tail}") for head, tail in changes))
            self._clients.schedule_flush()

    def _send_delayed(self, client_id: int, request_id: int, name: InstrumentId) -> None:
        before = self._delayed_quotes.get(name)
        quote = self._delayed_quote(name)
        if quote and quote is not before:
            self._send(client_id, request_id, wire.tick_changes(quote, before, wire.DELAYED_TICKS))

    def _delayed_quote(self, name: InstrumentId) -> Quote | None:
        """The quote of fifteen minutes ago, from the bars that ended then."""
        end = (self._clock.now() - DELAY) // DELAYED_STEP * DELAYED_STEP
        known = self._delayed_quotes.get(name)
        if known and known.time == end:
            return known
        bars = [self._history.bars(name, end - DELAYED_STEP, end, 5, kind) for kind in ("BID", "ASK", "TRADES")]
        if not all(bars):
            return known
        bid, ask, last = (found[-1].close for found in bars)
        lot = float(self._universe.listing(name).lot)
        self._delayed_quotes[name] = Quote(name, end, bid, ask, lot, lot, last)
        return self._delayed_quotes[name]

    def _generic(self, request_id: int, wanted: frozenset[str], quote: Quote) -> list[Message]:
        messages: list[Message] = []
        if wanted & MARK_TICKS:
            messages.append(wire.tick_price(request_id, wire.MARK_PRICE, float(self._exchange.mark(quote.instrument))))
        if wanted & TRADE_TICKS and quote.last:
            size = wire.last_size(quote)
            total = self._volume_sent[quote.instrument] = self._volume_sent.get(quote.instrument, 0.0) + size
            trade = (quote.last, size, quote.time // 1_000_000, total, quote.last, "true")
            messages.append(wire.tick_string(request_id, wire.RT_VOLUME, ";".join(map(str, trade))))
        return messages

    def _model(self, request_id: int, quote: Quote) -> list[Message]:
        """The model price and greeks of an option; nothing for other instruments."""
        listing = self._universe.listing(quote.instrument)
        underlying = self._exchange.mark(listing.underlying) if listing.is_option else Decimal(0)
        if not underlying:
            return []
        model = greeks(listing.instrument, float(underlying), quote.time, listing.volatility)
        return [wire.option_computation(request_id, wire.MODEL_OPTION, listing.volatility, model, float(underlying))]
