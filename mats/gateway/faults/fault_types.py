"""The fault types: what goes wrong, when, and for which client. A plan is a list of faults.

A fault with `request` or `message` (protocol numbers) acts on matching traffic; one with neither acts by itself,
`after` some seconds. Fields are counted from 0, the number of the message; request 0 is the handshake of a client and
message 0 the answer to it. Seconds are wall time.
"""

import re
from typing import Literal

import msgspec

from mats.gateway.faults.java_zones import java_zone
from mats.model import AccountId, InstrumentId, Side

Text = str | int | float
"""A field of a message. In answers to traffic `$3` is replaced by field 3 of what was matched, `$id` by the id of the
request, and `$order` and `$perm` by the ids of the affected order."""

Number = int | float

Phase = Literal["before", "after"]
"""Before a request is processed, or after that and before its answer is sent."""

Audience = Literal["request", "system", "ticks", "bars", "streams", "orders"]
"""The subject of an error: the matched request or order, none (-1), the open subscriptions to ticks, to bars or to
both, or all working orders."""


class PlanError(ValueError):
    """The plan cannot be read; the message says where and why."""


class GatewayFault(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="do",
    tag=lambda name: re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(),
):
    """When a fault acts, and on which clients.

    `client`: only this client id. `request`, `message`: numbers to match. `where`: regular expressions that whole
    fields must match. `known`: for order requests, only those about an order that exists (or does not). `skip`: matches
    to let pass first. `times`: matches to act on, or repetitions; None: no limit. `each`: the position of a field;
    `skip` and `times` count apart for every value of it. `chance`: the probability of acting on a match, drawn from the
    seed of the plan. `after`: seconds until it is armed or performed. `every`: seconds
    between repetitions of a fault that acts by itself. `lasting`: seconds after which it is disarmed.
    """

    client: int | None = None
    request: tuple[int, ...] = ()
    message: tuple[int, ...] = ()
    where: dict[int, str] = {}
    known: bool | None = None
    skip: int = 0
    times: int | None = None
    each: int | None = None
    chance: float = 1.0
    after: float = 0.0
    every: float | None = None
    lasting: float | None = None

    @property
    def on_traffic(self) -> bool:
        """Whether it acts on requests or messages; else it acts by itself."""
        return bool(self.request or self.message)


# faults of the traffic


class Swallow(GatewayFault, frozen=True):
    """Discards the request or message."""


class Delay(GatewayFault, frozen=True):
    """Delays it by `seconds`; without them until `release`. Later traffic is not delayed."""

    seconds: float | None = None


class Reorder(GatewayFault, frozen=True):
    """Collects `count` of them and passes them on in `order` (positions from 0; empty: shuffled by the seed); after
    `seconds`, those collected so far."""

    count: int
    order: tuple[int, ...] = ()
    seconds: float = 0.2


class DuplicateMessage(GatewayFault, frozen=True, tag="duplicate"):
    """Delivers it `copies` more times."""

    copies: int = 1


class Edit(GatewayFault, frozen=True):
    """Replaces fields: by position (`set`), or every field that equals a text (`replace`)."""

    set: dict[int, Text] = {}
    replace: dict[str, Text] = {}


EXTREMES: tuple[Text, ...] = (
    "", "0", "-1", "nan", "-inf", "1e400", "1.7976931348623157E308", "9" * 40, "2147483647", "99991231 23:59:59 UTC",
    "garbage", "x" * 5_000, "../../x", "\u2028", "\udcff", "\n",
)  # fmt: skip
"""What a field may hold at worst: nothing, no number, too large a one, and texts that break files and tables."""


class Fuzz(GatewayFault, frozen=True):
    """Replaces one field by one of `values`, both drawn by the seed: one of `fields`, or any but the number."""

    fields: tuple[int, ...] = ()
    values: tuple[Text, ...] = EXTREMES


class AnswerRequest(GatewayFault, frozen=True, tag="answer"):
    """Sends these messages, or this error, instead of processing the request or sending the message."""

    messages: tuple[tuple[Text, ...], ...] = ()
    code: int = 0
    text: str = ""


# faults of connections


class Drop(GatewayFault, frozen=True):
    """Closes the connection, or with `hard` resets it."""

    hard: bool = False
    place: Phase = "before"


class StopReading(GatewayFault, frozen=True):
    """Stops reading from the socket of the client for `seconds`."""

    seconds: float


class SplitFrame(GatewayFault, frozen=True, tag="split"):
    """Writes in fragments of `size` bytes, `pause` seconds apart."""

    size: int = 1
    pause: float = 0.0


class Truncate(GatewayFault, frozen=True):
    """Writes half of the frame and closes the connection."""


class Refuse(GatewayFault, frozen=True):
    """Closes the port for `seconds`; existing connections stay."""

    seconds: float


class Reserve(GatewayFault, frozen=True):
    """Keeps a client id in use for `seconds` after its connection has ended."""

    seconds: float


class Restart(GatewayFault, frozen=True):
    """Restarts the gateway, which listens again after `seconds`: all connections are closed, subscriptions and
    untransmitted orders are lost, stored state stays. `rewind`: how many order ids of each client are issued again.
    `checkpoint`: the state of the last `checkpoint` is restored."""

    seconds: float = 0.0
    rewind: int = 0
    checkpoint: bool = False


class Checkpoint(GatewayFault, frozen=True):
    """Saves accounts, orders, executions and ids for a later `restart`."""


