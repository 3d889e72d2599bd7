"""The vocabulary of faults: what can go wrong, when, and to whom. A plan is a list of them.

A fault that names requests or messages (by the numbers of the protocol) looks at the traffic and acts on each match;
one that names neither acts by itself, `after` so many seconds. Fields are counted from 0, the number of the message;
request 0 is the greeting of a client and message 0 the answer to it. Seconds are wall time.
"""

import re
from typing import Literal

import msgspec

from mats.model import AccountId, InstrumentId, Side

Text = str | int | float
"""A field of a message. In answers to traffic `$3` stands for field 3 of what was matched, `$id` for the id of the
request, and `$order` and `$perm` for the ids of the order concerned."""

Number = int | float

Phase = Literal["before", "after"]
"""Whether it happens before a request is processed, or after that and before its answer leaves."""

Audience = Literal["request", "system", "ticks", "bars", "orders"]
"""What an error is about: the matched request or order, nothing (-1), or all open lines or working orders."""


class GatewayFault(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="do",
    tag=lambda name: re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(),
):
    """When and to whom.

    `client`: only this client id. `request`, `message`: numbers that it matches. `where`: regular expressions that
    whole fields must match. `known`: of requests about orders, only those about an order that exists (or does not).
    `skip`: matches to let pass first. `times`: matches to act on, or repetitions; None: all matches, or repeated for
    ever. `chance`: of acting on a match, drawn from the seed of the plan. `after`: seconds until it is armed or done.
    `every`: seconds between repetitions of what acts by itself. `lasting`: seconds after which it is disarmed.
    """

    client: int | None = None
    request: tuple[int, ...] = ()
    message: tuple[int, ...] = ()
    where: dict[int, str] = {}
    known: bool | None = None
    skip: int = 0
    times: int | None = None
    chance: float = 1.0
    after: float = 0.0
    every: float | None = None
    lasting: float | None = None

    @property
    def on_traffic(self) -> bool:
        """Whether it waits for requests or messages; else it acts by itself."""
        return bool(self.request or self.message)


# what happens to the traffic itself


class Swallow(GatewayFault, frozen=True):
    """It never arrives."""


class Delay(GatewayFault, frozen=True):
    """It arrives later: after `seconds`, or where that is none when `release` is done. What comes behind it passes."""

    seconds: float | None = None


class Reorder(GatewayFault, frozen=True):
    """Gathers `count` of them and lets them go in `order` (positions from 0; empty: shuffled by the seed), or after
    `seconds` as many as there are."""

    count: int
    order: tuple[int, ...] = ()
    seconds: float = 0.2


class DuplicateMessage(GatewayFault, frozen=True, tag="duplicate"):
    """It arrives `copies` more times."""

    copies: int = 1


class Edit(GatewayFault, frozen=True):
    """Some of its fields are replaced: by position, or every field that equals a text."""

    set: dict[int, Text] = {}
    replace: dict[str, Text] = {}


class AnswerRequest(GatewayFault, frozen=True, tag="answer"):
    """The gateway says these messages in place of what it would have done or said."""

    messages: tuple[tuple[Text, ...], ...] = ()
    code: int = 0
    text: str = ""


# what happens to connections


class Drop(GatewayFault, frozen=True):
    """Ends the connection: in order, or `hard` with a reset."""

    hard: bool = False
    place: Phase = "before"


class StopReading(GatewayFault, frozen=True):
    """The gateway leaves what the client writes in the socket, for `seconds`."""

    seconds: float


class SplitFrame(GatewayFault, frozen=True, tag="split"):
    """What is written goes out in pieces of `size` bytes, `pause` seconds apart."""

    size: int = 1
    pause: float = 0.0


class Truncate(GatewayFault, frozen=True):
    """Half of its frame is written, and then the connection ends."""


class Refuse(GatewayFault, frozen=True):
    """The port is shut for `seconds`; those who are connected stay."""

    seconds: float


class Reserve(GatewayFault, frozen=True):
    """A client id stays taken for `seconds` after its connection has ended."""

    seconds: float


