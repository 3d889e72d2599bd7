"""The summary of a run: totals, positions and results."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from mats.ledger.books import Book
from mats.ledger.valuation import AccountView
from mats.model import (
    DISCRETIONARY,
    ZERO,
    AccountId,
    BrokerPosition,
    Figure,
    InstrumentId,
    StrategyName,
    Unknown,
    exact,
)

Number = int | float


class PositionResult(msgspec.Struct, frozen=True, kw_only=True):
    """One account and instrument: who holds what, and the broker's position, null when it did not answer."""

    account: AccountId
    symbol: InstrumentId
    strategies: dict[StrategyName, Number]
    discretionary: Number
    broker: Number | None

    @property
    def agrees(self) -> bool:
        held = sum(map(exact, (*self.strategies.values(), self.discretionary)), ZERO)
        return self.broker is not None and held == exact(self.broker)


class StrategyResult(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy in an account, in the base currency; null: unknown. `realized` is before commissions."""

    account: AccountId
    strategy: StrategyName
    equity: Number | None
    gross: Number | None
    net: Number | None
    realized: Number | None
    unrealized: Number | None
    commissions: Number | None


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of the data directory, and what this run saw. An unknown figure is null, never 0.

    `parked` has by actor why it is down, `faults` by strategy why it was never started.
    """

    orders: int
    fills: int
    fills_stored: int | None
    gateway_executions: int | None
    positions: tuple[PositionResult, ...]
    strategies: tuple[StrategyResult, ...] = ()
    breaks: int
    dead_letters: int
    restarts: int
    parked: dict[str, str]
    faults: dict[StrategyName, str] = {}
    abandoned: tuple[str, ...]


def position_results(books: Iterable[Book], broker: Iterable[BrokerPosition] | None) -> tuple[PositionResult, ...]:
    """Every account and instrument that a book or the broker has a position in."""
    held = None if broker is None else {(p.account, p.instrument): p.quantity for p in broker}
    shares: dict[tuple[AccountId, InstrumentId], dict[StrategyName, Decimal]] = {}
    for book in books:
        shares.setdefault((book.account, book.instrument), {})[book.strategy] = book.quantity
    for key in held or ():
        shares.setdefault(key, {})
    return tuple(
        _line(account, symbol, shares[account, symbol], None if held is None else held.get((account, symbol), ZERO))
        for account, symbol in sorted(shares)
    )


def strategy_results(views: Iterable[AccountView]) -> tuple[StrategyResult, ...]:
    """Every strategy of every account."""
    return tuple(
        StrategyResult(
            account=view.account,
            strategy=line.strategy,
            equity=_known(line.equity),
            gross=_known(line.result.gross),
            net=_known(line.result.net),
            realized=_known(line.result.realized),
            unrealized=_known(line.result.unrealized),
            commissions=_known(line.result.commissions),
        )
        for view in views
        for line in view.strategies
    )


def _known(figure: Figure | None) -> Number | None:
    return None if figure is None or isinstance(figure, Unknown) else _number(figure)


def _line(
    account: AccountId, symbol: InstrumentId, shares: Mapping[StrategyName, Decimal], broker: Decimal | None
) -> PositionResult:
    return PositionResult(
        account=account,
        symbol=symbol,
        strategies={name: _number(quantity) for name, quantity in sorted(shares.items()) if name != DISCRETIONARY},
        discretionary=_number(shares.get(DISCRETIONARY, ZERO)),
        broker=None if broker is None else _number(broker),
    )


def _number(quantity: Decimal) -> Number:
    return int(quantity) if quantity == quantity.to_integral_value() else float(quantity)
