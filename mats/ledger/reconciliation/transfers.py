"""Moving quantity from one strategy's book to another's, and back: two legs that leave the broker's total alone.

A position moves with its cost: at the giver's average neither book realizes anything. At a stated price the giver
realizes the difference. Where the taker holds the other side, the moved units close it first and realize that part.
Over both legs quantities sum to zero, and so does `cost − realized`.
"""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from mats.ledger.books import Book, Books, closed_part, move, refold, released_cost
from mats.ledger.reconciliation.breaks import Break
from mats.model import (
    ONE,
    ZERO,
    AccountId,
    AdjustmentRecorded,
    CommissionRecorded,
    Currency,
    Entry,
    FillRecorded,
    InstrumentId,
    Nanos,
    StrategyName,
    prorate,
)


class TransferError(Exception):
    """Why quantity cannot be moved; one sentence with the fix."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """The change of one book: signed units, signed cost and realized P&L, in the book's currency."""

    strategy: StrategyName
    quantity: Decimal
    cost: Decimal
    realized: Decimal

    def applied(self, book: Book) -> Book:
        return move(book, self.quantity, self.cost, self.realized)

    @property
    def reversed(self) -> "Leg":
        return Leg(strategy=self.strategy, quantity=-self.quantity, cost=-self.cost, realized=-self.realized)


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """Both legs, giver first, with the books that they were made for; `reverses` names the transfer they undo.

    A reversal uses the `rate` into the base currency at which the transfer was booked. `price` is the amount per unit,
    informative: the legs are exact.
    """

    account: AccountId
    instrument: InstrumentId
    currency: Currency
    multiplier: Decimal
    price: Decimal
    reason: str
    legs: tuple[Leg, Leg]
    before: tuple[Book, Book]
    reverses: str = ""
    rate: Decimal | None = None

    @property
    def after(self) -> tuple[Book, Book]:
        """Both books as they will be."""
        giver, taker = (leg.applied(book) for leg, book in zip(self.legs, self.before, strict=True))
        return giver, taker

    @property
    def as_of(self) -> tuple[int, int]:
        """The last log entries of both books: the legs are valid as long as no entry follows."""
        return self.before[0].seq, self.before[1].seq

    def entries(
        self, first_seq: int, now: Nanos, rate: Decimal | None
    ) -> tuple[AdjustmentRecorded, AdjustmentRecorded]:
        """The two entries to book in one transaction; their common id names the first of them."""
        first, second = (
            AdjustmentRecorded(
                seq=first_seq + offset,
                strategy=leg.strategy,
                account=self.account,
                instrument=self.instrument,
                quantity=leg.quantity,
                price=self.price,
                currency=self.currency,
                multiplier=self.multiplier,
                reason=self.reason,
                recorded=now,
                rate=self.rate if self.reverses else rate,
                cost=leg.cost,
                realized=leg.realized,
                assignment=transfer_id(first_seq),
                reverses=self.reverses,
            )
            for offset, leg in enumerate(self.legs)
        )
        return first, second


def transfer_id(first_seq: int) -> str:
    """`A17`: the transfer whose first leg is entry 17."""
    return f"A{first_seq}"


def empty_taker(giver: Book, strategy: StrategyName) -> Book:
    """The book of a strategy that never touched the giver's instrument."""
    return Book(
        account=giver.account,
        strategy=strategy,
        instrument=giver.instrument,
        currency=giver.currency,
        multiplier=giver.multiplier,
    )


