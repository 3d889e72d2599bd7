"""An order at the venue, with what became of it."""

from decimal import Decimal

import msgspec

from mats.model.instrument import InstrumentId
from mats.model.money import ZERO
from mats.model.orders import AccountId, OrderType, Side, TimeInForce
from mats.model.timestamp import Nanos

PRE_SUBMITTED = "PreSubmitted"
SUBMITTED = "Submitted"
FILLED = "Filled"
CANCELLED = "Cancelled"


class Order(msgspec.Struct, kw_only=True):
    """An order. `status` is IB's word; `value` is the sum of quantity times price of its fills.

    `elected` says that a stop has been touched; `fee` is what its fills cost so far, in `fee_currency`.
    """

    perm_id: int
    client_id: int
    order_id: int
    account: AccountId
    instrument: InstrumentId
    side: Side
    quantity: Decimal
    order_type: OrderType
    tif: TimeInForce = TimeInForce.DAY
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    order_ref: str = ""
    outside_rth: bool = False
    parent_id: int = 0
    submitted: Nanos = 0
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
    def waits_for_stop(self) -> bool:
        return self.order_type in (OrderType.STOP, OrderType.STOP_LIMIT) and not self.elected

    @property
    def limit(self) -> Decimal | None:
        """The worst price that it may trade at, None for any."""
        return self.limit_price if self.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None

    def fill(self, quantity: Decimal, price: Decimal) -> None:
        """Books a fill of a positive quantity; the last one makes it `Filled`."""
        self.filled += quantity
        self.value += quantity * price
        self.last_price = price
        self.status = FILLED if not self.remaining else SUBMITTED
