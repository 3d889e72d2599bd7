"""Reports of a broker connection: live, paper gateway or simulated."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum, StrEnum
from typing import Literal

import msgspec

from mats.model.executions import Commission, Execution
from mats.model.instrument import Instrument, InstrumentId
from mats.model.money import Currency
from mats.model.orders import AccountId, Side


class BrokerOrderStatus(StrEnum):
    """What the broker says of an order's life, whatever words it has for it."""

    PENDING_SUBMIT = "PENDING_SUBMIT"
    """On its way; no exchange has it yet."""
    WORKING = "WORKING"
    """At an exchange, or held by the broker until a condition is met."""
    PENDING_CANCEL = "PENDING_CANCEL"
    """A cancel is on its way; the order may still fill."""
    CANCELLED = "CANCELLED"
    FILLED = "FILLED"
    INACTIVE = "INACTIVE"
    """Refused, or held and able to come back."""
    UNKNOWN = "UNKNOWN"
    """A word that is not known here: it decides nothing."""


class OrderErrorMeaning(Enum):
    """What an error says about the order that it names. It is read together with the order's state."""

    REJECTED = "the broker refused the order"
    INVALID = "the request failed validation: a new order is dead, a working one lives on unchanged"
    CANCELLED = "the order is cancelled"
    CANCEL_REFUSED = "the cancel did not take: the order may be working, filled or gone"
    MODIFY_REFUSED = "the change did not take: the order lives on as it was"
    WARNING = "the order lives; its owner should read the text"
    INFORMATION = "nothing changed"
    UNCLEAR = "the error decides nothing: ask the broker"


class BrokerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the broker lists it. `status_text` is its own word for the status, empty where it has none."""

    order_ref: str
    client_id: int
    order_id: int
    perm_id: int
    account: AccountId
    instrument: InstrumentId
    side: Side
    quantity: Decimal
    order_type: str
    status: BrokerOrderStatus
    status_text: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    filled: Decimal = Decimal(0)
    completed: bool = False
    note: str = ""


class BrokerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A hint, never a fact about fills. It may be missing, repeated or out of order.

    `status_text` is the broker's own word for the status, empty where it has none.
    """

    client_id: int
    order_id: int
    perm_id: int
    status: BrokerOrderStatus
    filled: Decimal
    remaining: Decimal
    average_price: Decimal
    status_text: str = ""
    why_held: str = ""


class BrokerError(msgspec.Struct, frozen=True, kw_only=True):
    """An error or notice; `request_id` is an order id, a request id, or -1 for the connection itself.

    `meaning` is what it says about an order, where it names one; `code` and `text` are the broker's own, to be shown.
    """

    request_id: int
    code: int
    text: str
    meaning: OrderErrorMeaning


class BrokerPosition(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's net position; `average_cost` is per unit, times the multiplier, as IB reports it.

    `multiplier` is that of an `Execution`; `con_id` is IB's contract id, 0 where it was not reported.
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

    @property
    def number(self) -> Decimal | None:
        """The value as a finite number, None where it is a text."""
        try:
            number = Decimal(self.value)
        except InvalidOperation:
            return None
        return number if number.is_finite() else None


class BrokerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's complete state, which a connection must merge before it is ready."""

    executions: tuple[Execution, ...]
    commissions: tuple[Commission, ...]
    open_orders: tuple[BrokerOrder, ...]
    completed_orders: tuple[BrokerOrder, ...]
    positions: tuple[BrokerPosition, ...]
    instruments: tuple[Instrument, ...] = ()


class UndecodedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message by its fields as they were received, why it could not be used, and what it is about.

    What cannot be read is empty. `lasting` are the fields that are the same whenever the message is sent; `execution`
    has the fields of an execution by our names for them, as text.
    """

    fields: tuple[str, ...]
    reason: str
    about: Literal["execution", "commission", "position", ""] = ""
    lasting: tuple[str, ...] = ()
    account: AccountId = ""
    instrument: InstrumentId = ""
    exec_id: str = ""
    execution: Mapping[str, str] = {}

    @property
    def text(self) -> str:
        """One line for the log."""
        return f"{self.reason} in message {list(self.fields)}"
