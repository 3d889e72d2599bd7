"""A split or an expiry where the books of an account net to zero, so that the broker holds and reports no position."""

from collections.abc import Collection
from decimal import Decimal

import msgspec

from mats.ledger.books import Book, Books
from mats.ledger.reconciliation.adjustments import (
    Adjustment,
    CauseMismatch,
    exact_adjustment,
    expiry_adjustment,
    quantity_after_split,
)
from mats.ledger.reconciliation.break_causes import ExpiryCause, SplitCause
from mats.ledger.reconciliation.breaks import Break
from mats.model import EXACT, ZERO, AccountId


class NettedAction(msgspec.Struct, frozen=True, kw_only=True):
    """A corporate action that an operator reports. `account` empty: the only one that holds the instrument."""

    action: SplitCause | ExpiryCause
    account: AccountId = ""
    reason: str


class NettedChange(msgspec.Struct, frozen=True, kw_only=True):
    """Adjustments for books after entry `as_of`, and each holder's book before and after."""

    adjustments: tuple[Adjustment, ...]
    before: tuple[Book, ...]
    after: tuple[Book, ...]
    as_of: int


def netted_change(request: NettedAction, books: Books, breaks: Collection[Break]) -> NettedChange:
    """The adjustments for all holders together; they net to zero again. Raises CauseMismatch."""
    holders = _holders(request, books)
    name, account = request.action.instrument, holders[0].account
    whole = sum((book.quantity for book in holders), ZERO)
    if whole or any((found.account, found.instrument) == (account, name) for found in breaks):
        raise CauseMismatch(
            f"the books of {account} hold {whole:f} {name} in total, or differ from the broker; answer the break"
            " with `mats breaks answer`"
        )
    reason = f"{request.action.text}: {request.reason}"
    if isinstance(request.action, SplitCause):
        made = _split(request.action, holders, reason)
    else:
        made = tuple(expiry_adjustment(book, request.action, reason) for book in holders)
    after = tuple(_after(book, adjustment) for book, adjustment in zip(holders, made, strict=True))
    return NettedChange(adjustments=made, before=holders, after=after, as_of=books.seq)


def _holders(request: NettedAction, books: Books) -> tuple[Book, ...]:
    name = request.action.instrument
    held = [b for b in books if b.instrument == name and b.quantity and request.account in ("", b.account)]
    accounts = sorted({book.account for book in held})
    if not held:
        raise CauseMismatch(
            f"no book holds {name}{f' in {request.account}' if request.account else ''}; `mats books` lists the holders"
        )
    if len(accounts) > 1:
        raise CauseMismatch(f"{name} is held in {', '.join(accounts)}; name one with --account")
    return tuple(sorted(held, key=lambda book: book.strategy))


def _split(split: SplitCause, holders: tuple[Book, ...], reason: str) -> tuple[Adjustment, ...]:
    """Units times new / old at unchanged cost; the last holder takes the rest of the rounding."""
    units = [quantity_after_split(book, split) for book in holders[:-1]]
    units.append(sum(units, ZERO).copy_negate())
    return tuple(
        exact_adjustment(book, held - book.quantity, ZERO, ZERO, reason)
        for book, held in zip(holders, units, strict=True)
    )


def _after(book: Book, made: Adjustment) -> Book:
    return msgspec.structs.replace(
        book,
        quantity=EXACT.add(book.quantity, made.quantity),
        cost=EXACT.add(book.cost, made.cost or Decimal(0)),
        realized=EXACT.add(book.realized, made.realized),
    )
