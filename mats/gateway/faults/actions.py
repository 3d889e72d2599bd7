"""Performs the faults that do more than alter the traffic."""

from decimal import Decimal
from typing import Literal, Protocol

import structlog

from mats.gateway.client_registry import ClientRegistry
from mats.gateway.faults import fault_types
from mats.gateway.faults.error_texts import ERROR_TEXTS
from mats.gateway.faults.fault_matching import TrafficEvent
from mats.gateway.faults.fragmenting import Fragmenter
from mats.gateway.faults.placeholders import Placeholders
from mats.gateway.faults.target import FaultTarget
from mats.gateway.faults.traffic import Traffic
from mats.gateway.orders import OrderStore, order_messages
from mats.gateway.protocol import ClientSession, Message, responses
from mats.model import AccountId, InstrumentId, Side, exact
from mats.venue.matching import Exchange, VenueOrder

log = structlog.get_logger("mats.gateway")


class FaultHooks(Protocol):
    """Operations of faults on orders, executions and data."""

    def hold_orders(self) -> None: ...

    def release_orders(self) -> None: ...

    def connectivity(self, code: Literal[1100, 1101, 1102]) -> None: ...

    def fill(self, order: int, quantity: Decimal, price: Decimal, times: int) -> None: ...

    def correct(self, exec_id: str, quantity: Decimal, price: Decimal) -> str: ...

    def manual_order(
        self,
        instrument: InstrumentId,
        side: Side,
        quantity: Decimal,
        *,
        price: Decimal | None,
        account: AccountId,
        order_id: int | None,
    ) -> VenueOrder: ...

    def twin(self, order: VenueOrder, event: TrafficEvent) -> None: ...

    def cancel(self, order: VenueOrder) -> None: ...


