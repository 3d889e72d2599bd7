"""What an operator asks for when quantity is to move between books, held against the books as they are."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from mats.ledger.assignment import Assignment, AssignmentError, assign, empty_taker, reverse
from mats.ledger.book import Book
from mats.ledger.books import Books
from mats.ledger.breaks import Break
from mats.model.executions import AdjustmentRecorded, Entry
from mats.model.instrument import InstrumentId
from mats.model.orders import AccountId, StrategyName


class Move(msgspec.Struct, frozen=True, kw_only=True):
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


class Past(Protocol):
    """What is known of earlier assignments; the journal is one."""

    def assignment(self, name: str) -> tuple[AdjustmentRecorded, AdjustmentRecorded] | None: ...
    def reversal_of(self, name: str) -> str | None: ...
    def entries_of(self, account: AccountId, strategy: StrategyName, instrument: InstrumentId) -> Sequence[Entry]: ...


def propose(move: Move, books: Books, breaks: Collection[Break]) -> Assignment:
    """The assignment that does it. Raises AssignmentError where it must not be."""
    giver = _giver(move, books)
    _require_agreement(giver, breaks)
    taker = books.get(giver.account, move.taker, giver.instrument) or empty_taker(giver, move.taker)
    return assign(giver, taker, move.quantity, move.price, move.reason)


def propose_reversal(name: str, reason: str, books: Books, breaks: Collection[Break], past: Past) -> Assignment:
    """The assignment that takes `name` back. Raises AssignmentError where that cannot be done exactly."""
    legs = past.assignment(name)
    if legs is None:
        raise AssignmentError(f"the journal has no assignment {name}; `mats audit` names those there are")
    if (by := past.reversal_of(name)) is not None:
        raise AssignmentError(f"{name} has been taken back by {by} already; a new assignment moves it once more")
    if legs[0].reverses:
        raise AssignmentError(f"{name} itself took {legs[0].reverses} back; repeat that as a new assignment")
    first, second = (books.get(leg.account, leg.strategy, leg.instrument) for leg in legs)
    if first is None or second is None or min(first.seq, second.seq) < legs[0].seq:
        raise AssignmentError(f"{name} is not in the books yet; ask again in a moment")
    _require_agreement(first, breaks)
    histories = past.entries_of(*first.key), past.entries_of(*second.key)
    return reverse(legs, (first, second), histories, reason)


def _giver(move: Move, books: Books) -> Book:
    held = [
        book
        for book in books.of_strategy(move.giver)
        if book.instrument == move.instrument and book.quantity and move.account in ("", book.account)
    ]
    if not held:
        where = f" in {move.account}" if move.account else ""
        raise AssignmentError(f"{move.giver} holds no {move.instrument}{where}; `mats books` shows who holds what")
    if len(held) > 1:
        accounts = ", ".join(sorted(book.account for book in held))
        raise AssignmentError(f"{move.giver} holds {move.instrument} in {accounts}; name one with --account")
    return held[0]


def _require_agreement(book: Book, breaks: Collection[Break]) -> None:
    for found in breaks:
        if (found.account, found.instrument) == (book.account, book.instrument):
            raise AssignmentError(
                f"books and broker differ on {book.instrument} in {book.account} ({found.expected:f} and"
                f" {found.broker:f}); wait until that is settled, `mats breaks` shows it"
            )