class Restart(GatewayFault, frozen=True):
    """The gateway ends and comes back after `seconds`: every connection ends, subscriptions and untransmitted orders
    are lost, what is stored stays. `rewind`: so many order ids of each client are handed out again. `checkpoint`:
    everything is as it was at the last `checkpoint`."""

    seconds: float = 0.0
    rewind: int = 0
    checkpoint: bool = False


class Checkpoint(GatewayFault, frozen=True):
    """Remembers accounts, orders, executions and ids as they are now."""


class Connectivity(GatewayFault, frozen=True):
    """The line to IB: 1100 lost (market data stops), 1102 back, 1101 back without subscriptions."""

    code: Literal[1100, 1101, 1102]


# what the gateway says and does


class Push(GatewayFault, frozen=True):
    """Sends messages as they stand."""

    messages: tuple[tuple[Text, ...], ...]


class Error(GatewayFault, frozen=True):
    """Sends an error or notice. An empty `text` becomes the usual one."""

    code: int
    text: str = ""
    to: Audience = "request"


class SendStatus(GatewayFault, frozen=True, tag="status"):
    """Says a status of the order concerned that it does not have."""

    status: str
    why_held: str = ""


class Release(GatewayFault, frozen=True):
    """Lets everything go that was delayed without an end."""


class HoldOrders(GatewayFault, frozen=True):
    """Orders are accepted and rest; nothing trades but what `fill` forces."""


class ReleaseOrders(GatewayFault, frozen=True):
    """Orders meet the market again."""


class FillOrder(GatewayFault, frozen=True, tag="fill"):
    """Fills the order concerned `times` over; quantity 0 is all that remains, price 0 its limit or the market."""

    quantity: Number = 0
    price: Number = 0
    count: int = 1


class Correct(GatewayFault, frozen=True):
    """Corrects the last execution: the next revision of its id; quantity 0 is a bust, price 0 leaves it."""

    quantity: Number
    price: Number = 0


class Twin(GatewayFault, frozen=True):
    """A change of a working order leaves it as it is and makes a second one with a new permanent id."""


class ManualOrder(GatewayFault, frozen=True):
    """An order by a person at the gateway: client 0, no reference, a negative id unless one is given."""

    instrument: InstrumentId
    side: Side
    quantity: Number
    price: Number | None = None
    account: AccountId = ""
    order_id: int | None = None


class CancelWorkingOrder(GatewayFault, frozen=True, tag="cancel_order"):
    """The order concerned is cancelled by a person, or by its permanent id."""

    perm_id: int = 0


class Liquidate(GatewayFault, frozen=True):
    """The broker closes a position itself, at the market: client 0, no reference."""

    instrument: InstrumentId
    account: AccountId = ""


class Transfer(GatewayFault, frozen=True):
    """A signed quantity comes in (or leaves) without an execution or cash, at `price` for one unit or the mark."""

    instrument: InstrumentId
    quantity: Number
    price: Number | None = None
    account: AccountId = ""


class StockSplit(GatewayFault, frozen=True):
    """Every `old` units that anybody holds become `new`, at old / new of their average price."""

    instrument: InstrumentId
    new: int
    old: int


class ShiftClock(GatewayFault, frozen=True):
    """The gateway's clock jumps by so many seconds."""

    seconds: float


class RollDay(GatewayFault, frozen=True):
    """The clock jumps to the next midnight UTC; the executions of the day before are no longer reported."""


AnyFault = (
    Swallow | Delay | Reorder | DuplicateMessage | Edit | AnswerRequest | Drop | StopReading | SplitFrame | Truncate |
    Refuse | Reserve | Restart | Checkpoint | Connectivity | Push | Error | SendStatus | Release | HoldOrders |
    ReleaseOrders | FillOrder | Correct | Twin | ManualOrder | CancelWorkingOrder | Liquidate | Transfer | StockSplit |
    ShiftClock | RollDay
)  # fmt: skip
