"""One socket, one client id: the broker connection, with plain data in and plain data out."""

# ruff: noqa: ASYNC109 - the caller chooses the timeout, the callee words the error

import contextlib
from collections.abc import Callable, Sequence
from socket import SHUT_RDWR
from typing import Any

from ib_async.client import Client

from mats.ib.callbacks import Callbacks
from mats.ib.conversion import (
    KNOWN_ZONES,
    HistoricalBars,
    TimeZones,
    UnknownTime,
    instant,
    source_of,
    to_contract,
    to_order,
)
from mats.ib.decoding import PacketDecoder
from mats.ib.errors import (
    ConnectionFailed,
    ConnectionLostError,
    GatewayRefused,
    IncompleteSnapshot,
    OrderIdsExhausted,
    TimeZoneUnknown,
)
from mats.ib.events import SessionEvent, SessionLost, Unsent
from mats.ib.handshake import GatewayTime, Handshake, Opened
from mats.ib.pacing import PacedSender, Pacer, SendLane
from mats.ib.pending_requests import FIRST_REQUEST_ID, PendingRequests, PendingSnapshot
from mats.ib.requests import BrokerRequests
from mats.ib.snapshot import ExecutionsEnd, SnapshotRequests
from mats.ib.streams import BAR_SECONDS, QuoteAggregator, Stream, StreamKind, Streams
from mats.ib.undecoded import undecoded
from mats.instruments import InstrumentRegistry
from mats.model import (
    AccountId,
    AccountValue,
    BrokerPosition,
    BrokerSnapshot,
    Instrument,
    InstrumentId,
    IntentId,
    MarketStream,
    Nanos,
    OrderIntent,
    order_ref,
)

DELAYED = 3
"""IB's number of the type of market data."""


