"""Adjustments that settle a break, for the books of its holders only.

Each adjustment states the change of quantity, cost and realized P&L exactly: no rounded average is involved.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from mats.ledger.books import Book, Books, trade
from mats.ledger.reconciliation.break_causes import (
    BreakCause,
    ExerciseCause,
    ExpiryCause,
    Residual,
    SplitCause,
    SymbolChangeCause,
    instruments_of,
)
from mats.ledger.reconciliation.break_classifier import FRACTION
from mats.ledger.reconciliation.breaks import Break
from mats.model import (
    DISCRETIONARY,
    EXACT,
    ONE,
    ZERO,
    AccountId,
    BrokerPosition,
    Currency,
    InstrumentId,
    PositionKey,
    StrategyName,
)

UNIT_QUANTUM = Decimal("1e-8")
"""Units after a split are rounded to this; the rest goes to `Discretionary`."""


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a strategy's book without an execution: signed units, and the reason.

    Where `cost` is given, cost and realized P&L change by exactly `cost` and `realized`, in `currency`, and `price` is
    informative. Where it is None, units are added or removed at `price` and realize nothing.
    """

    strategy: StrategyName
    account: AccountId
    instrument: InstrumentId
    quantity: Decimal
    price: Decimal
    currency: Currency
    multiplier: Decimal
    reason: str
    cost: Decimal | None = None
    realized: Decimal = ZERO


class CauseMismatch(Exception):
    """The cause does not explain the break; one sentence with the fix."""


def are_terms_known(account: AccountId, name: InstrumentId, positions: Mapping[PositionKey, BrokerPosition]) -> bool:
    """Whether it is known what a unit of a position is worth; where there is none, its books know."""
    position = positions.get((account, name))
    return position is None or not position.multiplier.is_nan()


def adjustments_for(
    found: Break, cause: BreakCause, books: Books, positions: Mapping[PositionKey, BrokerPosition]
) -> tuple[Adjustment, ...]:
    """The adjustments for a break of this cause. Raises CauseMismatch where they would not make the figures equal,
    and where the terms of a contract are not known in which they would be booked."""
    for name in {found.instrument, *instruments_of(cause)}:
        if not are_terms_known(found.account, name, positions):
            raise CauseMismatch(
                f"the broker has not given the details of {name}, so that what a unit is worth is not known; they are"
                " asked for again with the next comparison"
            )
    match cause:
        case Residual():
            return (_residual(found, found.difference, _reason(found), books, positions.get(found.key)),)
        case SplitCause():
            return _split(found, cause, books, positions.get(found.key))
        case SymbolChangeCause():
            return tuple(
                adjustment for book in _holders(found, books) for adjustment in _renamed(book, cause, found.id)
            )
        case ExpiryCause():
            return tuple(
                expiry_adjustment(book, cause, f"break {found.id}: {cause.text}") for book in _holders(found, books)
            )
        case ExerciseCause():
            return tuple(
                adjustment
                for book in _holders(found, books)
                for adjustment in _exercised(found, book, cause, books, positions)
            )


def _holders(found: Break, books: Books) -> tuple[Book, ...]:
    return tuple(book for book in books.of_instrument(*found.key) if book.quantity)


def _reason(found: Break) -> str:
    return (
        f"break {found.id}: broker {found.broker:f}, books {found.expected:f}; unchanged over"
        f" {found.comparisons} comparisons with no fill after entry {found.seq}"
    )


def _residual(
    found: Break, quantity: Decimal, reason: str, books: Books, position: BrokerPosition | None
) -> Adjustment:
    """Units for `Discretionary`, at the broker's average cost where the broker still holds some."""
    own = books.get(found.account, DISCRETIONARY, found.instrument)
    known = own or next(iter(books.of_instrument(*found.key)), None)
    multiplier = position.multiplier if position else known.multiplier if known else ONE
    if position and position.quantity:
        price = position.average_cost / multiplier
    else:
        price = known.average_price if known else ZERO
    return Adjustment(
        strategy=DISCRETIONARY,
        account=found.account,
        instrument=found.instrument,
        quantity=quantity,
        price=price,
        currency=position.currency if position else known.currency if known else "USD",
        multiplier=multiplier,
        reason=reason,
    )


