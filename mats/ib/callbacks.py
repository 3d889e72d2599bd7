"""What the decoder calls: each message becomes one event, and an item of the answers that wait for it.

Every message is reported, in the order of the wire, requested or not: openOrder, position and commissionReport carry no
request id, so an answer and an update look alike. Method names are those of IB's protocol.
"""

from collections.abc import Callable
from datetime import UTC

from ib_async.contract import Contract, ContractDetails
from ib_async.objects import BarData, CommissionReport, PriceIncrement
from ib_async.order import Order, OrderState

from mats.ib.conversion import (
    amount,
    described,
    name_of,
    or_zero,
    stated,
    status_of,
    to_broker_order,
    to_completed_order,
    unit_value_of,
)
from mats.ib.error_codes import order_error_meaning
from mats.ib.events import (
    AccountValueReported,
    BarReported,
    CommissionReported,
    DecodeFailed,
    ExecutionReported,
    OrderReported,
    OrderStatusReported,
    PacketEnd,
    PositionReported,
    QuoteReported,
    SessionEvent,
)
from mats.ib.market_rules import MarketRule, to_levels
from mats.ib.notices import NoticeRouter
from mats.ib.pending_requests import PendingRequests, PendingSnapshot
from mats.ib.streams import BAR_SECONDS, QuoteAggregator, StreamKind, Streams
from mats.ib.undecoded import is_heartbeat, may_answer
from mats.instruments import InstrumentRegistry, MemoryRecords
from mats.model import (
    SECOND,
    AccountValue,
    Bar,
    BrokerError,
    BrokerPosition,
    BrokerStatus,
    Commission,
    Execution,
    UndecodedMessage,
    bar_fault,
    is_price,
    order_fault,
    position_fault,
    status_fault,
    value_fault,
)

NO_REQUEST = -1
"""The request id of an execution that was not requested."""
COST_PENDING = -1
"""IB's value, besides "unset", for a commission that is not known yet; other negative ones are rebates."""


