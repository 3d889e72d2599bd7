"""Orders of the venue: types, terms and state."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from mats.model import ZERO, AccountId, InstrumentId, Nanos, Side

PRE_SUBMITTED = "PreSubmitted"
SUBMITTED = "Submitted"
FILLED = "Filled"
CANCELLED = "Cancelled"


class OrderKind(StrEnum):
    """The supported order types, by IB's names."""

    MARKET = "MKT"
    LIMIT = "LMT"
    STOP = "STP"
    STOP_LIMIT = "STP LMT"
    TRAIL = "TRAIL"
    TRAIL_LIMIT = "TRAIL LIMIT"
    MARKET_IF_TOUCHED = "MIT"
    LIMIT_IF_TOUCHED = "LIT"
    MARKET_ON_CLOSE = "MOC"
    LIMIT_ON_CLOSE = "LOC"


class Lifetime(StrEnum):
    """The supported times in force, by IB's names."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTD = "GTD"


LIMITED = frozenset({"LMT", "STP LMT", "TRAIL LIMIT", "LIT", "LOC"})
TRAILING = frozenset({"TRAIL", "TRAIL LIMIT"})
STOPPED = frozenset({"STP", "STP LMT"}) | TRAILING
TOUCHED = frozenset({"MIT", "LIT"})
ON_CLOSE = frozenset({"MOC", "LOC"})
IMMEDIATE = frozenset({"IOC", "FOK"})


class OrderTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of an order that may be changed while it works.

    `stop_price` is the trigger of stops and if-touched orders; for a trailing stop it is the current stop, None until
    the first quote. A trailing stop has either a `trail_amount` or a `trail_percent`; `limit_offset` is how far the
    limit of a `TRAIL LIMIT` lies beyond its stop. `good_till` is when a GTD order expires.
    """

    quantity: Decimal
    order_type: OrderKind
    tif: Lifetime = Lifetime.DAY
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    good_till: Nanos = 0
    outside_rth: bool = False


class VenueOrder(msgspec.Struct, kw_only=True):
    """An order. `status` is IB's status; `value` is the sum of quantity times price of its fills.

    `elected` says that its trigger has been reached; `fee` is the cost of its fills so far, in the base currency.
    `priority` is its time priority among all orders of the venue, `expires` when it expires (0: never), and `awaits`
    what holds it back: `child` (its parent is not filled), `locate` (shares to sell short), or nothing.
    """

    perm_id: int
    client_id: int
    order_id: int
    account: AccountId
    instrument: InstrumentId
    side: Side
    quantity: Decimal
    order_type: OrderKind
    tif: Lifetime = Lifetime.DAY
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    good_till: Nanos = 0
    outside_rth: bool = False
    order_ref: str = ""
    parent_id: int = 0
    parent_perm_id: int = 0
    oca_group: str = ""
    oca_type: int = 3
    submitted: Nanos = 0
    expires: Nanos = 0
    priority: int = 0
    awaits: str = ""
    status: str = PRE_SUBMITTED
    filled: Decimal = ZERO
    value: Decimal = ZERO
    last_price: Decimal = ZERO
    fee: Decimal = ZERO
    elected: bool = False
    completed: Nanos = 0
    note: str = ""

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def average_price(self) -> Decimal:
        return self.value / self.filled if self.filled else ZERO

    @property
    def working(self) -> bool:
        return self.status in (PRE_SUBMITTED, SUBMITTED)

    @property
    def waits_for_trigger(self) -> bool:
        return (self.order_type in STOPPED or self.order_type in TOUCHED) and not self.elected

    @property
    def why_held(self) -> str:
        """What holds the order back, in IB's terms."""
        trigger = ("trigger",) if self.waits_for_trigger and self.working else ()
        return ",".join((self.awaits, *trigger) if self.awaits else trigger)

    @property
    def limit(self) -> Decimal | None:
        """The worst price at which it may trade, None for any."""
        return self.limit_price if self.order_type in LIMITED else None

    @property
    def terms(self) -> OrderTerms:
        return OrderTerms(**{name: getattr(self, name) for name in OrderTerms.__struct_fields__})

    def apply(self, terms: OrderTerms) -> None:
        for name in OrderTerms.__struct_fields__:
            setattr(self, name, getattr(terms, name))

    def fill(self, quantity: Decimal, price: Decimal) -> None:
        """Applies a fill of a positive quantity; the last one sets the status to `Filled`."""
        self.filled += quantity
        self.value += quantity * price
        self.last_price = price
        self.status = FILLED if not self.remaining else SUBMITTED