class Connectivity(GatewayFault, frozen=True):
    """Connectivity to IB: 1100 lost (market data stops), 1102 restored, 1101 restored without subscriptions."""

    code: Literal[1100, 1101, 1102]


class Silence(GatewayFault, frozen=True):
    """The market data subscriptions that are open send nothing more, and nothing says so; new ones do."""


class Permission(GatewayFault, frozen=True):
    """Gives or takes the permission for live data of an instrument: without it a subscription gets 354 or delayed data,
    one to bars 420, and the open ones send nothing more."""

    instrument: InstrumentId
    live: bool


class Zone(GatewayFault, frozen=True):
    """Writes the times in a message in the zone of the machine, by the name that Java gives it; an empty `name` means
    times of UTC behind two blanks, without a zone. Raises PlanError for a name whose clock is not known."""

    name: str

    def __post_init__(self) -> None:
        java_zone(self.name)


# messages and actions of the gateway


class Push(GatewayFault, frozen=True):
    """Sends messages unchanged."""

    messages: tuple[tuple[Text, ...], ...]


class Error(GatewayFault, frozen=True):
    """Sends an error or notice. An empty `text` means the usual one of the code."""

    code: int
    text: str = ""
    to: Audience = "request"


class SendStatus(GatewayFault, frozen=True, tag="status"):
    """Sends a false status of the affected order."""

    status: str
    why_held: str = ""


class Release(GatewayFault, frozen=True):
    """Delivers everything that was delayed indefinitely."""


class HoldOrders(GatewayFault, frozen=True):
    """Orders are accepted and rest; only `fill` trades them."""


class ReleaseOrders(GatewayFault, frozen=True):
    """Ends `hold_orders`: orders are matched again."""


class FillOrder(GatewayFault, frozen=True, tag="fill"):
    """Fills the affected order `count` times; quantity 0 is the remainder, price 0 its limit or the market."""

    quantity: Number = 0
    price: Number = 0
    count: int = 1


class Correct(GatewayFault, frozen=True):
    """Corrects the last execution: the next revision of its id; quantity 0 is a bust, price 0 keeps the price."""

    quantity: Number
    price: Number = 0


class Twin(GatewayFault, frozen=True):
    """A modification leaves the order unchanged and creates a second one with a new permanent id."""


class ManualOrder(GatewayFault, frozen=True):
    """Enters a manual order: client 0, no reference, a negative id unless one is given."""

    instrument: InstrumentId
    side: Side
    quantity: Number
    price: Number | None = None
    account: AccountId = ""
    order_id: int | None = None


class CancelWorkingOrder(GatewayFault, frozen=True, tag="cancel_order"):
    """Cancels an order manually: the one with `perm_id`, else the affected order."""

    perm_id: int = 0


class Liquidate(GatewayFault, frozen=True):
    """The broker closes a position at the market: client 0, no reference."""

    instrument: InstrumentId
    account: AccountId = ""


class Transfer(GatewayFault, frozen=True):
    """Transfers a signed quantity without an execution or cash, at `price` per unit or the mark."""

    instrument: InstrumentId
    quantity: Number
    price: Number | None = None
    account: AccountId = ""


class Hold(GatewayFault, frozen=True):
    """Puts a position of any described contract into an account, without an execution or cash. A contract that is not
    listed is from then on. `cost` is the average cost of a unit, with the multiplier, as positions state it. A position
    of zero is reported as such, as IB does with some that have ended."""

    symbol: str
    quantity: Number
    cost: Number = 0
    sec_type: str = "STK"
    currency: str = "USD"
    con_id: int = 0
    expiry: str = ""
    strike: Number = 0
    right: str = ""
    multiplier: Number = 0
    price_magnifier: Number = 0
    exchange: str = "SMART"
    primary_exchange: str = ""
    local_symbol: str = ""
    trading_class: str = ""
    account: AccountId = ""

    @property
    def contract(self) -> dict[str, object]:
        """What is given of the contract, as a file of instruments has it."""
        given = msgspec.structs.asdict(self)
        return {name: given[name] for name in CONTRACT_FIELDS if given[name]}


CONTRACT_FIELDS = (
    "symbol", "sec_type", "currency", "con_id", "expiry", "strike", "right", "multiplier", "price_magnifier",
    "exchange", "primary_exchange", "local_symbol", "trading_class",
)  # fmt: skip


class StockSplit(GatewayFault, frozen=True):
    """Turns every `old` units held into `new`, at old / new of their average price."""

    instrument: InstrumentId
    new: int
    old: int


class ShiftClock(GatewayFault, frozen=True):
    """Shifts the gateway's clock by `seconds`."""

    seconds: float


class RollDay(GatewayFault, frozen=True):
    """Moves the clock to the next midnight UTC; executions of the previous day are no longer reported."""


AnyFault = (
    Swallow | Delay | Reorder | DuplicateMessage | Edit | Fuzz | AnswerRequest | Drop | StopReading | SplitFrame |
    Truncate | Refuse | Reserve | Restart | Checkpoint | Connectivity | Push | Error | SendStatus | Release |
    HoldOrders | ReleaseOrders | FillOrder | Correct | Twin | ManualOrder | CancelWorkingOrder | Liquidate | Transfer |
    Hold | StockSplit | Silence | Permission | Zone | ShiftClock | RollDay
)  # fmt: skip
