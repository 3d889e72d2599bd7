"""The journal keeps each fact once, all or nothing, and finds it again."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.model.executions import AdjustmentRecorded, Commission
from mats.model.orders import OrderState
from mats.model.timestamp import SECOND
from mats.store.journal.halts import StoredHalt
from mats.store.journal.journal import Journal
from mats.store.journal.journal_file import AlreadyBookedError, JournalError, JournalFullError, JournalUnwritableError
from mats.store.journal.orders import Alias
from tests.small_disk import ROOT_ONLY, small_disk


def test_entries_of_every_kind_come_back_equal_and_in_order(journal, make):
    first, second = make.execution(1), make.execution(1, 2)
    adjustment = AdjustmentRecorded(
        seq=4, strategy="Discretionary", account="DU1", instrument="SPY", quantity=Decimal("-0.10"),
        price=Decimal("1.5"), currency="USD", multiplier=Decimal(1), reason="stock split", recorded=make.opening,
    )  # fmt: skip
    log = [make.fill(1, first), make.commission(2, first), make.correction(3, second, first), adjustment]
    journal.append(log)
    assert journal.entries(0, 10) == log
    assert str(journal.entries(3, 1)[0].quantity) == "-0.10"
    assert journal.entries(1, 2) == log[1:3]
    assert journal.last_seq() == 4


def test_the_same_execution_cannot_be_appended_twice_and_nothing_of_its_batch_is_written(journal, make):
    journal.append([make.fill(1, make.execution(1))])
    with pytest.raises(AlreadyBookedError):
        journal.append([make.fill(2, make.execution(2)), make.fill(3, make.execution(1))])
    assert journal.last_seq() == 1
    assert journal.latest_execution("DU1", "0000.000002") is None
    journal.append([make.fill(2, make.execution(2))])
    assert journal.last_seq() == 2


def test_a_commission_is_new_only_once_also_where_another_account_has_an_execution_of_that_id(journal, make):
    """Commissions name no account: who books one as new may not know the other execution."""
    first, second = make.execution(1), replace(make.execution(1), account="DU2")
    journal.append([make.fill(1, first), make.commission(2, first), make.fill(3, second)])
    with pytest.raises(AlreadyBookedError):
        journal.append([make.commission(4, second)])
    assert journal.last_seq() == 3


def test_an_execution_is_new_only_once_whatever_its_revision(journal, make):
    journal.append([make.fill(1, make.execution(1))])
    with pytest.raises(AlreadyBookedError):
        journal.append([make.fill(2, make.execution(1, 2))])
    journal.append([make.correction(2, make.execution(1, 2), make.execution(1))])
    with pytest.raises(sqlite3.IntegrityError):
        journal.append([make.correction(3, make.execution(1, 2), make.execution(1))])
    assert journal.last_seq() == 2


def test_a_correction_under_the_id_of_what_it_corrects_takes_its_place(journal, make):
    journal.append([make.fill(1, make.execution(1))])
    corrected = make.correction(2, make.execution(1), make.execution(1))
    journal.append([corrected])
    assert journal.find_execution(make.execution(1).exec_id) == corrected
    assert [entry.seq for entry in journal.entries(0, 10)] == [1, 2]


def test_what_was_committed_unflushed_is_committed(journal, make):
    with journal.unflushed():
        journal.append([make.fill(1, make.execution(1))])
    journal.flush()
    other = Journal(journal.path)
    assert other.entries(0, 10) == [make.fill(1, make.execution(1))]
    other.close()


def test_live_reports_that_follow_one_another_tell_sqlite_once_that_they_are_not_flushed(journal, make):
    statements = []
    with journal.unflushed():
        journal.append([make.fill(1, make.execution(1))])
    journal._db.set_trace_callback(statements.append)
    with journal.unflushed():
        journal.append([make.fill(2, make.execution(2))])
    assert [line for line in statements if line.startswith("PRAGMA")] == []
    journal.append([make.fill(3, make.execution(3))])
    assert [line for line in statements if line.startswith("PRAGMA")] == ["PRAGMA synchronous = FULL"]


def test_it_is_released_by_the_thread_that_uses_it_and_by_no_other(journal, make):
    with ThreadPoolExecutor(1) as other:
        other.submit(journal.release).result()
    journal.append([make.fill(1, make.execution(1))])
    journal.release()
    with pytest.raises(sqlite3.ProgrammingError):
        journal.last_seq()


def test_a_flush_that_fails_says_so(journal, monkeypatch):
    def refuse(descriptor):
        raise OSError("Input/output error")

    monkeypatch.setattr("os.fdatasync", refuse)
    with pytest.raises(JournalUnwritableError, match="Input/output error"):
        journal.flush()


def test_the_same_execution_id_in_two_accounts_is_two_executions(journal, make):
    journal.append([make.fill(1, make.execution(1)), make.fill(2, make.execution(1, account="DU2"))])
    assert journal.last_seq() == 2


def test_a_commission_is_booked_once(journal, make):
    journal.append([make.fill(1, make.execution(1)), make.commission(2, make.execution(1))])
    assert journal.has_commission("0000.000001.01")
    assert not journal.has_commission("0000.000001.02")
    with pytest.raises(AlreadyBookedError):
        journal.append([make.commission(3, make.execution(1), "9.99")])


def test_a_gap_in_the_log_is_refused(journal, make):
    with pytest.raises(JournalError, match="the next seq is 1"):
        journal.append([make.fill(2, make.execution(1))])
    assert journal.last_seq() == 0


def test_the_highest_revision_holds_whatever_order_revisions_came_in(journal, make):
    third, second = make.execution(1, 3), make.execution(1, 2)
    journal.append([make.fill(1, third), make.correction(2, second, third)])
    assert journal.latest_execution("DU1", "0000.000001") == make.fill(1, third)
    assert journal.find_execution("0000.000001.02") == make.correction(2, second, third)
    assert journal.find_execution("0000.000001.01") is None


def test_a_book_reads_its_own_entries_only(journal, make):
    mine, other, mine_again = make.execution(1), make.execution(2), make.execution(3)
    journal.append([make.fill(1, mine), make.fill(2, other, "MEAN"), make.fill(3, mine_again)])
    assert [e.seq for e in journal.entries_of("DU1", "TREND", "SPY")] == [1, 3]
    assert journal.entries_of("DU2", "TREND", "SPY") == []


def test_a_commission_that_replaces_another_is_the_one_that_is_found(journal, make):
    first = make.commission(2, make.execution(1))
    journal.append([make.fill(1, make.execution(1)), first])
    second = make.commission(3, make.execution(1), "9.99")
    journal.append([replace(second, previous=first.commission)])
    assert journal.booked_commission("0000.000001.01") == second.commission
    assert journal.booked_commission("0000.000001.02") is None


def test_an_early_commission_is_kept_until_its_entry_is_in_the_log(journal, open_journal, make):
    held = Commission(exec_id=make.execution(1).exec_id, amount=Decimal("1.2500"), currency="USD")
    journal.hold_commission(held)
    journal.append([make.fill(1, make.execution(1))])
    assert journal.early_commission(held.exec_id) == held
    assert open_journal().early_commission(held.exec_id) == held, "taking is not yet letting go"
    journal.append([make.commission(2, make.execution(1))])
    assert journal.early_commission(held.exec_id) is None


def test_pruning_drops_the_head_and_keeps_what_prevents_a_double_booking(journal, make):
    a, a2, b = make.execution(1), make.execution(1, 2), make.execution(2)
    log = [make.fill(1, a), make.commission(2, a), make.correction(3, a2, a), make.fill(4, b)]
    journal.append(log)
    assert journal.prune(make.opening + 4, keep_after_seq=4) == 3
    assert journal.counts()["entries"] == 2, "the superseded fill and the commission are gone"
    assert journal.entries(3, 10) == [log[3]]
    with pytest.raises(JournalError, match="start from a saved state"):
        journal.entries(0, 10)
    assert journal.latest_execution("DU1", a.family) == log[2]
    assert journal.has_commission(a.exec_id)
    assert journal.entries_of("DU1", "TREND", "SPY") == [log[3]]
    with pytest.raises(AlreadyBookedError):
        journal.append([make.fill(5, a)])


def test_pruning_never_passes_the_cursor_it_was_given(journal, make):
    journal.append([make.fill(seq, make.execution(seq)) for seq in range(1, 6)])
    journal.prune(make.opening + 100, keep_after_seq=2)
    assert [e.seq for e in journal.entries(2, 10)] == [3, 4, 5]
    journal.prune(make.opening + 100, keep_after_seq=5)
    assert journal.entries(5, 10) == []
    assert journal.last_seq() == 5, "the next entry continues the log although its payloads are gone"


def test_what_goes_out_in_one_is_recorded_in_one(journal, make):
    first, second, third = (make.intent(number) for number in (1, 2, 3))
    family = [(intent, make.sent(intent, 7, 100 + number)) for number, intent in enumerate((first, second))]
    assert journal.record_intents(family, "s1")
    assert not journal.record_intents(family, "s1")
    assert [journal.order(name).view.order_id for name in ("i1", "i2")] == [100, 101]
    with pytest.raises(JournalError, match="i2 is recorded already"):
        journal.record_intents([(third, make.sent(third, 7, 103)), family[1]], "s1")
    assert journal.order("i3") is None, "all of them or none"


def test_an_intent_is_recorded_once(journal, make):
    intent = make.intent(1)
    assert journal.record_intent(intent, make.sent(intent, 7, 100), "s1")
    assert not journal.record_intent(intent, make.sent(intent, 8, 200), "s2")
    order = journal.order("i1")
    assert order.intent == intent
    assert order.view == make.sent(intent, 7, 100)
    assert order.aliases == (Alias(session="s1", client_id=7, order_id=100, perm_id=0),)
    assert journal.strategy_of("i1") == intent.strategy
    assert journal.strategy_of("i2") is None


def test_states_decide_which_orders_are_open(journal, make):
    views = []
    for n in (1, 2, 3):
        intent = make.intent(n)
        views.append(make.sent(intent, 1, n))
        journal.record_intent(intent, views[-1], "s")
    filled = replace(views[0], state=OrderState.FILLED, filled=Decimal("100.5"), updated=make.opening + 60 * SECOND)
    unknown = replace(views[1], state=OrderState.UNKNOWN, note="no answer", updated=make.opening + 70 * SECOND)
    journal.record_views([filled, unknown])
    assert [o.intent.intent_id for o in journal.open_orders()] == ["i2", "i3"]
    assert [o.intent.intent_id for o in journal.recent_orders(2)] == ["i2", "i1"]
    assert journal.order("i2").view == unknown
    assert journal.totals() == (3, 0)


def test_views_are_recorded_all_or_none(journal, make):
    intent = make.intent(1)
    journal.record_intent(intent, make.sent(intent, 1, 1), "s")
    stray = make.intent(9)
    with pytest.raises(JournalError, match="intent i9 is not in the journal"):
        journal.record_views([replace(make.sent(intent, 1, 1), note="changed"), make.sent(stray, 1, 9)])
    assert journal.order("i1").view.note == ""


def test_one_intent_may_have_several_incarnations_and_each_is_found(journal, make):
    journal.record_intent(make.intent(1), make.sent(make.intent(1), 1, 5), "s1")
    journal.record_alias("i1", "s1", 1, 5, 777)
    journal.record_alias("i1", "s1", 1, 5, 0)
    journal.record_alias("i1", "s2", 1, 6, 0)
    journal.record_alias("i1", "s2", 1, 6, 778)
    assert [(a.session, a.order_id, a.perm_id) for a in journal.order("i1").aliases] == [
        ("s1", 5, 777),
        ("s2", 6, 778),
    ]
    assert journal.intent_by_perm_id(777) == journal.intent_by_perm_id(778) == "i1"
    assert journal.intent_by_perm_id(0) is None


def test_an_order_that_rests_over_many_starts_has_one_incarnation(journal, make):
    journal.record_intent(make.intent(1), make.sent(make.intent(1), 1, 5), "s0")
    for start in range(1, 20):
        journal.record_alias("i1", f"s{start}", 1, 5, 777 if start > 2 else 0)
        assert journal.counts()["aliases"] == 1
        assert journal.order("i1").session == f"s{start}"
    assert journal.intent_by_perm_id(777) == "i1"


def test_a_perm_id_cannot_move_to_another_intent(journal, make):
    for n in (1, 2):
        journal.record_intent(make.intent(n), make.sent(make.intent(n), 1, n), "s")
    journal.record_alias("i1", "s", 1, 1, 777)
    with pytest.raises(JournalError, match="perm id 777 is the order of intent i1"):
        journal.record_alias("i2", "s", 1, 2, 777)
    assert journal.intent_by_perm_id(777) == "i1"


def test_an_alias_without_an_intent_is_refused(journal):
    with pytest.raises(JournalError, match="intent i9 is not in the journal"):
        journal.record_alias("i9", "s", 1, 1, 5)


def test_each_start_is_a_new_branch(open_journal):
    first, second = open_journal().open_boot(), open_journal().open_boot()
    assert (first.number, second.number) == (1, 2)
    assert first.branch != second.branch
    assert open_journal().branch() == second.branch
    assert first.branch.isalnum()
    assert first.branch == first.branch.lower()


def test_a_branch_is_held_up_to_the_entry_after_which_the_next_one_began(journal, make):
    first = journal.open_boot().branch
    journal.append([make.fill(1, make.execution(1)), make.fill(2, make.execution(2))])
    second = journal.open_boot().branch
    journal.append([make.fill(3, make.execution(3))])
    assert [journal.holds(first, seq) for seq in (0, 2, 3)] == [True, True, False]
    assert [journal.holds(second, seq) for seq in (0, 3, 4)] == [True, True, False]
    assert not journal.holds("another", 0)


def test_a_journal_that_was_rolled_back_repeats_no_branch_and_no_epoch_and_holds_nothing_of_its_lost_life(
    journal, open_journal, make, tmp_path
):
    journal.open_boot()
    journal.append([make.fill(1, make.execution(1))])
    sqlite3.connect(journal.path).execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
    lost = journal.open_boot().branch
    epochs = {journal.open_epoch("ib-1") for _ in range(3)}
    journal.append([make.fill(2, make.execution(2))])
    restored = Journal(tmp_path / "backup.db")
    assert restored.open_boot().branch != lost
    assert epochs.isdisjoint({restored.open_epoch("ib-1") for _ in range(3)})
    assert not restored.holds(lost, 1)
    restored.close()


def test_a_saved_state_ahead_of_its_log_is_dropped_at_the_next_start(journal, make):
    journal.open_boot()
    journal.append([make.fill(1, make.execution(1))])
    journal.save_snapshot("portfolio", 1, b"true")
    journal.save_snapshot("risk", 2, b"ahead")
    assert journal.open_boot().dropped == ("risk",)
    assert (journal.load_snapshot("portfolio"), journal.load_snapshot("risk")) == ((1, b"true"), None)


def test_a_damaged_saved_state_is_dropped_at_the_next_start(journal):
    journal.open_boot()
    journal.save_snapshot("risk", 0, b"true")
    sqlite3.connect(journal.path, isolation_level=None).execute("UPDATE snapshots SET payload = x'ffee01'")
    assert journal.open_boot().dropped == ("risk",)


def test_a_saved_state_of_a_newer_program_is_refused_and_one_of_an_older_is_folded_anew(journal, open_journal):
    journal.save_snapshot("risk", 0, b"")
    raw = sqlite3.connect(journal.path)
    for version in (99, 0):
        raw.execute("UPDATE snapshots SET format = ?", (version,))
        raw.commit()
        if version:
            with pytest.raises(JournalError, match="has version 99 and this program knows up to 1"):
                journal.load_snapshot("risk")
        else:
            assert journal.load_snapshot("risk") is None


def test_an_order_id_mark_never_falls(journal, open_journal):
    assert journal.order_id_mark(3) == 0
    journal.raise_order_id_mark(3, 500)
    journal.raise_order_id_mark(3, 499)
    assert open_journal().order_id_mark(3) == 500
    assert journal.order_id_mark(4) == 0


def test_epochs_rise_by_one_for_each_connection(journal, open_journal):
    assert journal.epoch("ib-1") == 0
    assert (journal.open_epoch("ib-1"), open_journal().open_epoch("ib-1"), journal.open_epoch("ib-2")) == (1, 2, 1)
    assert journal.epoch("ib-1") == 2


def test_the_client_id_of_a_strategy_is_asked_for_once(journal):
    statements = []
    assert journal.client_id("trend") == 1
    journal._db.set_trace_callback(statements.append)
    assert journal.client_id("trend") == 1
    assert statements == []


def test_client_ids_are_stable_and_run_out_with_a_reason(journal, open_journal):
    assert [journal.client_id(f"S{n}") for n in range(98)] == list(range(1, 99))
    assert open_journal().client_id("S41") == 42
    with pytest.raises(JournalError, match="strategy ONE_MORE gets no client id"):
        journal.client_id("ONE_MORE")


def test_a_snapshot_carries_its_cursor_and_replaces_the_last(journal, open_journal):
    assert journal.load_snapshot("portfolio") is None
    journal.save_snapshot("portfolio", 5, b"five")
    journal.save_snapshot("portfolio", 9, b"nine")
    assert open_journal().load_snapshot("portfolio") == (9, b"nine")


def test_halts_last_until_they_are_cleared(journal, open_journal):
    journal.set_halt("all", "kill switch", 7)
    journal.set_halt("TREND", "drawdown", 8)
    journal.clear_halt("all")
    assert open_journal().halts() == {"TREND": StoredHalt("drawdown", 8)}


def test_counts_name_every_table(journal, make):
    journal.append([make.fill(1, make.execution(1)), make.commission(2, make.execution(1))])
    counts = journal.counts()
    assert (counts["entries"], counts["executions"], counts["commissions"], counts["orders"]) == (2, 1, 1, 0)


def test_a_journal_of_a_newer_program_is_refused(tmp_path):
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE meta SET value = 99 WHERE key = 'schema_version'")
    raw.close()
    with pytest.raises(JournalError, match=r"has schema version 99 and this program knows up to \d+"):
        Journal(path)


def test_every_commit_is_flushed_to_the_disk(journal):
    pragmas = [journal._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2], "synchronous 2 is FULL"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT payload FROM executions JOIN entries USING (seq) WHERE executions.account = 'a' AND family = 'f'",
        "SELECT payload FROM executions JOIN entries USING (seq) WHERE exec_id = 'e'",
        "SELECT payload FROM entries WHERE account = 'a' AND strategy = 's' AND instrument = 'i' AND seq > 1",
        "SELECT intent FROM orders WHERE final = 0 ORDER BY created",
        "SELECT intent FROM orders WHERE updated >= 1",
        "SELECT intent_id FROM aliases WHERE perm_id = 5 AND perm_id != 0",
        "SELECT session FROM aliases WHERE intent_id = 'i'",
    ],
)
def test_no_query_of_the_hot_path_scans_a_table(journal, query):
    plan = " ".join(row[3] for row in journal._db.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert "SEARCH" in plan or "USING INDEX" in plan
    assert not any(f"SCAN {table}" in plan and f"SCAN {table} USING" not in plan for table in journal.counts())


@ROOT_ONLY
def test_on_a_disk_without_space_nothing_is_half_written_and_with_space_it_goes_on(tmp_path):
    with small_disk(tmp_path / "disk", 8) as disk:
        journal = Journal(disk / "journal.sqlite")
        ballast = disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            ballast.write_bytes(bytes(8 * 2**20))
        big = bytes(2 * 2**20)
        with pytest.raises(JournalFullError, match="free some space"):
            journal.save_snapshot("orders", 1, big)
        assert journal.load_snapshot("orders") is None
        ballast.unlink()
        journal.save_snapshot("orders", 1, big)
        assert journal.load_snapshot("orders") == (1, big)
        journal.close()


def test_a_file_that_may_not_be_written_is_a_fault_that_may_pass(open_journal):
    journal = open_journal()
    journal._db.execute("PRAGMA query_only = ON")
    with pytest.raises(JournalUnwritableError, match=r"cannot be written .*; nothing is sent or acknowledged"):
        journal.save_snapshot("orders", 1, b"")
    journal._db.execute("PRAGMA query_only = OFF")
    journal.save_snapshot("orders", 1, b"")