class Callbacks:
    """The receiving half of a session.

    `sink` takes each event; `undecoded` counts messages that could not be used and may be a part of an answer.
    `instruments` names the contracts; by default names end with the session.
    """

    defaultTimezone = UTC  # the decoder makes datetimes in it

    def __init__(
        self,
        sink: Callable[[SessionEvent], None],
        pending: PendingRequests,
        streams: Streams,
        quotes: QuoteAggregator,
        instruments: InstrumentRegistry | None = None,
    ) -> None:
        self.instruments = instruments or InstrumentRegistry(MemoryRecords())
        self._sink, self._pending, self._streams, self._quotes = sink, pending, streams, quotes
        self._emitted = False
        self.next_order_id = 0
        self.undecoded = 0
        self.notices = NoticeRouter(self._emit, pending, streams)
        self.on_closed: Callable[[], None] | None = None
        self.on_packet: Callable[[], None] = self.packet_decoded
        self.on_unrecorded: Callable[[str], None] | None = None

    def _emit(self, event: SessionEvent) -> None:
        self._emitted = True
        self._sink(event)

    def decode_failed(self, message: UndecodedMessage) -> None:
        """A message could not be decoded, or its handler raised."""
        self.undecoded += may_answer(message)
        if is_heartbeat(message):
            self._pending.finish(PendingSnapshot.SERVER_TIME)
        self._emit(DecodeFailed(message))

    # --- the connection

    def connectAck(self) -> None:
        """The handshake is over; start-up messages follow."""

    def setEventsDone(self) -> None:
        """The library's objects end with the socket; we keep none."""

    def managedAccounts(self, accounts: str) -> None:
        """Kept by the client."""

    def nextValidId(self, order_id: int) -> None:
        self.next_order_id = order_id

    def connectionClosed(self) -> None:
        if self.on_closed:
            self.on_closed()

    def tcpDataProcessed(self) -> None:
        """A packet was read, and none of it is decoded yet."""
        self.on_packet()

    def packet_decoded(self) -> None:
        """A packet, or a part of one, was decoded."""
        for quote in self._quotes.drain():
            self._emit(QuoteReported(quote))
        if self._emitted:
            self._emit(PacketEnd())
            self._emitted = False

    def currentTime(self, seconds: int) -> None:
        self._pending.add(PendingSnapshot.SERVER_TIME, seconds * SECOND)
        self._pending.finish(PendingSnapshot.SERVER_TIME)

    def error(self, request_id: int, code: int, text: str, _advanced: str = "") -> None:
        meaning = order_error_meaning(code)
        self.notices.on_error(BrokerError(request_id=request_id, code=code, text=text, meaning=meaning))

    # --- orders and executions

    def openOrder(self, _order_id: int, contract: Contract, order: Order, state: OrderState) -> None:
        self._collect_instrument(contract)
        reported = to_broker_order(name_of(contract, self.instruments), order, state)
        _refuse(order_fault(reported))
        self._pending.add(PendingSnapshot.OPEN_ORDERS, reported)
        self._emit(OrderReported(reported))

    def openOrderEnd(self) -> None:
        self._pending.finish(PendingSnapshot.OPEN_ORDERS)

    def completedOrder(self, contract: Contract, order: Order, state: OrderState) -> None:
        self._collect_instrument(contract)
        reported = to_completed_order(name_of(contract, self.instruments), order, state)
        _refuse(order_fault(reported))
        self._pending.add(PendingSnapshot.COMPLETED_ORDERS, reported)
        self._emit(OrderReported(reported))

    def completedOrdersEnd(self) -> None:
        self._pending.finish(PendingSnapshot.COMPLETED_ORDERS)

    def orderStatus(
        self,
        order_id: int,
        status: str,
        filled: float,
        remaining: float,
        average_price: float,
        perm_id: int,
        _parent_id: int,
        _last_price: float,
        client_id: int,
        why_held: str,
        _cap_price: float = 0.0,
    ) -> None:
        reported = BrokerStatus(
            client_id=client_id,
            order_id=order_id,
            perm_id=perm_id,
            status=status_of(status),
            status_text=status,
            filled=or_zero(filled),
            remaining=or_zero(remaining),
            average_price=or_zero(average_price),
            why_held=why_held,
        )
        _refuse(status_fault(reported))
        self._emit(OrderStatusReported(reported))

    def orderBound(self, _perm_id: int, _client_id: int, _order_id: int) -> None:
        """A manual order got an id of this client; openOrder reports it too."""

    def execDetails(self, request_id: int, contract: Contract, execution: Execution) -> None:
        self._collect_instrument(contract)
        live = request_id not in self._pending  # after the end of its snapshot it is an update, not to be missed
        if request_id != NO_REQUEST:
            self._pending.add(request_id, execution)
        self._emit(ExecutionReported(execution, live))

    def execDetailsEnd(self, request_id: int) -> None:
        self._pending.finish(request_id)

    def commissionReport(self, report: CommissionReport) -> None:
        cost = amount(report.commission)
        if cost is None or cost == COST_PENDING:
            return  # not known yet; the report comes again
        commission = Commission(exec_id=report.execId, amount=cost, currency=report.currency)
        self._pending.add(PendingSnapshot.COMMISSIONS, commission)
        self._emit(CommissionReported(commission))

    # --- the account

    def position(self, account: str, contract: Contract, quantity: float, average_cost: float) -> None:
        self._collect_instrument(contract)
        reported = BrokerPosition(
            account=account,
            instrument=name_of(contract, self.instruments),
            quantity=stated("quantity", quantity),
            average_cost=or_zero(average_cost),
            currency=contract.currency,
            multiplier=unit_value_of(contract, self.instruments),
            con_id=contract.conId,
        )
        _refuse(position_fault(reported))
        self._pending.add(PendingSnapshot.POSITIONS, reported)
        self._emit(PositionReported(reported))

    def positionEnd(self) -> None:
        self._pending.finish(PendingSnapshot.POSITIONS)

    def accountUpdateMulti(
        self, request_id: int, account: str, _model: str, tag: str, value: str, currency: str
    ) -> None:
        reported = AccountValue(account=account, tag=tag, value=value, currency=currency)
        _refuse(value_fault(reported))
        if self._streams.subject(request_id, StreamKind.ACCOUNT) is None:
            self._pending.add(request_id, reported)
        else:
            self._emit(AccountValueReported(reported))

    def accountUpdateMultiEnd(self, request_id: int) -> None:
        if self._streams.subject(request_id, StreamKind.ACCOUNT) is None:
            self._pending.finish(request_id)

    # --- contracts and market data

    def contractDetails(self, request_id: int, details: ContractDetails) -> None:
        self._pending.add(request_id, details)

    def bondContractDetails(self, request_id: int, details: ContractDetails) -> None:
        self._pending.add(request_id, details)

    def contractDetailsEnd(self, request_id: int) -> None:
        self._pending.finish(request_id)

    def marketRule(self, number: int, increments: list[PriceIncrement]) -> None:
        key = MarketRule(number)
        for level in to_levels(increments):
            self._pending.add(key, level)
        self._pending.finish(key)

    def historicalData(self, request_id: int, bar: BarData) -> None:
        _refuse(bar_fault(bar.open, bar.high, bar.low, bar.close, bar.volume))
        self._pending.add(request_id, bar)

    def historicalDataEnd(self, request_id: int, _start: str, end: str) -> None:
        self._pending.finish(request_id, end)

    def headTimestamp(self, request_id: int, text: str) -> None:
        self._pending.add(request_id, text)
        self._pending.finish(request_id)

    def realtimeBar(
        self,
        request_id: int,
        time: int,
        open_: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        wap: float,
        count: int,
    ) -> None:
        _refuse(bar_fault(open_, high, low, close, volume))
        if time < 0 or time % BAR_SECONDS:
            raise ValueError(f"a bar of {BAR_SECONDS} s that begins at second {time} is no bar")
        if instrument := self._streams.subject(request_id, StreamKind.BARS):
            volume, wap, count = max(0.0, volume), max(0.0, wap), max(0, count)
            self._emit(
                BarReported(Bar(instrument, time * SECOND, BAR_SECONDS, open_, high, low, close, volume, wap, count))
            )
        else:
            self._pending.late += 1

    def priceSizeTick(self, request_id: int, tick: int, price: float, size: float) -> None:
        if not is_price(price):
            raise ValueError("a quote without a finite price is no quote")
        if instrument := self._streams.subject(request_id, StreamKind.QUOTES):
            self._quotes.price(instrument, tick, price, size)
        else:
            self._pending.late += 1

    def tickSize(self, request_id: int, tick: int, size: float) -> None:
        if instrument := self._streams.subject(request_id, StreamKind.QUOTES):
            self._quotes.size(instrument, tick, size)
        else:
            self._pending.late += 1

    def _collect_instrument(self, contract: Contract) -> None:
        if PendingSnapshot.INSTRUMENTS in self._pending:
            self._pending.add(PendingSnapshot.INSTRUMENTS, described(contract, self.instruments))


def _refuse(fault: str) -> None:
    """What says nothing usable is handled as what cannot be decoded is."""
    if fault:
        raise ValueError(fault)
