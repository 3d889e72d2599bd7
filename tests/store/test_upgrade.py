"""The data directory of an earlier version of this program opens, folds to what it saved, and rebuilds its views.

`upgrade/journal.sql` is the journal of a paper run by that version, shortened, as SQL text: executions, commissions, a
correction, a transfer, a commission without its execution, intents, halts, breaks, audit, saved states.
`upgrade/views.jsonl` has the exact columns of the views that it stored.
"""

import json
import sqlite3
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from mats.cli.store import store as command
from mats.ledger.books import Books
from mats.ledger.reconciliation import Break, ReconciliationScheduler, SplitCause
from mats.ledger.reconciliation.breaks import BreakState
from mats.model import Commission, Entry, OrderIntent, OrderState, OrderView
from mats.risk import RiskState
from mats.store.journal import Journal
from mats.store.rebuild import Contents
from mats.store.tables.connection import lmdb_uri
from mats.store.views import Views

WRITTEN = Path(__file__).parent / "upgrade"
ACCOUNT = "DU1000001"
PAYLOADS = {
    "entries.payload": Entry,
    "early_commissions.payload": Commission,
    "orders.intent": OrderIntent,
    "orders.view": OrderView,
    "breaks.payload": Break,
}

TERMS = {
    "price_magnifier": "1",
    "trading_hours": "",
    "liquid_hours": "",
    "market_rule_ids": "",
    "underlying": "",
    "under_con_id": 0,
    "price_increments": [],
}
GROWN = {
    "orders.view": {"said": "", "doubt": "", "of_target": False, "reduce_only": False, "code": "", "parent": ""},
    "orders.intent": {"instrument": TERMS, "of_target": False, "reduce_only": False, "parent": "", "children": []},
    "entries.payload": {"execution": {"con_id": 0}, "previous": {"con_id": 0}},
}
"""Fields that a stored value has got since, with what they are where it was written without them."""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    database = sqlite3.connect(folder / "journal.db")
    database.executescript((WRITTEN / "journal.sql").read_text(encoding="utf-8"))
    database.close()
    return folder


@pytest.fixture
def journal(folder):
    journal = Journal(folder / "journal.db")
    yield journal
    journal.close()


def folded(journal, through):
    books = Books(journal.entries_of)
    for entry in journal.entries(0, through):
        books.apply(entry)
    return books


def by_key(books):
    return {book.key: book for book in books}


@pytest.mark.parametrize("column", PAYLOADS)
def test_every_stored_value_is_read_and_written_back_as_the_same_bytes(folder, column):
    table, name = column.split(".")
    rows = sqlite3.connect(folder / "journal.db").execute(f"SELECT {name} FROM {table}").fetchall()
    assert rows
    for (payload,) in rows:
        value = msgspec.msgpack.decode(payload, type=PAYLOADS[column])
        fields = msgspec.msgpack.decode(payload)
        assert msgspec.msgpack.encode(value) == msgspec.msgpack.encode(_grown(fields, GROWN.get(column, {})))
        assert column in GROWN or msgspec.msgpack.encode(fields) == payload


def test_the_journal_opens_with_all_its_facts(journal):
    entries = journal.entries(0, 1_000)
    assert [entry.seq for entry in entries] == list(range(1, 32))
    assert Counter(type(entry).__name__ for entry in entries) == {
        "FillRecorded": 14,
        "CommissionRecorded": 14,
        "AdjustmentRecorded": 2,
        "FillCorrected": 1,
    }
    assert {scope: halt.reason for scope, halt in journal.halts().items()} == {
        "revert-bac": "quiet",
        "trend-spy": "drawdown",
    }
    giver, taker = journal.transfer_legs("A25")
    assert (giver.strategy, taker.strategy, taker.quantity) == ("balance", "trend-ibm", 10)
    assert journal.audit(1)[0].what == "halt trend-spy"
    assert {order.view.state for order in journal.recent_orders(100)} == {OrderState.FILLED}


def test_books_fold_to_the_saved_state_and_go_on_from_it(journal):
    seq, payload = journal.load_snapshot("portfolio")
    saved = Books.load(payload, journal.entries_of)
    assert saved.seq == seq and by_key(saved) == by_key(folded(journal, seq))
    assert saved.dump() == payload
    for entry in journal.entries(seq, 1_000):
        saved.apply(entry)
    assert by_key(saved) == by_key(folded(journal, 1_000))


def test_views_fold_to_the_saved_state_and_go_on_from_it(journal):
    seq, payload = journal.load_snapshot("store")
    saved, fresh = Views(journal.entries_of, payload), Views(journal.entries_of)
    assert saved.save() == payload
    for entry in journal.entries(0, 1_000):
        fresh.apply(entry)
        if entry.seq == seq:
            assert fresh.held(ACCOUNT, 0) == saved.held(ACCOUNT, 0)
        saved.apply(entry)
    assert fresh.held(ACCOUNT, 0) == saved.held(ACCOUNT, 0)


def test_risk_loads_its_saved_positions(journal):
    seq, payload = journal.load_snapshot("risk")
    state = RiskState.load(payload)
    assert (state.seq, state.dump()) == (seq, payload)


def test_breaks_continue_where_they_were(journal):
    (known,) = ReconciliationScheduler(60.0, 3.0, journal).open
    assert (known.instrument, known.state) == ("SPY", BreakState.CONFIRMED)
    assert (known.comparisons, known.booking_requests) == (3, 1)
    assert known.answer == SplitCause("SPY", 7, 1)
    (closed,) = journal.past_breaks(10)
    assert (closed.instrument, closed.state, closed.comparisons) == ("BAC", BreakState.SETTLED, 2)


def test_a_rebuild_from_the_journal_alone_gives_the_stored_views(folder):
    config = folder.with_name("mats.toml")
    config.write_text("")

    def rebuild(*options):
        given = ["rebuild", "--journal", "--config", str(config), "--data-dir", str(folder), *options]
        return CliRunner().invoke(command, given)

    assert rebuild().exit_code == 0
    checked = rebuild("--check")
    assert (checked.exit_code, "no difference" in checked.stdout) == (0, True)
    contents = Contents(lmdb_uri(folder / "arctic"))
    written = [json.loads(line) for line in (WRITTEN / "views.jsonl").read_text(encoding="utf-8").splitlines()]
    rebuilt = [{"table": "/".join(name), **row} for name, table in contents.views.items() for _, row in table.values()]
    compared = [{column: row[column] for column in known} for known in written for row in rebuilt if _same(known, row)]
    assert compared == written
    assert len(rebuilt) == len(written)


def _grown(fields, added):
    """A stored value with the fields that it lacks, at the end of the struct that has got them."""
    within = {name: more for name, more in added.items() if not isinstance(more, dict)}
    below = {
        name: more for name, more in added.items() if isinstance(more, dict) and isinstance(fields.get(name), dict)
    }
    return fields | {name: _grown(fields[name], more) for name, more in below.items()} | within


def _same(known, row):
    """Whether both are the row of one key."""
    names = ("table", "trade_id") if "trade_id" in known else ("table", "strategy", "symbol", "fills_seq")
    return all(known[name] == row.get(name) for name in names)
