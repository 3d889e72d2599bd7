"""A split or an expiry where the books of an account net to zero: the broker holds nothing and shows nothing of it."""

from collections.abc import Collection
from decimal import Decimal

import msgspec

from mats.ledger.books import Book, Books
from mats.ledger.reconciliation.adjustments import Adjustment, DoesNotFit, expired, split_to, stated
from mats.ledger.reconciliation.breaks import Break
from mats.ledger.reconciliation.corporate_actions import ExpiryCause, SplitCause
from mats.model import EXACT, ZERO, AccountId


class NettedAction(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says has happened. `account` empty: the only one that holds the instrument."""

    action: SplitCause | ExpiryCause
    account: AccountId = ""
    reason: str


class NettedChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to book, in books that stand at entry `as_of`: each holder's book before and after."""

    adjustments: tuple[Adjustment, ...]
    before: tuple[Book, ...]
    after: tuple[Book, ...]
    as_of: int


def netted(wish: NettedAction, books: Books, breaks: Collection[Break]) -> NettedChange:
    """The entries for all holders together; they net to zero again. Raises DoesNotFit where it must not be."""
    holders = _holders(wish, books)
    name, account = wish.action.instrument, holders[0].account
    whole = sum((book.quantity for book in holders), ZERO)
    if whole or any((found.account, found.instrument) == (account, name) for found in breaks):
        raise DoesNotFit(
            f"the books of {account} hold {whole:f} {name} in all, or differ from the broker there; what the"
            " broker shows is answered with `mats breaks answer`"
        )
    reason = f"{wish.action.text}: {wish.reason}"
    if isinstance(wish.action, SplitCause):
        made = _split(wish.action, holders, reason)
    else:
        made = tuple(expired(book, wish.action, reason) for book in holders)
    after = tuple(_after(book, adjustment) for book, adjustment in zip(holders, made, strict=True))
    return NettedChange(adjustments=made, before=holders, after=after, as_of=books.seq)


def _holders(wish: NettedAction, books: Books) -> tuple[Book, ...]:
    name = wish.action.instrument
    held = [b for b in books if b.instrument == name and b.quantity and wish.account in ("", b.account)]
    accounts = sorted({book.account for book in held})
    if not held:
        raise DoesNotFit(f"no book holds {name}{f' in {wish.account}' if wish.account else ''}; `mats books` shows all")
    if len(accounts) > 1:
        raise DoesNotFit(f"{name} is held in {', '.join(accounts)}; name one with --account")
    return tuple(sorted(held, key=lambda book: book.strategy))


def _split(split: SplitCause, holders: tuple[Book, ...], reason: str) -> tuple[Adjustment, ...]:
    """Units times new / old at the cost they had; the last holder takes what rounding leaves."""
    units = [split_to(book, split) for book in holders[:-1]]
    units.append(sum(units, ZERO).copy_negate())
    return tuple(
        stated(book, held - book.quantity, ZERO, ZERO, reason) for book, held in zip(holders, units, strict=True)
    )


def _after(book: Book, made: Adjustment) -> Book:
    return msgspec.structs.replace(
        book,
        quantity=EXACT.add(book.quantity, made.quantity),
        cost=EXACT.add(book.cost, made.cost or Decimal(0)),
        realized=EXACT.add(book.realized, made.realized),
    )
