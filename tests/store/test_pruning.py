"""The journal lets old entries go, and nothing that comes later is booked otherwise than if it had kept them."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.ledger.books.books import Books
from mats.model.executions import CommissionRecorded, FillCorrected, FillRecorded
from mats.store.journal.journal import Journal
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.store import Store
from mats.store.views.book_history import BookHistory

KEY = ("DU1", "TREND", "SPY")


@pytest.fixture
def pruned(tmp_path, make):
    """A journal and a store of one log; the journal has let go all of it, the store has it."""
    one, two, three = (make.execution(n) for n in (1, 2, 3))
    sold = replace(two, side="SELL", quantity=Decimal(60), price=Decimal("451.30"))
    fixed = replace(make.execution(1, 2), price=Decimal("449.00"))
    log = [
        make.fill(1, one), make.commission(2, one), make.fill(3, sold), make.correction(4, fixed, one),
        make.fill(5, three), make.fill(6, make.execution(4), "MEAN"),
    ]  # fmt: skip
    uri, journal = lmdb_uri(tmp_path / "arctic"), Journal(tmp_path / "journal.db")
    journal.append(log)
    Store(uri).append_fills("DU1", log)
    assert journal.prune(make.opening + 100, keep_after_seq=6) == 6
    yield log, journal, uri
    journal.close()


def later(log, make):
    """A correction of a sale that was let go, and the late commission of another execution."""
    sale, third = log[2].execution, log[4].execution
    bust = replace(sale, exec_id="0000.000002.02", quantity=Decimal(10))
    return [make.correction(7, bust, sale), make.commission(8, third, "2.5"), make.commission(9, bust, "0.5")]


def folded(log, history):
    books = Books(history)
    for entry in log:
        books.apply(entry)
    return books.get(*KEY)


def test_the_past_is_whole_though_the_journal_is_not(pruned):
    log, journal, uri = pruned
    assert len(journal.entries_of(*KEY)) == 0
    past = BookHistory(journal, uri)(*KEY)
    assert [entry.seq for entry in past] == [1, 2, 3, 4, 5]
    assert [type(entry) for entry in past] == [
        FillRecorded,
        CommissionRecorded,
        FillRecorded,
        FillCorrected,
        FillRecorded,
    ]
    assert past[3].previous.price == log[0].execution.price


def test_a_correction_of_what_was_let_go_gives_the_book_that_the_whole_log_gives(pruned, make):
    log, journal, uri = pruned
    whole = log + later(log, make)
    expected = folded(whole, lambda *_: [entry for entry in whole if entry.strategy == "TREND"])
    journal.append(later(log, make))
    assert folded(whole, BookHistory(journal, uri)) == expected
    assert expected.corrected


def test_without_the_store_only_the_split_of_result_and_cost_is_another(pruned, make):
    log, journal, uri = pruned
    whole = log + later(log, make)
    journal.append(later(log, make))
    expected = folded(whole, BookHistory(journal, uri))
    alone = folded(whole, journal.entries_of)
    assert alone.quantity == expected.quantity
    assert alone.cost - alone.realized == expected.cost - expected.realized


def test_a_prune_goes_bit_by_bit_and_keeps_what_a_stage_has_not_saved(journal, make):
    journal.append([make.fill(n, make.execution(n)) for n in range(1, 31)])
    for stage, seq in (("orders", 30), ("store", 25)):
        journal.save_snapshot(stage, seq, b"")
    assert journal.saved_through(("orders", "store", "risk")) == 0, "one stage has saved nothing"
    assert journal.saved_through(("orders", "store")) == 25
    steps = [journal.prune(make.opening + 100, 25, limit=10) for _ in range(4)]
    assert steps == [10, 10, 5, 0]
    assert journal.pruned_to() == 25
    assert [entry.seq for entry in journal.entries(25, 100)] == [26, 27, 28, 29, 30]
