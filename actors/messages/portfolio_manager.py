"""Messages handled and sent by the portfolio manager."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Never

import msgspec

from actors.messages.subscription import Subscribe
from mats.ledger.books import Book
from mats.ledger.reconciliation import (
    Break,
    BreakCause,
    NettedAction,
    NettedChange,
    Transfer,
    TransferRequest,
)
from mats.ledger.valuation import AccountView, FxRates
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
from mats.runtime import Question
from mats.strategy import Position


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


class SubscribeBook(Subscribe[BookState, PositionUpdated], frozen=True):
    """Of the books of the strategy that is the topic."""


class SubscribeEquity(Subscribe[EquityChanged, Never], frozen=True):
    """Of what the strategy that is the topic may work with: each change is the whole of it."""


class RatesChanged(msgspec.Struct, frozen=True):
    """The newest exchange rates; replaces those sent before."""

    rates: FxRates


class BreaksChanged(msgspec.Struct, frozen=True):
    """What the broker holds beyond the books where they differ now; replaces what was sent before."""

    differences: Mapping[PositionKey, Decimal]


class MarksUpdated(msgspec.Struct, frozen=True):
    """Prices that changed since the last message, for the store."""

    prices: Mapping[InstrumentId, float]
    time: Nanos


class BooksReconciled(msgspec.Struct, frozen=True):
    """After entry `seq` the books of `accounts` equal the broker's positions, for the store."""

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


class Breaks(msgspec.Struct, frozen=True):
    """`open` includes candidates, which only one comparison has shown so far."""

    open: tuple[Break, ...]
    past: tuple[Break, ...]


class ReadBreaks(Question[Breaks], frozen=True):
    """Asks for the open breaks, and at most `past` of those that ended, the newest first."""

    past: int = 0


class BreakAnswered(msgspec.Struct, frozen=True):
    """These breaks are settled by the next comparison that shows them unchanged."""

    breaks: tuple[Break, ...]


class AnswerDenied(msgspec.Struct, frozen=True):
    """One sentence: why the answer does not fit the break, and what to do."""

    reason: str


class AnswerBreak(Question[BreakAnswered | AnswerDenied], frozen=True):
    """An operator says what a break is: a `Split`, a `SymbolChange`, or neither, a `Residual` for `Discretionary`."""

    break_id: str
    action: BreakCause


class AssignmentRefused(msgspec.Struct, frozen=True):
    """One sentence: why it cannot be booked, and what to do."""

    reason: str


class ReversalRequest(msgspec.Struct, frozen=True):
    """A transfer that is to be reversed."""

    id: str
    reason: str


class ProposeTransfer(Question[Transfer | AssignmentRefused], frozen=True):
    """Asks for the entries that would move quantity from one book to another, or reverse such a transfer."""

    request: TransferRequest | ReversalRequest


class ProposeNetted(Question[NettedChange | AssignmentRefused], frozen=True):
    """Asks for the entries of a split or an expiry in books that net to zero, which the broker does not show."""

    action: NettedAction


class ReadAccount(Question[tuple[AccountView, ...]], frozen=True):
    """Asks for all accounts; none while the broker has not named any."""


class PortfolioSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    books: tuple[Book, ...]
    broker: tuple[BrokerPosition, ...]
    breaks: tuple[Break, ...]
    prices: Mapping[InstrumentId, float]
    equity: Mapping[StrategyName, Decimal | None]
    totals: Mapping[AccountId, Decimal | None]
    overcommitted: Mapping[AccountId, str]
    reconciled_seconds_ago: float | None


class ReadPortfolio(Question[PortfolioSnapshot], frozen=True):
    """Asks for books, positions of the broker, breaks, prices and equities of one moment."""