def transfer(giver: Book, taker: Book, quantity: Decimal, price: Decimal | None, reason: str) -> Transfer:
    """Move `quantity` units (above zero) of what the giver holds, long or short, at `price` or the giver's average.

    Raises TransferError.
    """
    if not quantity.is_finite() or quantity <= 0:
        raise TransferError(
            f"quantity {quantity} cannot be moved; give a number above zero, for long and short positions alike"
        )
    if price is not None and not price.is_finite():
        raise TransferError(f"price {price} is not a number; give the price of one unit, or none for the average")
    if giver.strategy == taker.strategy:
        raise TransferError(f"giver and taker are both {giver.strategy}; name two strategies")
    if quantity > abs(giver.quantity):
        raise TransferError(
            f"{giver.strategy} holds {giver.quantity:f} {giver.instrument} and not {quantity:f}; move that or less"
        )
    if (giver.currency, giver.multiplier) != (taker.currency, taker.multiplier):
        raise TransferError(
            f"the books differ in the terms of {giver.instrument}: {giver.currency} × {giver.multiplier:f} and"
            f" {taker.currency} × {taker.multiplier:f}; units of different terms cannot be moved"
        )
    moved = quantity.copy_sign(giver.quantity)
    released = released_cost(giver, -moved)
    amount = released if price is None else moved * price * giver.multiplier
    return Transfer(
        account=giver.account,
        instrument=giver.instrument,
        currency=giver.currency,
        multiplier=giver.multiplier,
        price=giver.average_price if price is None else price,
        reason=reason,
        legs=(
            Leg(strategy=giver.strategy, quantity=-moved, cost=-released, realized=amount - released),
            _taken(taker, moved, amount),
        ),
        before=(giver, taker),
    )


def _taken(taker: Book, moved: Decimal, amount: Decimal) -> Leg:
    """The taker's leg for `moved` units at `amount`: they close first, the rest opens."""
    closed = closed_part(taker, moved)
    paid = amount if closed == moved else prorate(amount, closed, moved)
    released = released_cost(taker, closed) if closed else ZERO
    return Leg(strategy=taker.strategy, quantity=moved, cost=amount - paid - released, realized=ZERO - paid - released)


def reverse(
    legs: tuple[AdjustmentRecorded, AdjustmentRecorded],
    books: tuple[Book, Book],
    histories: tuple[Sequence[Entry], Sequence[Entry]],
    reason: str,
) -> Transfer:
    """Undo a transfer: both books become what they were, or would have become without it.

    `histories` are all entries of each book as far as they are kept. Raises TransferError where later entries have
    used the moved units, so that no exact reversal exists.
    """
    undone = tuple(_leg(entry).reversed for entry in legs)
    for entry, leg, book, history in zip(legs, undone, books, histories, strict=True):
        _require_reversible(entry, leg, book, history)
    first, second = legs
    return Transfer(
        account=first.account,
        instrument=first.instrument,
        currency=first.currency,
        multiplier=first.multiplier,
        price=first.price,
        reason=reason,
        legs=(undone[1], undone[0]),
        before=(books[1], books[0]),
        reverses=second.assignment,
        rate=second.rate,
    )


def _leg(entry: AdjustmentRecorded) -> Leg:
    assert entry.cost is not None, f"entry {entry.seq} is no leg of a transfer"
    return Leg(strategy=entry.strategy, quantity=entry.quantity, cost=entry.cost, realized=entry.realized)


def _require_reversible(entry: AdjustmentRecorded, leg: Leg, book: Book, history: Sequence[Entry]) -> None:
    """Either no entry followed the leg, or the later ones give the same result with the leg and without it."""
    if book.seq == entry.seq:
        return
    if (later := _first_stated(entry, history)) is not None:
        raise _used(entry, later, book)
    if len(history) != book.entries:
        raise TransferError(
            f"{entry.assignment} cannot be reversed: early entries of {book.strategy} in {book.instrument} have"
            " been pruned from the journal; move the quantity with a new transfer"
        )
    without = [known for known in history if known.seq != entry.seq]
    expected = refold(without) if without else empty_taker(book, book.strategy)
    restored = leg.applied(book)
    if (restored.quantity, restored.cost, restored.realized) == (expected.quantity, expected.cost, expected.realized):
        return
    raise _used(entry, next(e for e in history if e.seq > entry.seq and not isinstance(e, CommissionRecorded)), book)


def _first_stated(entry: AdjustmentRecorded, history: Sequence[Entry]) -> AdjustmentRecorded | None:
    """The first later adjustment of exact amounts that is not reversed: its amounts assume the leg."""
    later = [e for e in history if e.seq > entry.seq and isinstance(e, AdjustmentRecorded) and e.cost is not None]
    begun, undone = {e.assignment for e in later}, {e.reverses for e in later}
    return next((e for e in later if e.assignment not in undone and e.reverses not in begun), None)


