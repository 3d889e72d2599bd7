"""Reports of a broker connection: live, paper gateway or simulated."""

from decimal import Decimal

import msgspec

from mats.model.executions import Commission, Execution
from mats.model.instrument import Instrument, InstrumentId
from mats.model.money import Currency
from mats.model.orders import AccountId, Side


class BrokerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the broker describes it (openOrder, completedOrder). `status` is as IB writes it."""

    order_ref: str
    client_id: int
    order_id: int
    perm_id: int
    account: AccountId
    instrument: InstrumentId
    side: Side
    quantity: Decimal
    order_type: str
    status: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    filled: Decimal = Decimal(0)
    completed: bool = False
    note: str = ""


class BrokerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """orderStatus: a hint, never a fact about fills. It may be missing, repeated or out of order."""

    client_id: int
    order_id: int
    perm_id: int
    status: str
    filled: Decimal
    remaining: Decimal
    average_price: Decimal
    why_held: str = ""


class BrokerError(msgspec.Struct, frozen=True, kw_only=True):
    """An error or notice; `request_id` is an order id, a request id, or -1 for the connection itself."""

    request_id: int
    code: int
    text: str


class BrokerPosition(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's net position; `average_cost` is per unit, times the multiplier, as IB reports it.

    `con_id` is IB's contract id, 0 where it was not reported.
    """

    account: AccountId
    instrument: InstrumentId
    quantity: Decimal
    average_cost: Decimal
    currency: Currency = "USD"
    multiplier: Decimal = Decimal(1)
    con_id: int = 0


class AccountValue(msgspec.Struct, frozen=True, kw_only=True):
    """One account value, for example tag `NetLiquidation`, value `1000000.00`, currency `USD`."""

    account: AccountId
    tag: str
    value: str
    currency: Currency


class BrokerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's complete state, which a connection must merge before it is ready."""

    executions: tuple[Execution, ...]
    commissions: tuple[Commission, ...]
    open_orders: tuple[BrokerOrder, ...]
    completed_orders: tuple[BrokerOrder, ...]
    positions: tuple[BrokerPosition, ...]
    instruments: tuple[Instrument, ...] = ()