class FaultActions:
    """Performs faults. Raises LookupError or ValueError if one has nothing to act on."""

    def __init__(
        self,
        clients: ClientRegistry,
        store: OrderStore,
        exchange: Exchange,
        traffic: Traffic,
        hooks: FaultHooks,
        target: FaultTarget,
    ) -> None:
        self._clients, self._store, self._exchange = clients, store, exchange
        self._traffic, self._hooks, self._target = traffic, hooks, target
        self.placeholders = Placeholders(store)
        self._reserve_for: dict[int | None, float] = {}
        self.reserved: set[int] = set()

    # called by the traffic

    def perform(self, fault: fault_types.AnyFault, event: TrafficEvent | None) -> None:
        """Performs a fault; if traffic triggered it and it has nothing to act on, logs a warning."""
        try:
            self.act(fault, event)
        except (LookupError, ValueError) as error:
            if event is None:
                raise
            log.warning("fault had no effect", fault=type(fault).__name__, reason=str(error))

    def commit_and_flush(self) -> None:
        self._clients.commit_and_flush()

    def on_disconnect(self, client_id: int) -> None:
        """A connection has ended; its client id may stay reserved."""
        seconds = self._reserve_for.get(client_id, self._reserve_for.get(None, 0))
        if seconds:
            self.reserved.add(client_id)
            self._target.clock.call_later(seconds, self.reserved.discard, client_id)

    def release_reserved(self) -> None:
        """Releases all reserved client ids."""
        self._reserve_for.clear()
        self.reserved.clear()

    # the faults

    def act(self, fault: fault_types.AnyFault, event: TrafficEvent | None) -> None:
        match fault:
            case fault_types.Push():
                self._send(fault, event, *self._messages(fault, event))
            case fault_types.Error():
                self._error(fault, event)
            case fault_types.SendStatus():
                order = self.placeholders.order(fault.client, event)
                message = order_messages.order_status(order, fault.status)
                self._clients.send(order.client_id, (*message[:10], fault.why_held, *message[11:]))
            case fault_types.FillOrder():
                self._fill(self.placeholders.order(fault.client, event), fault)
            case fault_types.CancelWorkingOrder():
                named = self._store.order_by_perm_id(fault.perm_id)
                self._hooks.cancel(named or self.placeholders.order(fault.client, event))
            case fault_types.Twin() if event:
                self._hooks.twin(self.placeholders.order(fault.client, event), event)
            case fault_types.Correct():
                self._correct(fault)
            case fault_types.ManualOrder():
                self._place_manual(fault)
            case fault_types.HoldOrders():
                self._hooks.hold_orders()
            case fault_types.ReleaseOrders():
                self._hooks.release_orders()
            case fault_types.Connectivity():
                self._hooks.connectivity(fault.code)
            case fault_types.Release():
                self._traffic.release()
            case other:
                self._act_on_connections(other, event)

    def _act_on_connections(self, fault: fault_types.AnyFault, event: TrafficEvent | None) -> None:
        match fault:
            case fault_types.Drop():
                for session in self._sessions(fault, event):
                    session.close(hard=fault.hard)
            case fault_types.StopReading():
                for session in self._sessions(fault, event):
                    session.pause_reading()
                    self._target.clock.call_later(fault.seconds, session.resume_reading)
            case fault_types.SplitFrame():
                for session in self._sessions(fault, event):
                    self._split(session, fault)
            case fault_types.Truncate():
                for session in self._sessions(fault, event):
                    session.write_and_close(b"\0\0\0\x10" + b"half a", hard=False)
            case fault_types.Reserve():
                self._reserve_for[fault.client] = fault.seconds
            case fault_types.Refuse():
                self._target.listener.close_for(fault.seconds)
            case fault_types.Liquidate() | fault_types.Transfer() | fault_types.StockSplit():
                self._act_on_positions(fault)
            case fault_types.Silence():
                self._target.data.silence()
            case fault_types.Permission():
                self._target.validate(fault.instrument, "")
                self._target.data.permit(fault.instrument, live=fault.live)
            case fault_types.Hold():
                self._target.hold(fault.contract, exact(fault.quantity), exact(fault.cost), fault.account)
            case fault_types.Restart():
                self._target.restart(fault.seconds, fault.rewind, checkpoint=fault.checkpoint)
            case fault_types.Checkpoint():
                self._target.take_checkpoint()
            case fault_types.ShiftClock():
                self._target.shift_clock(fault.seconds)
            case fault_types.RollDay():
                self._target.roll_day()
            case _:
                raise ValueError(
                    f"{type(fault).__name__} acts on traffic; give the requests or messages that it matches"
                )

    def _act_on_positions(self, fault: fault_types.Liquidate | fault_types.Transfer | fault_types.StockSplit) -> None:
        account = "" if isinstance(fault, fault_types.StockSplit) else fault.account
        self._target.validate(fault.instrument, account)
        match fault:
            case fault_types.Liquidate():
                held = self._target.quantity(fault.instrument, account)
                if not held:
                    raise ValueError(f"no position in {fault.instrument} to liquidate")
                self._hooks.manual_order(
                    fault.instrument, Side.of(-held), abs(held), price=None, account=account, order_id=None
                )
            case fault_types.Transfer():
                price = None if fault.price is None else exact(fault.price)
                self._target.transfer(fault.instrument, exact(fault.quantity), price, account)
            case fault_types.StockSplit():
                self._target.split(fault.instrument, fault.new, fault.old)

    def _sessions(self, fault: fault_types.AnyFault, event: TrafficEvent | None) -> list[ClientSession]:
        if event:
            return [event.session]
        return [session for session in self._clients if fault.client in (None, session.client_id)]

    def _split(self, session: ClientSession, fault: fault_types.SplitFrame) -> None:
        transport = session.transport
        if transport:
            session.redirect_writes(Fragmenter(transport, fault.size, fault.pause, self._target.clock).write)
            if fault.lasting is not None:
                self._target.clock.call_later(fault.lasting, session.redirect_writes, transport.write)

    # messages

    def _send(self, fault: fault_types.AnyFault, event: TrafficEvent | None, *messages: Message) -> None:
        for session in self._sessions(fault, event):
            session.send_unfiltered(*messages)
        self._clients.schedule_flush()

    def _messages(self, fault: fault_types.Push, event: TrafficEvent | None) -> list[Message]:
        if event is None:
            return list(fault.messages)
        return [tuple(self.placeholders.expand(field, event) for field in message) for message in fault.messages]

    def _error(self, fault: fault_types.Error, event: TrafficEvent | None) -> None:
        text = fault.text or ERROR_TEXTS.get(fault.code, f"error {fault.code}")
        if fault.to == "request" and event:
            message = responses.error(int(self.placeholders.request_id(event)), fault.code, text)
            self._send(fault, event, message)
        elif fault.to in ("request", "system"):
            self._send(fault, event, responses.error(-1, fault.code, text))
        else:
            for client_id, number in self._target.open_ids(fault.to):
                if fault.client in (None, client_id):
                    self._clients.send(client_id, responses.error(number, fault.code, text))

    # orders

    def _fill(self, order: VenueOrder, fault: fault_types.FillOrder) -> None:
        quantity = exact(fault.quantity) or order.remaining
        price = exact(fault.price) or order.limit or self._exchange.mark(order.instrument)
        self._hooks.fill(order.perm_id, quantity, price, fault.count)

    def _correct(self, fault: fault_types.Correct) -> None:
        fills = list(self._store.fills())
        if not fills:
            raise LookupError("no execution to correct")
        last = fills[-1]
        self._hooks.correct(last.exec_id, exact(fault.quantity), exact(fault.price) or last.price)

    def _place_manual(self, fault: fault_types.ManualOrder) -> None:
        self._target.validate(fault.instrument, fault.account)
        price = None if fault.price is None else exact(fault.price)
        self._hooks.manual_order(
            fault.instrument,
            fault.side,
            exact(fault.quantity),
            price=price,
            account=fault.account,
            order_id=fault.order_id,
        )
