"""From a strategy's request to an order at the broker: signals, tickets, intents, states."""

from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from mats.model.instrument import Instrument, InstrumentId
from mats.model.money import ZERO
from mats.model.timestamp import Nanos

StrategyName = str
AccountId = str
IntentId = str

DISCRETIONARY: StrategyName = "Discretionary"
"""The book of everything at the broker that no strategy caused."""


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    sign: int
    """+1 to buy, -1 to sell."""

    def __init__(self, value: str) -> None:
        self.sign = 1 if value == "BUY" else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY

    @staticmethod
    def of(quantity: Decimal) -> "Side":
        """The side that trades a signed quantity."""
        return Side.BUY if quantity > 0 else Side.SELL


class OrderType(StrEnum):
    """IB's names of the order types."""

    MARKET = "MKT"
    LIMIT = "LMT"
    STOP = "STP"
    STOP_LIMIT = "STP LMT"


PRICES: dict[OrderType, tuple[str, ...]] = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("limit_price",),
    OrderType.STOP: ("stop_price",),
    OrderType.STOP_LIMIT: ("limit_price", "stop_price"),
}
"""The prices of a ticket that each order type needs."""


class TimeInForce(StrEnum):
    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class OrderTicket(msgspec.Struct, frozen=True, kw_only=True):
    """How to trade, without what and how much. `limit_price` and `stop_price` as the type needs them.

    `outside_rth`: it may also trade outside of regular hours; else it waits for them.
    """

    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    tif: TimeInForce = TimeInForce.DAY
    outside_rth: bool = False


CONDITIONAL = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
"""Order types that wait for a price before they work: what protects a position, and leads to no target."""

PLAIN = OrderTicket()
"""A market order for the day: the default of requests without a ticket."""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A target: hold `strength` of the strategy's equity in `instrument`, long if positive, from -1 to 1.

    `intent_id` becomes the id of the order that the signal may cause; it was minted when the signal was made.
    """

    intent_id: IntentId
    strategy: StrategyName
    instrument: InstrumentId
    strength: float
    time: Nanos
    ticket: OrderTicket = PLAIN
    reason: str = ""


class ChildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An order on the other side of its parent, for the same quantity, which waits until that is filled."""

    intent_id: IntentId
    ticket: OrderTicket


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An explicit order: `quantity` units, or `size` as a fraction of the strategy's equity; exactly one is given.

    `account` empty: the one in which the strategy trades. `reduce_only`: it is cut to what the strategy holds on the
    other side, and rejected where that is nothing. `children` protect what it opens, and end each other.
    """

    intent_id: IntentId
    strategy: StrategyName
    instrument: InstrumentId
    side: Side
    time: Nanos
    quantity: Decimal | None = None
    size: float | None = None
    ticket: OrderTicket = PLAIN
    reason: str = ""
    account: AccountId = ""
    reduce_only: bool = False
    children: tuple[ChildRequest, ...] = ()


class OrderModification(msgspec.Struct, frozen=True, kw_only=True):
    """A request to modify a working order: total quantity and prices as given, None keeps the present value."""

    intent_id: IntentId
    strategy: StrategyName
    time: Nanos
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to cancel an order; it may fill before the cancel arrives."""

    intent_id: IntentId
    strategy: StrategyName
    time: Nanos


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True):
    """An approved order of one strategy in one account. Journaled before it is sent.

    `of_target`: it leads to a target that the strategy has signaled, which replaces it where the target changes.
    `reduce_only`: it may never carry the strategy's position beyond zero. `children` go out with it, in one; each names
    it as its `parent`, waits until it is filled, and ends when another child of it is filled.
    """

    intent_id: IntentId
    strategy: StrategyName
    account: AccountId
    instrument: Instrument
    side: Side
    quantity: Decimal
    ticket: OrderTicket
    time: Nanos
    reason: str = ""
    of_target: bool = False
    reduce_only: bool = False
    parent: IntentId = ""
    children: tuple["OrderIntent", ...] = ()

    @property
    def family(self) -> tuple["OrderIntent", ...]:
        """The order and its children, each by itself."""
        return (replace(self, children=()), *self.children) if self.children else (self,)


class OrderState(StrEnum):
    """The state of an order.

    `PENDING`: journaled, not sent. `SENT`: on the socket, not acknowledged. `WORKING`: acknowledged. `CANCELLING`: a
    cancel was sent; it can still fill. `UNKNOWN`: the state is not known; it counts as exposure and is queried.
    `FILLED`, `CANCELLED`, `REJECTED` are final.
    """

    PENDING = "PENDING"
    SENT = "SENT"
    WORKING = "WORKING"
    CANCELLING = "CANCELLING"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"

    final: bool

    def __init__(self, word: str) -> None:
        self.final = word in ("FILLED", "CANCELLED", "REJECTED")


