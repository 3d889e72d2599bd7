"""What a backtest gave, before anything is measured, stored or drawn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, TypeVar, overload

import msgspec

from mats.backtest.spec import BacktestSpec
from mats.ledger.books import Trade
from mats.model import (
    ZERO,
    AdjustmentRecorded,
    Currency,
    FillRecorded,
    InstrumentId,
    Nanos,
    OrderView,
    Signal,
    StrategyName,
)
from mats.model.bar_columns import Floats, Instants

RunState = Literal["complete", "failed"]

T = TypeVar("T")


class Records(Sequence[T]):
    """A tuple that `make` makes when it is first needed. Equal to any tuple of the same records; pickled as one."""

    def __init__(self, make: Callable[[], Sequence[T]]) -> None:
        self._make: Callable[[], Sequence[T]] | None = make
        self._made: tuple[T, ...] = ()

    def whole(self) -> tuple[T, ...]:
        """All of them."""
        if self._make is not None:
            self._made, self._make = tuple(self._make()), None
        return self._made

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...

    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self.whole()[index]

    def __len__(self) -> int:
        return len(self.whole())

    def __iter__(self) -> Iterator[T]:
        return iter(self.whole())

    def __eq__(self, other: object) -> bool:
        return self.whole() == (other.whole() if isinstance(other, Records) else other)

    def __hash__(self) -> int:
        return hash(self.whole())

    def __repr__(self) -> str:
        return repr(self.whole())

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (self.whole(),)


class RuledFill(msgspec.Struct, frozen=True):
    """A fill, what it cost, and the rule of the simulated market that made it, for example `open` or `limit-touch`."""

    fill: FillRecorded
    commission: Decimal
    commission_currency: Currency
    rule: str


class Curve(msgspec.Struct, frozen=True, eq=False):
    """At each close of the run's timeline, in the base currency, commissions and borrow already paid.

    `equity` is cash plus the value of all positions; of one strategy it is its share of the capital plus its result.
    """

    time: Instants
    equity: Floats
    cash: Floats
    gross: Floats
    net: Floats


class CashEvent(msgspec.Struct, frozen=True):
    """Money that moved without a fill: a dividend, the cost of borrowed shares, cash in place of a fraction."""

    time: Nanos
    strategy: StrategyName
    instrument: InstrumentId
    kind: Literal["dividend", "borrow", "split-cash"]
    amount: Decimal
    currency: Currency


class BacktestRun(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A run that came to its end, or to the failure that `failure` describes: then everything up to there is kept.

    Orders, fills and trades may be made only when they are first looked at; they are equal to tuples of the same.
    """

    spec: BacktestSpec
    state: RunState
    failure: str = ""
    bars: int
    total: Curve
    by_strategy: Mapping[StrategyName, Curve]
    signals: tuple[Signal, ...]
    orders: Sequence[OrderView]
    fills: Sequence[RuledFill]
    trades: Sequence[Trade]
    cash_events: tuple[CashEvent, ...] = ()
    adjustments: tuple[AdjustmentRecorded, ...] = ()
    """How splits changed what was held, in one numbering with the fills."""
    seconds: Mapping[str, float] = {}
    """Where the time went, by part of the run; wall seconds, no part of the result."""

    @property
    def final_equity(self) -> float:
        """Equity at the last close; the capital where there was none."""
        return float(self.total.equity[-1]) if len(self.total.equity) else float(self.spec.capital)

    @property
    def commissions(self) -> Decimal:
        """What trading cost in all, as far as it was charged in the base currency."""
        return sum((f.commission for f in self.fills if f.commission_currency == self.spec.currency), ZERO)