class IbSession:
    """A connection to a gateway, used once, by one asyncio loop; to reconnect, make another one.

    `sink` gets every event in the order of the wire; it must return soon and not raise. `clock` gives UTC nanoseconds,
    `monotonic` seconds for pacing. `zones` reads the time zones of the gateway. Messages
    whose numbers are in `skipped` are only decoded while open orders are requested. Of a packet with
    fills, what is not in `at_once` (None: all) is decoded a few milliseconds later. `instruments` names the contracts;
    where a name cannot be recorded the session ends, and what is about it comes again in the next one.
    """

    def __init__(
        self,
        client_id: int,
        sink: Callable[[SessionEvent], None],
        *,
        clock: Callable[[], Nanos],
        monotonic: Callable[[], float],
        zones: TimeZones = KNOWN_ZONES,
        skipped: frozenset[int] = frozenset(),
        at_once: frozenset[int] | None = None,
        pacer: Pacer | None = None,
        instruments: InstrumentRegistry | None = None,
    ) -> None:
        self.client_id = client_id
        self._sink, self._skipped = sink, skipped
        self._pending, self._streams, self._quotes = PendingRequests(), Streams(), QuoteAggregator(clock)
        self._callbacks = Callbacks(sink, self._pending, self._streams, self._quotes, instruments)
        self._sender = PacedSender(Pacer(monotonic) if pacer is None else pacer)
        self._decoder = PacketDecoder(self._callbacks, self._callbacks.decode_failed, zones, self._wanted, at_once)
        self._gateway_time = GatewayTime()
        self._zones = zones
        self._client: Any = self._make_client()
        self._requests = BrokerRequests(self._client, self._sender, self._pending, self._callbacks, zones, clock)
        self._handshake: Handshake | None = None
        self._opened = self._ended = False
        self._last_api_error = ""

    def _make_client(self) -> Any:
        client: Any = Client(self._callbacks)  # type: ignore[no-untyped-call]
        client.MaxRequests = 0  # paced by `PacedSender`, where what is urgent can overtake
        client.decoder = self._decoder
        client.apiError += self._on_api_error
        self._callbacks.on_unrecorded = self._close
        client.conn.hasData += self._gateway_time
        client.conn.hasData.error_event += self._on_reading_failed
        self._callbacks.on_closed, self._callbacks.on_packet = self._on_closed, self._decoder.end_packet
        return client

    def _wanted(self, number: int) -> bool:
        return number not in self._skipped or PendingSnapshot.OPEN_ORDERS in self._pending

    # --- the connection

    async def connect(self, host: str, port: int, timeout: float) -> Opened:
        """Open the session within `timeout` seconds, or raise a `ConnectionFailed`."""
        if self._handshake:
            raise ConnectionFailed(f"session of client id {self.client_id} was used already; make another one")
        self._handshake = Handshake(self._client, host, port, self.client_id)
        self._callbacks.notices.on_client_id_in_use = self._handshake.client_id_in_use
        await self._handshake.run(timeout)
        if self._ended:
            raise GatewayRefused(
                f"gateway {host}:{port} closed the connection at once ({self._last_api_error}); see its log"
            )
        self._client.conn.hasData -= self._gateway_time
        self._check_time_zone(f"gateway {host}:{port}")
        first = self._callbacks.next_order_id
        if first >= FIRST_REQUEST_ID:
            self._client.disconnect()
            raise OrderIdsExhausted(
                f"gateway {host}:{port} (client id {self.client_id}) continues with order id {first}, but ids from"
                f" {FIRST_REQUEST_ID} on belong to requests; choose Reset API order ID sequence in its API settings"
            )
        self._opened = True
        self._sender.open()
        return Opened(
            accounts=tuple(self._client.getAccounts()),
            next_order_id=first,
            server_version=self._client.serverVersion(),
        )

    def _check_time_zone(self, where: str) -> None:
        """Before the first order: an execution whose time cannot be read could not be booked."""
        try:
            instant(self._gateway_time.text, self._zones)
        except UnknownTime as error:
            if error.zone_unknown:
                self._client.disconnect()
                raise TimeZoneUnknown(f"{where}: its {error}") from error

    def close(self) -> None:
        """Close the socket. Idempotent; pending requests fail with `ConnectionLostError`."""
        self._close("closed by its owner")

    def _close(self, reason: str) -> None:
        self._end(reason)
        if self._handshake and not self._opened:
            self._handshake.connection_closed(reason)
        self._client.disconnect()

    def cut(self) -> None:
        """From any thread, even while the loop of this session hangs: end the socket, so that the client id is free."""
        transport = self._client.conn.transport
        socket = transport.get_extra_info("socket") if transport is not None else None
        if socket is not None:
            with contextlib.suppress(OSError):  # it is closed already
                socket.shutdown(SHUT_RDWR)

    async def snapshot(self, silence: float, policy: ExecutionsEnd = ExecutionsEnd.REQUIRED) -> BrokerSnapshot:
        """All that the broker knows, however long it takes, as long as something comes every `silence` seconds.

        Otherwise `IncompleteSnapshot`, which closes the session, because the rest may still come; executions that came
        before were reported as events. `ReadOnlyApi` where the gateway tells of no orders.

        From the first snapshot on, changes of positions are reported to client 0 as they happen.
        """
        snapshot = SnapshotRequests(self._client, self.client_id, self._requests, self._pending, self._callbacks)
        try:
            return await snapshot.run(silence, policy)
        except IncompleteSnapshot as error:
            self._close(str(error))
            raise

    @property
    def connected(self) -> bool:
        """The socket is open; `server_time` shows whether the gateway is alive."""
        return self._sender.is_open

    @property
    def degraded(self) -> bool:
        """The gateway has no link to IB's servers."""
        return self._callbacks.notices.degraded

    @property
    def unknown_messages(self) -> int:
        """Messages whose number is not known; they are left out."""
        return self._decoder.unknown

    @property
    def late_answers(self) -> int:
        """Messages for requests whose caller has left."""
        return self._pending.late

    @property
    def open_requests(self) -> int:
        """Requests without an answer so far, and open streams."""
        return len(self._pending) + len(self._streams)

    # --- orders

    def place(self, order_id: int, intent: OrderIntent) -> None:
        """Send a new order. That it was sent proves nothing; only `SessionLost.unsent` proves that it was not.

        `QueueFull` where too many orders wait for their turn: it was not sent. Its children go out with it under the
        ids that follow; the gateway passes on all of them when it has the last one.
        """
        first, *children = intent.family
        orders = [(order_id, first, 0), *((order_id + n, child, order_id) for n, child in enumerate(children, 1))]
        self._send_orders("place", orders)

    def modify(self, order_id: int, intent: OrderIntent, parent_id: int = 0) -> None:
        """Send the order again with other quantity or prices; until the broker confirms, the old one holds."""
        self._send_orders("modify", [(order_id, intent, parent_id)])

    def cancel(self, order_id: int) -> IntentId:
        """Ask to cancel, before all new orders that wait; the order may still fill.

        An order that waits itself is withdrawn in place of that, and its intent is returned: it was never sent. A child
        of a bracket that waits is cancelled after that has left.
        """
        for message in self._sender.withdraw(order_id):
            if message.action == "place":
                return message.intent_id
        lane = SendLane.ORDER if self._sender.waits_as_child(order_id) else SendLane.CANCEL
        self._sender.send(lane, lambda: self._client.cancelOrder(order_id), Unsent(order_id, "cancel"))
        return ""

    @property
    def unsent_orders(self) -> frozenset[IntentId]:
        """The intents of new orders that wait for their turn."""
        return self._sender.unsent_orders()

    def _send_orders(self, action: str, orders: Sequence[tuple[int, OrderIntent, int]]) -> None:
        """Order ids, intents and the order ids of their parents; only the last one is to be transmitted at once."""
        last, _, _ = orders[-1]
        made = []
        for order_id, intent, parent_id in orders:
            if not 0 < order_id < FIRST_REQUEST_ID:
                raise ValueError(f"order id {order_id} must be from 1 to {FIRST_REQUEST_ID - 1}")
            reference = order_ref(intent.strategy, intent.intent_id)
            order = to_order(intent.side, intent.quantity, intent.ticket, reference, intent.account)
            order.parentId, order.transmit = parent_id, order_id == last
            made.append((order_id, to_contract(intent.instrument), order))

        def send() -> None:
            for order_id, contract, order in made:
                self._client.placeOrder(order_id, contract, order)

        children = tuple(intent.intent_id for _, intent, _ in orders[1:])
        unsent = Unsent(orders[0][0], action, orders[0][1].intent_id, children)
        self._sender.send(SendLane.ORDER, send, unsent, messages=len(made))

    # --- requests

    async def resolve(self, instrument: Instrument, timeout: float = 10.0) -> Instrument:
        """The one contract that a description means, with its contract id, steps and multiplier.

        `UnknownInstrument`, `AmbiguousInstrument`; `UntrustedAnswer` while the link is degraded; `RequestTimedOut`.
        """
        return await self._requests.resolve(instrument, timeout)

    async def complete(self, con_id: int, name: InstrumentId, timeout: float = 10.0) -> Instrument:
        """The terms of a contract that reports name; errors as of `resolve`."""
        return await self._requests.complete(con_id, name, timeout)

    async def history(
        self,
        instrument: Instrument,
        bar_seconds: int,
        duration_seconds: int,
        end: Nanos | None = None,
        what_to_show: str = "",
        *,
        regular_hours: bool = False,
        timeout: float = 60.0,
        on_sent: Callable[[], None] = lambda: None,
    ) -> HistoricalBars:
        """Finished bars of the `duration_seconds` before `end` (None: now).

        `what_to_show` is IB's name of the source of prices, by default TRADES, for pairs MIDPOINT. `on_sent` is called
        when the request leaves, which pacing may delay.
        """
        return await self._requests.history(
            instrument, bar_seconds, duration_seconds, end, what_to_show, regular_hours, timeout, on_sent
        )

    async def head_timestamp(
        self,
        instrument: Instrument,
        what_to_show: str = "",
        *,
        regular_hours: bool = False,
        timeout: float = 60.0,
        on_sent: Callable[[], None] = lambda: None,
    ) -> Nanos:
        """The start of the earliest bar of an instrument; `NoHistory` where there is none."""
        return await self._requests.head_timestamp(instrument, what_to_show, regular_hours, timeout, on_sent)

    async def account_values(self, account: AccountId, timeout: float = 10.0) -> tuple[AccountValue, ...]:
        """Every value of an account, once."""
        return await self._requests.account_values(account, timeout)

    async def positions(self, timeout: float = 10.0) -> tuple[BrokerPosition, ...]:
        """The broker's net positions now; their changes are reported as `PositionReported` from then on."""
        return await self._requests.positions(timeout)

    async def server_time(self, timeout: float = 5.0) -> Nanos | None:
        """The gateway's clock: the heartbeat. Without an answer the gateway is dead, even if the socket is open.

        None where the answer came and cannot be read: the gateway lives.
        """
        return await self._requests.server_time(timeout)

    # --- streams

    def allow_delayed_data(self) -> None:
        """From now on delayed quotes come where the account has no live ones."""
        self._sender.send(SendLane.DATA, lambda: self._client.reqMarketDataType(DELAYED))

    def subscribe_bars(self, instrument: Instrument) -> None:
        """Five-second bars as `BarReported`, until unsubscribed. Idempotent."""
        self._subscribe(Stream(StreamKind.BARS, instrument.id, instrument))

    def subscribe_quotes(self, instrument: Instrument) -> None:
        """The top of book as `QuoteReported`, until unsubscribed. Idempotent."""
        self._subscribe(Stream(StreamKind.QUOTES, instrument.id, instrument))

    def subscribe_account(self, account: AccountId) -> None:
        """Every value of the account as `AccountValueReported`, and its changes (IB sends them every three minutes)."""
        self._subscribe(Stream(StreamKind.ACCOUNT, account))

    def unsubscribe_bars(self, instrument: Instrument) -> None:
        self._unsubscribe(StreamKind.BARS, instrument.id)

    def unsubscribe_quotes(self, instrument: Instrument) -> None:
        self._unsubscribe(StreamKind.QUOTES, instrument.id)

    def unsubscribe_account(self, account: AccountId) -> None:
        self._unsubscribe(StreamKind.ACCOUNT, account)

    def resubscribe(self, instrument: Instrument, stream: MarketStream) -> None:
        """Request bars or quotes anew, whatever has become of the request before."""
        kind = StreamKind(stream.name)
        self._unsubscribe(kind, instrument.id)
        self._subscribe(Stream(kind, instrument.id, instrument))

    def resubscribe_all(self) -> None:
        """Request every stream again, as IB's 1101 demands."""
        for stream in self._streams:
            self._unsubscribe(stream.kind, stream.subject)
            self._subscribe(stream)

    def _subscribe(self, stream: Stream) -> None:
        request_id = self._pending.new_id()
        lane = SendLane.LINK if stream.kind is StreamKind.ACCOUNT else SendLane.DATA
        if self._streams.add(request_id, stream):
            self._sender.send(lane, lambda: self._send_request(request_id, stream))

    def _unsubscribe(self, kind: StreamKind, subject: str) -> None:
        request_id = self._streams.remove(kind, subject)
        if request_id is None:
            return
        if kind is StreamKind.QUOTES:
            self._quotes.remove(subject)
        cancel = {
            StreamKind.BARS: self._client.cancelRealTimeBars,
            StreamKind.QUOTES: self._client.cancelMktData,
            StreamKind.ACCOUNT: self._client.cancelAccountUpdatesMulti,
        }[kind]
        self._sender.send(SendLane.DATA, lambda: cancel(request_id))

    def _send_request(self, request_id: int, stream: Stream) -> None:
        if stream.instrument is None:
            self._client.reqAccountUpdatesMulti(request_id, stream.subject, "", False)
        elif stream.kind is StreamKind.BARS:
            source = source_of(stream.instrument)
            self._client.reqRealTimeBars(request_id, to_contract(stream.instrument), BAR_SECONDS, source, False, [])
        else:
            self._client.reqMktData(request_id, to_contract(stream.instrument), "", False, False, [])

    # --- the end

    def _on_api_error(self, message: str) -> None:
        self._last_api_error = message
        if self._handshake and not self._opened:
            self._handshake.connection_closed(self._callbacks.notices.last or message)

    def _on_reading_failed(self, _source: object, error: Exception) -> None:
        if self._handshake and not self._opened:
            self._handshake.not_a_gateway(error)
        else:
            self._decoder.end_packet()
            reason = f"{type(error).__name__}: {error} while reading the socket"
            self._callbacks.decode_failed(undecoded([], reason))

    def _on_closed(self) -> None:
        self._decoder.catch_up()
        self._end(self._last_api_error or "the gateway closed the socket")

    def _end(self, reason: str) -> None:
        if self._ended:
            return
        self._ended = True
        self._decoder.discard()
        unsent = self._sender.close(f"session of client id {self.client_id} ended ({reason})")
        self._pending.fail_all(ConnectionLostError(f"session of client id {self.client_id} ended: {reason}"))
        if self._opened:
            self._sink(SessionLost(reason, unsent))
