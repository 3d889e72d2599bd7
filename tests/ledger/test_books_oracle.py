"""The ledger against a naive oracle over random histories; equality is exact.

`MATS_LONG=1` plays 100,000 histories in place of a few thousand.
"""

import os
from fractions import Fraction

import pytest

from mats.ledger.books import Books, refold
from tests.ledger import oracle
from tests.ledger.histories import History

LONG = bool(os.environ.get("MATS_LONG"))
CHUNKS = 100 if LONG else 10
HISTORIES = 1_000 if LONG else 200
FIGURES = ("quantity", "cost", "realized", "realized_base", "commissions_base")
BY_CURRENCY = ("commissions", "unrated")


def played(seed):
    """A random history, and the books that took it entry by entry."""
    history = History(seed)
    books = Books(lambda *key: history.of(key))
    for entry in history.play(history.random.randrange(1, 28)):
        again = entry.seq <= books.seq
        changes = books.apply(entry)
        assert len(changes) == (0 if again else 1)
    return history, books


def figures(book):
    exact = {name: Fraction(getattr(book, name)) for name in FIGURES}
    return exact | {
        name: {unit: Fraction(amount) for unit, amount in getattr(book, name).items()} for name in BY_CURRENCY
    }


def rows_of(history, key):
    return [(seq, row) for seq, row in enumerate(history.rows, 1) if row["book"] == key]


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.timeout(600)
def test_every_figure_of_every_book_equals_the_oracles(chunk):
    for seed in range(chunk * HISTORIES, (chunk + 1) * HISTORIES):
        history, books = played(seed)
        assert {book.key for book in books} == {row["book"] for row in history.rows}, seed
        for book in books:
            assert figures(book) == oracle.book(rows_of(history, book.key), book.currency), (seed, book.key)
            assert refold(history.of(book.key)) == book, (seed, book.key)