class OrderDoubt(StrEnum):
    """Why it is not known how an order stands, or, where it is final, that the broker never said so.

    Every `UNKNOWN` order has one: it says which proof ends it. What is not in doubt has `NONE`.
    """

    NONE = ""
    UNANSWERED = "UNANSWERED"
    """The connection or the daemon ended before the broker answered, or the order is not there at the first look."""
    INACTIVE = "INACTIVE"
    """The broker has parked it: refused, or held and able to come back."""
    UNLISTED = "UNLISTED"
    """The broker knew it, and has it in no list now."""
    REFUSED = "REFUSED"
    """Refused while it worked, or with a code that is not known here."""
    UNREADABLE = "UNREADABLE"
    """The broker reports it with a word that is not known here."""
    CONTRADICTED = "CONTRADICTED"
    """The broker shows life in an order that has ended here."""
    SETTLED = "SETTLED"
    """Final by proof or by an operator's word; an execution or a listing that comes after all counts."""


FINAL_STATES = frozenset(state for state in OrderState if state.final)


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order as strategies and operators see it.

    `notional` is Σ quantity × price of its fills, `average_price` 0 before the first one. `acknowledged`: the broker
    has acknowledged it at least once. `applied` is the last entry of the fill log that it contains. `note` explains the
    present state; `said` is the broker's first reason against the order, with its code, as it was received. `doubt`
    says why the state is not known, or that the end was settled without the broker's word. `of_target`: it leads to a
    target that the strategy has signaled. `reduce_only`: it may never carry the strategy's position beyond zero. `code`
    is that of the risk manager's rejection, where it has rejected the order or a change of it. `parent` is the order
    that it waits for, or did, as one of its children.
    """

    intent_id: IntentId
    strategy: StrategyName
    account: AccountId
    instrument: InstrumentId
    side: Side
    quantity: Decimal
    ticket: OrderTicket
    state: OrderState
    filled: Decimal = Decimal(0)
    notional: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    acknowledged: bool = False
    applied: int = 0
    created: Nanos = 0
    updated: Nanos = 0
    client_id: int = -1
    order_id: int = 0
    perm_id: int = 0
    note: str = ""
    said: str = ""
    doubt: OrderDoubt = OrderDoubt.NONE
    of_target: bool = False
    reduce_only: bool = False
    code: str = ""
    parent: IntentId = ""

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled


def opening_view(intent: OrderIntent) -> OrderView:
    """The order of an intent that has just been approved."""
    return OrderView(
        intent_id=intent.intent_id,
        strategy=intent.strategy,
        account=intent.account,
        instrument=intent.instrument.id,
        side=intent.side,
        quantity=intent.quantity,
        ticket=intent.ticket,
        state=OrderState.PENDING,
        created=intent.time,
        updated=intent.time,
        of_target=intent.of_target,
        reduce_only=intent.reduce_only,
        parent=intent.parent,
    )


def refused_view(
    request: Signal | OrderRequest, account: AccountId, note: str, now: Nanos, code: str = ""
) -> OrderView:
    """What a strategy sees of a request that never became an order, and why. What was not sized has quantity 0."""
    return OrderView(
        intent_id=request.intent_id,
        strategy=request.strategy,
        account=account,
        instrument=request.instrument,
        side=request.side if isinstance(request, OrderRequest) else Side.BUY,
        quantity=ZERO,
        ticket=request.ticket,
        state=OrderState.REJECTED,
        created=request.time,
        updated=now,
        note=note,
        code=code,
    )


def changed_view(view: OrderView, change: OrderModification) -> OrderView:
    """The order as the change wants it; a change to 0 is a change."""
    ticket = replace(
        view.ticket,
        limit_price=view.ticket.limit_price if change.limit_price is None else change.limit_price,
        stop_price=view.ticket.stop_price if change.stop_price is None else change.stop_price,
    )
    return replace(view, quantity=view.quantity if change.quantity is None else change.quantity, ticket=ticket)


def order_ref(strategy: StrategyName, intent_id: IntentId) -> str:
    """The value of IB's orderRef, which stays with the order and its executions."""
    return f"{strategy}:{intent_id}"


def parse_order_ref(reference: str) -> tuple[StrategyName, IntentId] | None:
    """Strategy and intent of an orderRef in this program's format, None for any other."""
    strategy, colon, intent_id = reference.partition(":")
    return (strategy, intent_id) if colon and strategy and intent_id and ":" not in intent_id else None
