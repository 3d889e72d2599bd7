"""Entries that settle a break: what each action makes of the books of its holders, and of nobody else's.

Each adjustment states the change of quantity, cost and realised result exactly: no average is rounded on the way.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from mats.ledger.books import Book, Books, trade
from mats.ledger.reconciliation.break_classifier import FRACTION
from mats.ledger.reconciliation.breaks import Break, PositionKey
from mats.ledger.reconciliation.corporate_actions import (
    Action,
    ExerciseCause,
    ExpiryCause,
    Residual,
    SplitCause,
    SymbolChangeCause,
)
from mats.model import DISCRETIONARY, EXACT, ONE, ZERO, AccountId, BrokerPosition, Currency, InstrumentId, StrategyName

PART = Decimal("1e-8")
"""Units after a split are rounded to this; what is lost goes to `Discretionary`."""


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """What to book to a strategy without an execution: signed units, and why.

    Where `cost` is stated, cost and realised result change by exactly `cost` and `realized`, in `currency`, and `price`
    is for people. Where it is None, the units come and go at `price`, and realise nothing.
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


class DoesNotFit(Exception):
    """The action does not explain the break; one sentence with the mend."""


def adjustments_for(
    found: Break, action: Action, books: Books, positions: Mapping[PositionKey, BrokerPosition]
) -> tuple[Adjustment, ...]:
    """What to book where `found` is `action`. Raises DoesNotFit where that would not make the numbers equal."""
    match action:
        case Residual():
            return (_residual(found, found.difference, _reason(found), books, positions.get(found.place)),)
        case SplitCause():
            return _split(found, action, books, positions.get(found.place))
        case SymbolChangeCause():
            return tuple(
                adjustment for book in _holders(found, books) for adjustment in _renamed(book, action, found.id)
            )
        case ExpiryCause():
            return tuple(expired(book, action, f"break {found.id}: {action.text}") for book in _holders(found, books))
        case ExerciseCause():
            return tuple(
                adjustment
                for book in _holders(found, books)
                for adjustment in _exercised(found, book, action, books, positions)
            )


def _holders(found: Break, books: Books) -> tuple[Book, ...]:
    return tuple(book for book in books.of_instrument(*found.place) if book.quantity)


def _reason(found: Break) -> str:
    return (
        f"break {found.id}: the broker holds {found.broker:f}, the books say {found.expected:f}; the same on"
        f" {found.looks} looks with no fill after entry {found.seq}"
    )


def _residual(
    found: Break, quantity: Decimal, reason: str, books: Books, position: BrokerPosition | None
) -> Adjustment:
    """Units for `Discretionary`, at the broker's average where the broker still holds something."""
    own = books.get(found.account, DISCRETIONARY, found.instrument)
    known = own or next(iter(books.of_instrument(*found.place)), None)
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
    """Each holder's units times new / old, at the cost they had; a fraction that was paid out is `Discretionary`'s."""
    reason = f"break {found.id}: {split.text}"
    adjustments, after = [], ZERO
    for book in _holders(found, books):
        held = split_to(book, split)
        after += held
        adjustments.append(stated(book, held - book.quantity, ZERO, ZERO, reason))
    left = found.broker - after
    if abs(left) >= FRACTION:
        raise DoesNotFit(
            f"after {split.text} the books would hold {after:f} and the broker holds {found.broker:f}; give the ratio"
            " that leads there, or book the difference as a residual"
        )
    if left:
        paid = f"break {found.id}: what {split.text} left over, as a rule paid out in cash"
        adjustments.append(_residual(found, left, paid, books, position))
    return tuple(adjustments)


def split_to(book: Book, split: SplitCause) -> Decimal:
    """The units of a book after a split, rounded to `PART`."""
    if split.new <= 0 or split.old <= 0 or split.new == split.old:
        raise DoesNotFit(f"a {split.new}:{split.old} split is none; give two different numbers above zero")
    exact = book.quantity * split.new / split.old
    rounded = exact.quantize(PART)
    return exact if exact == rounded else rounded


def _renamed(book: Book, change: SymbolChangeCause, source: str) -> tuple[Adjustment, Adjustment]:
    """Out of the old name and into the new one, with quantity and cost."""
    reason = f"break {source}: {change.text}"
    leaving = stated(book, -book.quantity, book.cost.copy_negate(), ZERO, reason)
    coming = stated(book, book.quantity, book.cost, ZERO, reason)
    return leaving, msgspec.structs.replace(coming, instrument=change.successor)


def expired(book: Book, expiry: ExpiryCause, reason: str) -> Adjustment:
    """Closed at the settlement price; where that is not known, the cost leaves and nothing is realised."""
    if expiry.price is None:
        reason = f"{reason}; settlement price unknown, no result is booked"
        return stated(book, -book.quantity, book.cost.copy_negate(), ZERO, reason)
    return _traded(book, -book.quantity, expiry.price, f"{reason}, settled at {expiry.price:f}")


def _exercised(
    found: Break, book: Book, exercise: ExerciseCause, books: Books, positions: Mapping[PositionKey, BrokerPosition]
) -> tuple[Adjustment, Adjustment]:
    """The option closes at nothing, the underlying trades at the strike: what the option cost is its result.

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
    """What a trade at `price` would have made of the book."""
    after = trade(book, quantity, price, book.multiplier)
    cost, realized = EXACT.subtract(after.cost, book.cost), EXACT.subtract(after.realized, book.realized)
    return msgspec.structs.replace(stated(book, quantity, cost, realized, reason), price=price)


def stated(book: Book, quantity: Decimal, cost: Decimal, realized: Decimal, reason: str) -> Adjustment:
    """Exactly this change of a book, at no price of its own."""
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