def _used(entry: AdjustmentRecorded, later: Entry, book: Book) -> TransferError:
    return TransferError(
        f"{entry.assignment} cannot be reversed: {book.strategy} has {_description(later)} {book.instrument} since then"
        f" (entry {later.seq}) with it in its book; move what is left with a new transfer"
    )


def _description(entry: Entry) -> str:
    match entry:
        case FillRecorded(execution=execution):
            return f"{'bought' if execution.side.sign == ONE else 'sold'} {execution.quantity:f}"
        case AdjustmentRecorded(quantity=quantity):
            return f"been adjusted by {quantity:+f}"
    return "been corrected in"


class TransferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Move `quantity` units (above zero) of what `giver` holds, long or short, to `taker`.

    `price` None: at the giver's average cost. `account` empty: the one in which the giver holds the instrument.
    """

    giver: StrategyName
    taker: StrategyName
    instrument: InstrumentId
    quantity: Decimal
    price: Decimal | None = None
    account: AccountId = ""
    reason: str


class TransferHistory(Protocol):
    """Earlier transfers and the entries of books; the journal implements it."""

    def transfer_legs(self, name: str) -> tuple[AdjustmentRecorded, AdjustmentRecorded] | None: ...
    def reversal_of(self, name: str) -> str | None: ...
    def entries_of(self, account: AccountId, strategy: StrategyName, instrument: InstrumentId) -> Sequence[Entry]: ...


def propose(request: TransferRequest, books: Books, breaks: Collection[Break]) -> Transfer:
    """The transfer as requested. Raises TransferError where it is not possible."""
    giver = _giver(request, books)
    _require_agreement(giver, breaks)
    taker = books.get(giver.account, request.taker, giver.instrument) or empty_taker(giver, request.taker)
    return transfer(giver, taker, request.quantity, request.price, request.reason)


def propose_reversal(
    name: str, reason: str, books: Books, breaks: Collection[Break], past: TransferHistory
) -> Transfer:
    """The transfer that reverses `name`. Raises TransferError where no exact reversal exists."""
    legs = past.transfer_legs(name)
    if legs is None:
        raise TransferError(f"the journal has no transfer {name}; `mats audit` lists them")
    if (by := past.reversal_of(name)) is not None:
        raise TransferError(f"{name} has already been reversed by {by}; move the quantity again with a new transfer")
    if legs[0].reverses:
        raise TransferError(f"{name} is itself the reversal of {legs[0].reverses}; repeat that one as a new transfer")
    first, second = (books.get(leg.account, leg.strategy, leg.instrument) for leg in legs)
    if first is None or second is None or min(first.seq, second.seq) < legs[0].seq:
        raise TransferError(f"{name} is not in the books yet; try again in a moment")
    _require_agreement(first, breaks)
    histories = past.entries_of(*first.key), past.entries_of(*second.key)
    return reverse(legs, (first, second), histories, reason)


def _giver(request: TransferRequest, books: Books) -> Book:
    held = [
        book
        for book in books.of_strategy(request.giver)
        if book.instrument == request.instrument and book.quantity and request.account in ("", book.account)
    ]
    if not held:
        where = f" in {request.account}" if request.account else ""
        raise TransferError(f"{request.giver} holds no {request.instrument}{where}; `mats books` lists the holders")
    if len(held) > 1:
        accounts = ", ".join(sorted(book.account for book in held))
        raise TransferError(f"{request.giver} holds {request.instrument} in {accounts}; name one with --account")
    return held[0]


def _require_agreement(book: Book, breaks: Collection[Break]) -> None:
    for found in breaks:
        if (found.account, found.instrument) == (book.account, book.instrument):
            raise TransferError(
                f"books and broker differ on {book.instrument} in {book.account} ({found.expected:f} and"
                f" {found.broker:f}); wait until the break is settled; `mats breaks` shows it"
            )