def _split(found: Break, split: SplitCause, books: Books, position: BrokerPosition | None) -> tuple[Adjustment, ...]:
    """Each holder's units times new / old at unchanged cost; a fraction that was paid out goes to `Discretionary`."""
    reason = f"break {found.id}: {split.text}"
    adjustments, after = [], ZERO
    for book in _holders(found, books):
        held = quantity_after_split(book, split)
        after += held
        adjustments.append(exact_adjustment(book, held - book.quantity, ZERO, ZERO, reason))
    left = found.broker - after
    if abs(left) >= FRACTION:
        raise CauseMismatch(
            f"after {split.text} the books would hold {after:f} and the broker holds {found.broker:f}; give the"
            " ratio that explains both, or book the difference as a residual"
        )
    if left:
        paid = f"break {found.id}: fraction left by {split.text}, usually paid out in cash"
        adjustments.append(_residual(found, left, paid, books, position))
    return tuple(adjustments)


def quantity_after_split(book: Book, split: SplitCause) -> Decimal:
    """The units of a book after a split, rounded to `UNIT_QUANTUM`."""
    if split.new <= 0 or split.old <= 0 or split.new == split.old:
        raise CauseMismatch(f"invalid split ratio {split.new}:{split.old}; numbers must be positive and different")
    exact = book.quantity * split.new / split.old
    rounded = exact.quantize(UNIT_QUANTUM)
    return exact if exact == rounded else rounded


def _renamed(book: Book, change: SymbolChangeCause, source: str) -> tuple[Adjustment, Adjustment]:
    """From the old symbol to the new one, with quantity and cost."""
    reason = f"break {source}: {change.text}"
    leaving = exact_adjustment(book, -book.quantity, book.cost.copy_negate(), ZERO, reason)
    coming = exact_adjustment(book, book.quantity, book.cost, ZERO, reason)
    return leaving, msgspec.structs.replace(coming, instrument=change.successor)


def expiry_adjustment(book: Book, expiry: ExpiryCause, reason: str) -> Adjustment:
    """Closed at the settlement price; where that is unknown, the cost is removed and nothing is realized."""
    if expiry.price is None:
        reason = f"{reason}; settlement price unknown, no P&L is booked"
        return exact_adjustment(book, -book.quantity, book.cost.copy_negate(), ZERO, reason)
    return _traded(book, -book.quantity, expiry.price, f"{reason}, settled at {expiry.price:f}")


def _exercised(
    found: Break, book: Book, exercise: ExerciseCause, books: Books, positions: Mapping[PositionKey, BrokerPosition]
) -> tuple[Adjustment, Adjustment]:
    """The option closes at zero and the underlying trades at the strike: the cost of the option is realized.

    Where contracts are left, they have one holder.
    """
    reason = f"break {found.id}: {exercise.text}"
    contracts = exercise.contracts if found.broker else book.quantity
    units = contracts * (exercise.units / exercise.contracts)
    at = positions.get((book.account, exercise.underlying))
    empty = Book(
        account=book.account,
        strategy=book.strategy,
        instrument=exercise.underlying,
        currency=at.currency if at else book.currency,
        multiplier=at.multiplier if at else ONE,
    )
    underlying = books.get(book.account, book.strategy, exercise.underlying) or empty
    return _traded(book, -contracts, ZERO, reason), _traded(underlying, units, exercise.strike, reason)


def _traded(book: Book, quantity: Decimal, price: Decimal, reason: str) -> Adjustment:
    """The change that a trade at `price` would have made."""
    after = trade(book, quantity, price, book.multiplier)
    cost, realized = EXACT.subtract(after.cost, book.cost), EXACT.subtract(after.realized, book.realized)
    return msgspec.structs.replace(exact_adjustment(book, quantity, cost, realized, reason), price=price)


def exact_adjustment(book: Book, quantity: Decimal, cost: Decimal, realized: Decimal, reason: str) -> Adjustment:
    """Exactly this change of a book; the price is its average."""
    return Adjustment(
        strategy=book.strategy,
        account=book.account,
        instrument=book.instrument,
        quantity=quantity,
        price=book.average_price,
        currency=book.currency,
        multiplier=book.multiplier,
        reason=reason,
        cost=cost,
        realized=realized,
    )
