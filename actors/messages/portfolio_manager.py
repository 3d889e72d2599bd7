"""What the portfolio manager understands and says."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from mats.ledger.books import Book
from mats.ledger.reconciliation import Break, BreakCause, NettedAction, TransferRequest
from mats.ledger.valuation import FxRates
from mats.model import (
    AccountId,
    AccountValue,
    BrokerPosition,
    FillRecorded,
    InstrumentId,
    Nanos,
    PositionKey,
    StrategyName,
    StrategyRecord,
)
from mats.runtime import Ref
from mats.strategy import Position


class SubscribeBook(msgspec.Struct, frozen=True):
    """A strategy (re)started: it gets `BookState` now, `PositionUpdated` and `EquityChanged` from then on."""

    strategy: StrategyName
    follower: Ref


class BookState(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy's positions after entry `seq`, and its equity in the base currency if that is known."""

    positions: tuple[Position, ...]
    equity: Decimal | None
    seq: int


class PositionUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """Entry `seq` is in the strategy's book; `fill` is the execution, None for corrections, costs and adjustments."""

    seq: int
    position: Position
    fill: FillRecorded | None


class EquityChanged(msgspec.Struct, frozen=True):
    """What the strategy may work with, in the base currency; None when it is not known."""

    strategy: StrategyName
    equity: Decimal | None


class RatesChanged(msgspec.Struct, frozen=True):
    """The newest exchange rates; replaces those sent before."""

    rates: FxRates


class BreaksChanged(msgspec.Struct, frozen=True):
    """Where books and broker differ now; replaces the list sent before."""

    places: frozenset[PositionKey]


class MarksUpdated(msgspec.Struct, frozen=True):
    """Prices that moved since they were last told, for the store."""

    prices: Mapping[InstrumentId, float]
    time: Nanos


class BooksReconciled(msgspec.Struct, frozen=True):
    """After entry `seq` the books of `accounts` were found equal to the broker's positions, for the store."""

    seq: int
    accounts: tuple[AccountId, ...]


class AccountUpdated(msgspec.Struct, frozen=True):
    """Everything the broker says about an account, for the store."""

    account: AccountId
    values: tuple[AccountValue, ...]


class AccountsDiscovered(msgspec.Struct, frozen=True):
    """The broker's accounts; the first one is where strategies trade whose record names none."""

    accounts: tuple[AccountId, ...]


class SetWeights(msgspec.Struct, frozen=True):
    """Which strategies take part, their accounts and their weights."""

    records: tuple[StrategyRecord, ...]


class EquityOverridden(msgspec.Struct, frozen=True):
    """An explicit equity in the store is not what it was: read them all again."""


class Reconcile(msgspec.Struct, frozen=True):
    """Compare with the broker now."""


class ReadBreaks(msgspec.Struct, frozen=True):
    """Asks for `Breaks`: the open ones, and at most `past` of those that ended, the newest first."""

    past: int = 0


class Breaks(msgspec.Struct, frozen=True):
    """`open` includes candidates, which one look alone has shown."""

    open: tuple[Break, ...]
    past: tuple[Break, ...]


class AnswerBreak(msgspec.Struct, frozen=True):
    """An operator says what a break is: a `Split`, a `SymbolChange`, or none of it, a `Residual` for `Discretionary`.

    Asked; the answer is `BreakAnswered` or `AnswerDenied`.
    """

    break_id: str
    action: BreakCause


class BreakAnswered(msgspec.Struct, frozen=True):
    """These breaks are settled by the next comparison that shows them unchanged."""

    breaks: tuple[Break, ...]


class AnswerDenied(msgspec.Struct, frozen=True):
    """One sentence: why it cannot be, and the mend."""

    reason: str


class ProposeAssignment(msgspec.Struct, frozen=True):
    """Asks what moving quantity between two books would make of them: an `Assignment`, or `AssignmentRefused`."""

    move: TransferRequest


class ProposeReversal(msgspec.Struct, frozen=True):
    """Asks what taking an assignment back would do: an `Assignment`, or `AssignmentRefused`."""

    id: str
    reason: str


class ProposeNetted(msgspec.Struct, frozen=True):
    """Asks what a split or an expiry that the broker does not show would make of the books: a `NettedChange`, or
    `AssignmentRefused`."""

    wish: NettedAction


class AssignmentRefused(msgspec.Struct, frozen=True):
    """One sentence: why it cannot be, and the mend."""

    reason: str


class ReadAccount(msgspec.Struct, frozen=True):
    """Asks for the `AccountView` of each account: a tuple, empty while the broker has not named any."""


class ReadPortfolio(msgspec.Struct, frozen=True):
    """Asks for `PortfolioSnapshot`."""


class PortfolioSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    books: tuple[Book, ...]
    broker: tuple[BrokerPosition, ...]
    breaks: tuple[Break, ...]
    prices: Mapping[InstrumentId, float]
    equity: Mapping[StrategyName, Decimal | None]
    totals: Mapping[AccountId, Decimal | None]
    overcommitted: Mapping[AccountId, str]
    reconciled_seconds_ago: float | None
