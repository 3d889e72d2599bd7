"""The whole daemon in virtual time while its journal cannot be written: no risk, no loss, and cancels go out."""

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from mats.model import OrderIntent, OrderState
from mats.orders import Rejected
from mats.store.journal.journal_file import JournalFile, JournalFullError
from tests.simulation.trading import Trading, way_in, way_out


class Disk:
    """The disk of the journal."""

    full = False


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made, really = Disk(), JournalFile._transaction

    @contextlib.contextmanager
    def transaction(journal: JournalFile) -> Iterator[object]:
        if made.full:
            raise JournalFullError(journal.path)
        with really(journal) as db:
            yield db

    monkeypatch.setattr(JournalFile, "_transaction", transaction)
    return made


@pytest.fixture
def trading(folder: Path, disk: Disk) -> Iterator[Trading]:
    made = Trading(folder)
    yield made
    made.world.close()


def test_a_full_journal_stops_every_order_but_no_cancel_and_books_what_happened_when_there_is_space(
    trading: Trading, disk: Disk
) -> None:
    """G1, G4, G6"""
    trading.boot()
    trading.advance(40.0)
    book = trading.held()
    resting = trading.order(book, way_in(book), Decimal(1), trading.far(book))
    assert isinstance(resting, OrderIntent)
    trading.advance(1.0)
    disk.full = True
    trading.cancel(resting)
    trading.advance(2.0)
    at_broker = {order.order_ref: order for order in trading.world.broker.replay(0).open_orders}
    assert not any(ref.endswith(resting.intent_id) for ref in at_broker), "the cancel went out"
    booked = trading.world.journal.last_seq()
    known = len(trading.world.broker.executions)
    trading.world.broker.trade_by_hand("")
    trading.advance(8.0)
    refused = trading.order(book, way_in(book), Decimal(1))
    assert isinstance(refused, Rejected)
    assert "the fill log (the disk of the journal" in refused.rejection.text
    way_out_refused = trading.order(book, way_out(book), Decimal(1))
    assert isinstance(way_out_refused, OrderIntent), "risk lets it pass, and the journal cannot take it"
    trading.advance(110.0)
    assert trading.world.journal.order(way_out_refused.intent_id) is None
    assert len(trading.world.broker.executions) > known
    assert trading.world.journal.last_seq() == booked
    disk.full = False
    trading.advance(20.0)
    assert trading.state(resting) is OrderState.CANCELLED
    again = trading.order(trading.held(), way_out(trading.held()), Decimal(1))
    assert isinstance(again, OrderIntent)
    trading.advance(5.0)
    assert trading.state(again) in (OrderState.WORKING, OrderState.FILLED)
    trading.settle_and_prove()
    assert (trading.restarted, trading.world.failures) == ([], [])
