"""Executions, the broker's facts; and the entries of the fill log, those facts in the order of their booking.

`rate` of an entry is base currency for one unit of the currency of its amounts, as known at booking: 1 for the base
currency alone, None where it was not known. So P&L in base currency needs no source but the log.
"""

from decimal import Decimal

import msgspec

from mats.model.instrument import InstrumentId
from mats.model.money import ONE, ZERO, Currency
from mats.model.orders import AccountId, IntentId, Side, StrategyName
from mats.model.timestamp import Nanos


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution as the broker reports it. A correction repeats `exec_id` but for its last segment.

    `multiplier` is what a unit at a price of 1 is worth, `NOT_KNOWN` until the details of the contract are: reports do
    not state what prices are magnified by. `con_id` is IB's contract id, 0 where it was not reported.

    Source: IB's `Execution` reference: an id that differs only in the digits after the last period is a correction.
    """

    account: AccountId
    exec_id: str
    instrument: InstrumentId
    side: Side
    quantity: Decimal
    price: Decimal
    time: Nanos
    currency: Currency = "USD"
    multiplier: Decimal = ONE
    order_ref: str = ""
    perm_id: int = 0
    client_id: int = 0
    order_id: int = 0
    cumulative_quantity: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    exchange: str = ""
    con_id: int = 0

    @property
    def family(self) -> str:
        """The id without its last segment: all revisions of one execution share it. It consists of digits."""
        head, dot, tail = self.exec_id.rpartition(".")
        return head if dot and tail.isdecimal() else self.exec_id

    @property
    def revision(self) -> int:
        """The last segment as a number; the highest one of a family is effective."""
        _, dot, tail = self.exec_id.rpartition(".")
        return int(tail) if dot and tail.isdecimal() else 0

    @property
    def signed_quantity(self) -> Decimal:
        return self.quantity if self.side is Side.BUY else self.quantity.copy_negate()


class Commission(msgspec.Struct, frozen=True, kw_only=True):
    """The charge for an execution, in `currency`; it may arrive before the execution, long after it, or never."""

    exec_id: str
    amount: Decimal
    currency: Currency


class FillRecorded(msgspec.Struct, frozen=True, kw_only=True, tag="fill"):
    """Entry `seq` of the log: an execution, attributed. `intent_id` is empty when no strategy's intent caused it."""

    seq: int
    strategy: StrategyName
    intent_id: IntentId
    execution: Execution
    recorded: Nanos
    rate: Decimal | None = None


class FillCorrected(msgspec.Struct, frozen=True, kw_only=True, tag="correction"):
    """Entry `seq`: `execution` replaces `previous` of the same family; a bust is a correction to zero quantity.

    It keeps the rate of the report that it corrects, where that was known.
    """

    seq: int
    strategy: StrategyName
    intent_id: IntentId
    execution: Execution
    previous: Execution
    recorded: Nanos
    rate: Decimal | None = None


class CommissionRecorded(msgspec.Struct, frozen=True, kw_only=True, tag="commission"):
    """Entry `seq`: the commission of `execution`; `previous` is the one booked for this report before."""

    seq: int
    strategy: StrategyName
    intent_id: IntentId
    execution: Execution
    commission: Commission
    recorded: Nanos
    rate: Decimal | None = None
    previous: Commission | None = None


class AdjustmentRecorded(msgspec.Struct, frozen=True, kw_only=True, tag="adjustment"):
    """Entry `seq`: a signed quantity booked to a strategy without an execution, and the reason.

    Where `cost` is given, the book's cost and realized P&L change by exactly `cost` and `realized`, and `price` is the
    average; else the cost follows from `price`. `assignment` is the id of a transfer, common to its two legs, and
    `reverses` names the transfer that they undo.
    """

    seq: int
    strategy: StrategyName
    account: AccountId
    instrument: InstrumentId
    quantity: Decimal
    price: Decimal
    currency: Currency
    multiplier: Decimal
    reason: str
    recorded: Nanos
    rate: Decimal | None = None
    cost: Decimal | None = None
    realized: Decimal = ZERO
    assignment: str = ""
    reverses: str = ""


Entry = FillRecorded | FillCorrected | CommissionRecorded | AdjustmentRecorded
"""One entry of the fill log; `seq` counts from 1 without a gap."""
