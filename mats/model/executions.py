"""Executions, the broker's facts; and the entries of the fill log, those facts in the order of their booking.

`rate` of an entry is base currency for one unit of the currency of its amounts, as known at booking: 1 for the base
currency alone, None where it was not known. Whoever reads the log needs no other source for results in base currency.
"""

from decimal import Decimal

import msgspec

from mats.model.instrument import InstrumentId
from mats.model.money import ONE, ZERO, Currency
from mats.model.orders import AccountId, IntentId, Side, StrategyName
from mats.model.timestamp import Nanos


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution as the broker reports it. A correction repeats `exec_id` but for its last segment.

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

    @property
    def family(self) -> str:
        """The id without its last segment: all revisions of one execution share it. A last segment counts in digits."""
        head, dot, tail = self.exec_id.rpartition(".")
        return head if dot and tail.isdecimal() else self.exec_id

    @property
    def revision(self) -> int:
        """The last segment as a number; the highest one of a family holds."""
        _, dot, tail = self.exec_id.rpartition(".")
        return int(tail) if dot and tail.isdecimal() else 0

    @property
    def signed_quantity(self) -> Decimal:
        return self.quantity if self.side is Side.BUY else self.quantity.copy_negate()


class Commission(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution cost, in `currency`; it may arrive before the execution, long after it, or never."""

    exec_id: str
    amount: Decimal
    currency: Currency


class FillRecorded(msgspec.Struct, frozen=True, kw_only=True, tag="fill"):
    """Entry `seq` of the log: an execution, attributed. `intent_id` is empty when no intent of ours caused it."""

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
    """Entry `seq`: what the fill of `execution` cost; `previous` is what was booked for this very report before."""

    seq: int
    strategy: StrategyName
    intent_id: IntentId
    execution: Execution
    commission: Commission
    recorded: Nanos
    rate: Decimal | None = None
    previous: Commission | None = None


class AdjustmentRecorded(msgspec.Struct, frozen=True, kw_only=True, tag="adjustment"):
    """Entry `seq`: a signed quantity booked to a strategy (as a rule `Discretionary`) with no execution, and why.

    Where `cost` is stated, the book's cost and realised result change by exactly `cost` and `realized`, `price` only
    tells the average; else the cost follows from `price`. `assignment` is common to the two legs of an assignment, and
    `reverses` names the assignment that they undo.
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
"""One line of the fill log; `seq` counts from 1 without a gap."""
