"""What the faults do that are more than a change of the traffic."""

from decimal import Decimal
from typing import Literal, Protocol

import structlog

from mats.gateway.client_registry import ClientRegistry
from mats.gateway.faults import plan
from mats.gateway.faults.error_texts import ORDER_ID_AT, WORDS, request_id
from mats.gateway.faults.fragmenting import Fragmenter
from mats.gateway.faults.target import FaultTarget
from mats.gateway.faults.traffic import FIELD, Event, Traffic
from mats.gateway.orders import OrderStore, order_messages
from mats.gateway.protocol import ClientSession, Message, responses
from mats.model import AccountId, InstrumentId, Side, exact
from mats.venue.matching import Exchange, VenueOrder

log = structlog.get_logger("mats.gateway")


class Hooks(Protocol):
    """What is done to orders, executions and data."""

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

    def twin(self, order: VenueOrder, event: Event) -> None: ...

    def cancel(self, order: VenueOrder) -> None: ...


class Actions:
    """Performs faults. Raises LookupError or ValueError where one finds nothing to act on."""

    def __init__(
        self,
        hub: ClientRegistry,
        blotter: OrderStore,
        exchange: Exchange,
        traffic: Traffic,
        hooks: Hooks,
        house: FaultTarget,
    ) -> None:
        self._hub, self._blotter, self._exchange = hub, blotter, exchange
        self._traffic, self._hooks, self._house = traffic, hooks, house
        self._reserve_for: dict[int | None, float] = {}
        self.reserved: set[int] = set()

    # for the traffic

    def perform(self, fault: plan.AnyFault, event: Event | None) -> None:
        """Does it; where traffic has provoked it and it finds nothing to act on, one line in the log says so."""
        try:
            self.act(fault, event)
        except (LookupError, ValueError) as error:
            if event is None:
                raise
            log.warning("fault without effect", fault=type(fault).__name__, reason=str(error))

    def known(self, event: Event) -> bool:
        return self._named_order(event) is not None

    def fill_in(self, name: str, event: Event) -> str:
        match name:
            case "id" if event.incoming:
                return request_id(event.fields)
            case "id":
                return event.fields[ORDER_ID_AT.get(int(event.fields[0]), 1)]
            case "order":
                return str(self._order(None, event).order_id)
            case "perm":
                return str(self._order(None, event).perm_id)
        return event.fields[int(name)] if int(name) < len(event.fields) else ""

    def end_turn(self) -> None:
        self._hub.end_turn()

    def left(self, client_id: int) -> None:
        """A connection has ended; its id may stay taken."""
        seconds = self._reserve_for.get(client_id, self._reserve_for.get(None, 0))
        if seconds:
            self.reserved.add(client_id)
            self._house.clock.call_later(seconds, self.reserved.discard, client_id)

    def free(self) -> None:
        """No id is taken any more."""
        self._reserve_for.clear()
        self.reserved.clear()

    # the faults

    def act(self, fault: plan.AnyFault, event: Event | None) -> None:
        match fault:
            case plan.Push():
                self._tell(fault, event, *self._messages(fault, event))
            case plan.Error():
                self._error(fault, event)
            case plan.SendStatus():
                order = self._order(fault.client, event)
                message = order_messages.order_status(order, fault.status)
                self._hub.tell(order.client_id, (*message[:10], fault.why_held, *message[11:]))
            case plan.FillOrder():
                self._fill(self._order(fault.client, event), fault)
            case plan.CancelWorkingOrder():
                named = self._blotter.order_by_perm_id(fault.perm_id)
                self._hooks.cancel(named or self._order(fault.client, event))
            case plan.Twin() if event:
                self._hooks.twin(self._order(fault.client, event), event)
            case plan.Correct():
                self._correct(fault)
            case plan.ManualOrder():
                self._place_manual(fault)
            case plan.HoldOrders():
                self._hooks.hold_orders()
            case plan.ReleaseOrders():
                self._hooks.release_orders()
            case plan.Connectivity():
                self._hooks.connectivity(fault.code)
            case plan.Release():
                self._traffic.release()
            case other:
                self._act_on_connections(other, event)

    def _act_on_connections(self, fault: plan.AnyFault, event: Event | None) -> None:
        match fault:
            case plan.Drop():
                for session in self._sessions(fault, event):
                    session.close(hard=fault.hard)
            case plan.StopReading():
                for session in self._sessions(fault, event):
                    session.pause_reading()
                    self._house.clock.call_later(fault.seconds, session.resume_reading)
            case plan.SplitFrame():
                for session in self._sessions(fault, event):
                    self._split(session, fault)
            case plan.Truncate():
                for session in self._sessions(fault, event):
                    session.end(b"\0\0\0\x10" + b"half a", hard=False)
            case plan.Reserve():
                self._reserve_for[fault.client] = fault.seconds
            case plan.Refuse():
                self._house.listener.shut_for(fault.seconds)
            case plan.Liquidate() | plan.Transfer() | plan.StockSplit():
                self._act_on_positions(fault)
            case plan.Restart():
                self._house.restart(fault.seconds, fault.rewind, checkpoint=fault.checkpoint)
            case plan.Checkpoint():
                self._house.take_checkpoint()
            case plan.ShiftClock():
                self._house.shift_clock(fault.seconds)
            case plan.RollDay():
                self._house.roll_day()
            case _:
                raise ValueError(
                    f"{type(fault).__name__} acts on traffic; name the requests or messages it is to match"
                )

    def _act_on_positions(self, fault: plan.Liquidate | plan.Transfer | plan.StockSplit) -> None:
        account = "" if isinstance(fault, plan.StockSplit) else fault.account
        self._house.check(fault.instrument, account)
        match fault:
            case plan.Liquidate():
                held = self._house.quantity(fault.instrument, account)
                if not held:
                    raise ValueError(f"nobody holds {fault.instrument}; choose what is held")
                self._hooks.manual_order(
                    fault.instrument, Side.of(-held), abs(held), price=None, account=account, order_id=None
                )
            case plan.Transfer():
                price = None if fault.price is None else exact(fault.price)
                self._house.transfer(fault.instrument, exact(fault.quantity), price, account)
            case plan.StockSplit():
                self._house.split(fault.instrument, fault.new, fault.old)

    def _sessions(self, fault: plan.AnyFault, event: Event | None) -> list[ClientSession]:
        if event:
            return [event.session]
        return [session for session in self._hub if fault.client in (None, session.client_id)]

    def _split(self, session: ClientSession, fault: plan.SplitFrame) -> None:
        transport = session.transport
        if transport:
            session.write_through(Fragmenter(transport, fault.size, fault.pause, self._house.clock).write)
            if fault.lasting is not None:
                self._house.clock.call_later(fault.lasting, session.write_through, transport.write)

    # messages

    def _tell(self, fault: plan.AnyFault, event: Event | None, *messages: Message) -> None:
        for session in self._sessions(fault, event):
            session.send_through(*messages)
        self._hub.wake()

    def _messages(self, fault: plan.Push, event: Event | None) -> list[Message]:
        if event is None:
            return list(fault.messages)
        found = event
        return [
            tuple(FIELD.sub(lambda name: self.fill_in(name[1], found), str(field)) for field in message)
            for message in fault.messages
        ]

    def _error(self, fault: plan.Error, event: Event | None) -> None:
        words = fault.text or WORDS.get(fault.code, f"error {fault.code}")
        if fault.to == "request" and event:
            message = responses.error(int(self.fill_in("id", event)), fault.code, words)
            self._tell(fault, event, message)
        elif fault.to in ("request", "system"):
            self._tell(fault, event, responses.error(-1, fault.code, words))
        else:
            for client_id, number in self._house.lines(fault.to):
                if fault.client in (None, client_id):
                    self._hub.tell(client_id, responses.error(number, fault.code, words))

    # orders

    def _fill(self, order: VenueOrder, fault: plan.FillOrder) -> None:
        quantity = exact(fault.quantity) or order.remaining
        price = exact(fault.price) or order.limit or self._exchange.mark(order.instrument)
        self._hooks.fill(order.perm_id, quantity, price, fault.count)

    def _correct(self, fault: plan.Correct) -> None:
        fills = list(self._blotter.fills())
        if not fills:
            raise LookupError("there is no execution for the fault to correct")
        last = fills[-1]
        self._hooks.correct(last.exec_id, exact(fault.quantity), exact(fault.price) or last.price)

    def _place_manual(self, fault: plan.ManualOrder) -> None:
        self._house.check(fault.instrument, fault.account)
        price = None if fault.price is None else exact(fault.price)
        self._hooks.manual_order(
            fault.instrument,
            fault.side,
            exact(fault.quantity),
            price=price,
            account=fault.account,
            order_id=fault.order_id,
        )

    def _named_order(self, event: Event) -> VenueOrder | None:
        """The order that a request or a message names."""
        number = int(event.fields[0]) if event.fields[0].isdigit() else 0
        at = ({3: 1, 4: 2} if event.incoming else ORDER_ID_AT).get(number)
        if at is None or at >= len(event.fields) or not event.fields[at].lstrip("-").isdigit():
            return None
        return self._blotter.order(event.session.client_id, int(event.fields[at]))

    def _order(self, client_id: int | None, event: Event | None) -> VenueOrder:
        """The order concerned: the one that is named, or the newest that works, or the newest."""
        named = self._named_order(event) if event else None
        if named:
            return named
        if event and client_id is None:
            client_id = event.session.client_id
        orders = [order for order in self._blotter.orders() if client_id in (None, order.client_id)]
        if not orders:
            raise LookupError("there is no order for the fault to act on")
        return max(orders, key=lambda order: (order.working, order.perm_id))
