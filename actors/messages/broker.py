"""Messages handled and sent by every broker connection."""

import msgspec

from mats.model import (
    AccountId,
    AccountValue,
    Bar,
    BrokerError,
    BrokerOrder,
    BrokerPosition,
    BrokerSnapshot,
    BrokerStatus,
    Instrument,
    InstrumentId,
    IntentId,
    MarketStream,
    OrderIntent,
    Quote,
)
from mats.runtime import Question, Ref
from mats.sessions import Hours


class SubmitOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Send a journaled intent under `order_id`, and its children under the ids that follow, in one.

    In another session than `session` it is answered by `NotSent`.
    """

    session: str
    order_id: int
    intent: OrderIntent


class ModifyOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Send a working order again with another total quantity or other prices.

    `parent_id` is the order id of its parent, 0 where it has none.
    """

    session: str
    order_id: int
    intent: OrderIntent
    parent_id: int = 0


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the broker to cancel an order of this connection's client id."""

    session: str
    order_id: int


OrderAction = SubmitOrder | ModifyOrder | CancelOrder


class RequestSnapshot(msgspec.Struct, frozen=True):
    """Ask the broker for everything once more and announce the result as `Ready`."""


class PositionsTaken(msgspec.Struct, frozen=True):
    """All positions of the broker at one moment."""

    positions: tuple[BrokerPosition, ...]


class TakePositions(msgspec.Struct, frozen=True):
    """Ask the broker for all its positions; answered by `PositionsTaken`, or not at all when it does not answer."""

    reply_to: Ref[PositionsTaken]


class ReadBroker(Question[BrokerSnapshot], frozen=True):
    """Asks the broker for its complete state, past the fill log."""


class ReadHistoryUse(Question[str], frozen=True):
    """Asks how much of the broker's limits of historical requests is used, as text; empty where nothing is."""


class SubscribeAccount(msgspec.Struct, frozen=True):
    """Stream the account's values to the portfolio manager, beginning with all of them."""

    account: AccountId


class InstrumentResolved(msgspec.Struct, frozen=True):
    asked: InstrumentId
    instrument: Instrument


class Unresolved(msgspec.Struct, frozen=True):
    """The broker does not know the instrument; `reason` says which and how to fix it."""

    asked: InstrumentId
    reason: str


class HistoryLoaded(msgspec.Struct, frozen=True):
    """Bars oldest first, of the `count` of `bar_seconds` that were asked for.

    `complete` is False when the broker did not answer: unknown, not empty. A complete one has fewer bars only where the
    broker has no earlier ones.
    """

    instrument: InstrumentId
    bars: tuple[Bar, ...]
    complete: bool
    reason: str = ""
    bar_seconds: int = 0
    count: int = 0


class HistoryProgressed(msgspec.Struct, frozen=True):
    """So many bars of `bar_seconds` are loaded; the rest is under way."""

    instrument: InstrumentId
    bar_seconds: int
    bars: int


class ResolveInstrument(msgspec.Struct, frozen=True):
    """Complete an instrument by the broker's contract details; answered by `InstrumentResolved` or `Unresolved`."""

    instrument: Instrument
    reply_to: Ref[InstrumentResolved | Unresolved]


class SubscribeMarket(msgspec.Struct, frozen=True):
    """Stream five-second bars, and quotes if wanted, of a resolved instrument to the connection's listeners."""

    instrument: Instrument
    quotes: bool


class ResubscribeMarket(msgspec.Struct, frozen=True):
    """Request one stream of a resolved instrument anew, whatever has become of the request before."""

    instrument: Instrument
    stream: MarketStream


class RequestHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The last `count` bars of `bar_seconds` before now, of these hours of the sessions.

    Answered by `HistoryLoaded`, on the way `HistoryProgressed`. Where the connection is lost there is no answer.
    """

    instrument: Instrument
    bar_seconds: int
    count: int
    hours: Hours = "regular"
    reply_to: Ref[HistoryLoaded | HistoryProgressed]


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """The connection holds the broker's complete answer, and the fill log has merged it up to entry `through`.

    `asked_at` (monotonic seconds) is when the broker was asked: what was sent later may be missing from the answer, and
    so may what is `unsent`, which waited in the line then. `linked`: the gateway had its link to the broker's servers
    all the while; without it, it answers from its memory, which may lack orders and fills.
    """

    connection: str
    ref: Ref[OrderAction | RequestSnapshot]
    client_id: int
    session: str
    accounts: tuple[AccountId, ...]
    next_order_id: int
    replay: BrokerSnapshot
    through: int
    asked_at: float
    linked: bool = True
    unsent: frozenset[IntentId] = frozenset()


class NotSent(msgspec.Struct, frozen=True):
    """The intent was not put on the socket, and never will be."""

    intent_id: IntentId
    reason: str


class OrderEvents(msgspec.Struct, frozen=True):
    """The order events of one packet, in its order."""

    client_id: int
    session: str
    events: tuple[BrokerOrder | BrokerStatus | BrokerError, ...]


class PositionsChanged(msgspec.Struct, frozen=True):
    positions: tuple[BrokerPosition, ...]


class AccountChanged(msgspec.Struct, frozen=True):
    values: tuple[AccountValue, ...]


class MarketEvents(msgspec.Struct, frozen=True):
    """Bars and quotes of one packet, in its order."""

    bars: tuple[Bar, ...]
    quotes: tuple[Quote, ...]


class LinkChanged(msgspec.Struct, frozen=True):
    """The link between the gateway and IB's servers went up or down; while it is down no new risk is taken."""

    connection: str
    up: bool
    reason: str


MarketRequest = RequestSnapshot | ResolveInstrument | SubscribeMarket | ResubscribeMarket | RequestHistory
"""Requests to the data connection."""
