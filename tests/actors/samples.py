"""What the tests of the actors have in common: neighbors that can be lost, one instrument, its orders and entries."""

from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import replace

from actors.messages.subscription import Change, Snapshot, Version
from mats.instruments import parse_instrument
from mats.model.broker_reports import BrokerOrder, BrokerOrderStatus, BrokerSnapshot
from mats.model.executions import Execution, FillRecorded
from mats.model.orders import OrderIntent, OrderRequest, OrderState, OrderTicket, OrderView, Side, Signal, order_ref
from mats.runtime import Actor, Ref, Runtime, VirtualRuntime
from mats.runtime.testing import Probe


class Relay(Actor[object]):
    """A neighbor that can be lost, which a probe cannot: it passes on what it is sent to a probe."""

    class Args(msgspec.Struct, frozen=True):
        inbox: Ref[Any]

    def __init__(self, args: Args) -> None:
        self._inbox = args.inbox

    def on_receive(self, message: object) -> None:
        self._inbox.tell(message)


def launch_relay(runtime: Runtime, name: str, inbox: Probe) -> Ref[Any]:
    """Let a neighbor of this name live (again); `inbox` gets what it is sent."""
    runtime.launch(name, Relay, Relay.Args(inbox.ref), supervised=True)
    return runtime.ref(name)


class Published:
    """What a service sends of a state that it publishes: as it does it, numbered."""

    def __init__(self, feed: str, state: type, *changes: type) -> None:
        self._feed, self._state, self._changes = feed, state, changes
        self.version = Version(1, 0)

    def __call__(self, message: Any) -> Any:
        """The message as it is sent; one that is not about this state is sent as it is."""
        if not isinstance(message, (self._state, *self._changes)):
            return message
        self.version = replace(self.version, number=self.version.number + 1)
        kind: Any = Snapshot if isinstance(message, self._state) else Change
        return kind(self._feed, self.version, message)


def contents(message: object) -> object:
    """What a service has published, without its number."""
    match message:
        case Snapshot(state=state):
            return state
        case Change(change=change):
            return change
    return message


def since_last_look(runtime: VirtualRuntime, probe: Probe, *kinds: type) -> list[object]:
    """What a probe was sent since the last look, once everybody has handled everything; of some kinds, or all.

    What was published to it stands without its number.
    """
    runtime.run_until_idle()
    messages = [contents(message) for message in probe.receive(probe.ref.mailbox.pending)]
    return [message for message in messages if isinstance(message, kinds or (object,))]


ASKED = parse_instrument("SPY")
SPY = replace(ASKED, con_id=756733)
"""The instrument as the broker has completed it."""


def an_intent(name: str = "i1", quantity: int = 10, side: Side = Side.BUY, strategy: str = "trend") -> OrderIntent:
    return OrderIntent(
        intent_id=name,
        strategy=strategy,
        account="DU1",
        instrument=SPY,
        side=side,
        quantity=Decimal(quantity),
        ticket=OrderTicket(),
        time=0,
    )


def a_signal(strength: float, name: str = "i1", strategy: str = "trend", instrument: str = "SPY") -> Signal:
    return Signal(intent_id=name, strategy=strategy, instrument=instrument, strength=strength, time=0)


def a_request(quantity: int, name: str = "i1", side: Side = Side.BUY) -> OrderRequest:
    return OrderRequest(
        intent_id=name, strategy="trend", instrument="SPY", side=side, quantity=Decimal(quantity), time=0
    )


def a_view(state: OrderState, name: str = "i1", quantity: int = 10, side: Side = Side.BUY) -> OrderView:
    return OrderView(
        intent_id=name,
        strategy="trend",
        account="DU1",
        instrument="SPY",
        side=side,
        quantity=Decimal(quantity),
        ticket=OrderTicket(),
        state=state,
        client_id=1,
    )


def a_fill(
    seq: int, name: str = "i1", quantity: int = 10, side: Side = Side.BUY, strategy: str = "trend"
) -> FillRecorded:
    """Entry `seq` of the log: the execution `e<seq>.01` at 100."""
    execution = Execution(
        account="DU1",
        exec_id=f"e{seq}.01",
        instrument="SPY",
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(100),
        time=seq,
        order_ref=order_ref(strategy, name),
    )
    return FillRecorded(seq=seq, strategy=strategy, intent_id=name, execution=execution, recorded=seq, rate=Decimal(1))


def at_broker(
    order_id: int, status: BrokerOrderStatus = BrokerOrderStatus.WORKING, name: str = "i1", quantity: int = 10
) -> BrokerOrder:
    """An order of `an_intent` as the broker describes it."""
    return BrokerOrder(
        order_ref=order_ref("trend", name),
        client_id=1,
        order_id=order_id,
        perm_id=7,
        account="DU1",
        instrument="SPY",
        side=Side.BUY,
        quantity=Decimal(quantity),
        order_type="MKT",
        status=status,
    )


def a_snapshot(*open_orders: BrokerOrder) -> BrokerSnapshot:
    """The broker's complete answer: these orders work, and nothing else is there."""
    return BrokerSnapshot(executions=(), commissions=(), open_orders=open_orders, completed_orders=(), positions=())
