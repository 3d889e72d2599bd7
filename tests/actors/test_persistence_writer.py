"""The persistence writer: stored first, acknowledged then; nothing twice, nothing forgotten, whatever the disk does."""

from decimal import Decimal
from functools import partial

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from actors.base.bar_archive import SYMBOLS_A_TURN
from actors.messages.fill_log import Acknowledge, ApplyEntries, ReportCursor, StageCursor, StoreReported
from actors.messages.order_manager import OrderChanged
from actors.messages.persistence_writer import (
    EquitiesRead,
    ReadEquities,
    ReadPrunedEntries,
    ReadStored,
    ReadTable,
    SeedStrategies,
    SetEquity,
    StoreBars,
    StrategiesRead,
)
from actors.messages.portfolio_manager import AccountUpdated, BooksReconciled, MarksUpdated
from actors.messages.subscription import Republish
from actors.persistence_writer import DERIVED_SECONDS, PersistenceWriter
from mats.model.broker_reports import AccountValue
from mats.model.orders import OrderState
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import SECOND
from mats.runtime import Crash, VirtualRuntime
from mats.runtime.testing import ChaosPlan
from mats.store.journal.journal import Journal
from mats.store.tables import BarStore, connection
from mats.store.tables.connection import lmdb_uri, write_lock
from mats.store.tables.reader import Reader
from tests.actors.samples import a_fill, a_view, since_last_look
from tests.store_trouble import KINDS, store_trouble

D = Decimal
OPENING = 1_700_060_100 * SECOND


def start(runtime, folder, actor=PersistenceWriter, **changes):
    """Start the persistence writer, or start it again; `changes` are the arguments that are to differ."""
    args = PersistenceWriter.Args(
        uri=lmdb_uri(folder / "arctic"),
        journal_path=folder / "journal.sqlite",
        rejects=folder / "rejects.jsonl",
        base_currency="USD",
        keep_days=30.0,
        matching="fifo",
        stages=("store",),
        fill_log=runtime.ref("fill-log"),
        publishers=(runtime.ref("orders"), runtime.ref("portfolio")),
    )
    runtime.launch("store", actor, replace(args, **changes), supervised=True)
    return runtime.ref("store")


class World:
    """The persistence writer among probes, over a real store and a real journal with four fills."""

    def __init__(self, runtime, folder, received):
        self.runtime, self.folder, self.received = runtime, folder, received
        self.log, self.orders, self.portfolio, self.asker = map(
            runtime.probe, ("fill-log", "orders", "portfolio", "asker")
        )
        self.entries = [replace(a_fill(seq, quantity=10 * seq), recorded=OPENING) for seq in range(1, 5)]
        journal = Journal(folder / "journal.sqlite")
        journal.append(self.entries)
        journal.close()
        self.ref = start(runtime, folder)
        runtime.run_until_idle()

    def tell(self, *messages):
        for message in messages:
            self.ref.tell(message)
            self.runtime.run_until_idle()

    def apply(self, first, last):
        """Entries `first` to `last` wait in the mailbox."""
        self.ref.tell(ApplyEntries(tuple(self.entries[first - 1 : last])))

    def acknowledged(self):
        """What was acknowledged since the last look."""
        return [message.seq for message in self.received(self.log, Acknowledge)]

    def read(self):
        return Reader(lmdb_uri(self.folder / "arctic"))

    def stored(self):
        """The entries whose fills are in the store."""
        frame = self.read().fills("DU1")
        return frame["seq"].tolist() if len(frame) else []

    def crash(self):
        self.ref.signal(Crash())
        self.runtime.run_until_idle()
        self.received(self.log)

    def restart(self, **changes):
        """The next incarnation; the cursor with which it comes back."""
        start(self.runtime, self.folder, **changes)
        (cursor,) = self.received(self.log, StageCursor)
        return cursor


@pytest.fixture
def world(runtime, tmp_path, received):
    return World(runtime, tmp_path, received)


# Fills


def test_it_says_how_far_it_is_and_asks_its_sources_for_what_was_on_its_way(world):
    assert world.received(world.log) == [StoreReported(None, known=False), StageCursor("store", 0)]
    assert world.received(world.orders) == world.received(world.portfolio) == [Republish()]


def test_fills_are_stored_before_they_are_acknowledged(world):
    world.received(world.log)
    world.apply(1, 2)
    world.runtime.run_until(lambda: world.log.ref.mailbox.pending == 1, timeout=1.0)
    assert world.stored() == [1, 2]
    assert world.acknowledged() == [2]


def test_what_waits_when_a_commit_begins_is_committed_together(world):
    world.apply(1, 1)
    world.apply(2, 3)
    assert world.acknowledged() == [3]
    assert world.stored() == [1, 2, 3]


def test_a_fill_that_comes_twice_is_stored_once(world):
    world.apply(1, 1)
    world.apply(1, 2)
    assert world.acknowledged() == [2]
    world.apply(1, 2)
    assert world.acknowledged() == []
    assert world.stored() == [1, 2]


def test_a_missing_entry_is_asked_for_and_nothing_beyond_it_is_stored(world):
    world.received(world.log)
    world.apply(2, 2)
    assert world.received(world.log) == [StageCursor("store", 0)]
    assert world.stored() == []


def test_its_cursor_is_reported_when_the_log_asks(world):
    world.apply(1, 2)
    world.acknowledged()
    world.tell(ReportCursor())
    assert world.received(world.log) == [StageCursor("store", 2)]


# What follows from fills


def test_positions_follow_their_fills_within_a_second(world):
    world.apply(1, 2)
    world.runtime.advance(1.0)
    assert world.read().portfolio("DU1")["quantity"].tolist() == [30.0]
    assert world.read().position_history("trend", "SPY")["quantity"].tolist() == [10.0, 30.0]


def test_of_an_order_the_latest_state_is_stored_within_a_second(world):
    world.tell(OrderChanged(a_view(OrderState.SENT)), OrderChanged(a_view(OrderState.WORKING)))
    world.runtime.advance(1.0)
    assert world.read().orders("DU1")[["intent_id", "status"]].values.tolist() == [["i1", "WORKING"]]


def test_prices_value_what_is_held(world):
    world.apply(1, 1)
    world.tell(MarksUpdated({"SPY": 101.5}, OPENING))
    world.runtime.advance(1.0)
    assert world.read().portfolio("DU1")["market_value"].tolist() == [1015.0]


def test_the_figures_of_an_account_are_stored(world):
    value = AccountValue(account="DU1", tag="NetLiquidation", value="1000", currency="USD")
    world.tell(AccountUpdated("DU1", (value,)))
    world.runtime.advance(1.0)
    assert world.read().account_summary("DU1")["net_liquidation"].tolist() == [1000.0]


def test_books_that_the_broker_has_confirmed_are_kept_as_a_snapshot_once_their_fills_are_here(world):
    world.tell(BooksReconciled(2, ("DU1",)))
    assert len(world.read().portfolio_history("DU1")) == 0
    world.apply(1, 2)
    world.runtime.run_until_idle()
    kept = world.read().portfolio_history("DU1")
    assert kept[["quantity", "reason", "reconciled_seq"]].values.tolist() == [[30.0, "reconciled", 2]]


# The tables of operators

SEED = StrategyRecord(name="trend", file="x.py", class_name="X", target_weight=0.5)


def test_a_strategy_is_added_where_the_table_lacks_it_and_what_is_there_stays(world):
    world.tell(SeedStrategies((SEED,), world.asker.ref))
    assert world.received(world.asker) == [StrategiesRead((SEED,))]
    other = replace(SEED, name="revert")
    world.tell(SeedStrategies((replace(SEED, target_weight=0.9), other), world.asker.ref))
    assert world.received(world.asker) == [StrategiesRead((SEED, other))]
    world.tell(ReadTable(world.asker.ref))
    assert world.received(world.asker) == [StrategiesRead((SEED, other))]


def test_an_equity_that_was_set_is_read_until_it_is_cleared(world):
    given = SetEquity(account="DU1", strategy="trend", equity=D("777.10"))
    question = ReadEquities((("DU1", "trend"), ("DU1", "revert")), world.asker.ref)
    assert world.ref.ask(given, timeout=1.0) == ""
    world.tell(question)
    assert world.received(world.asker) == [EquitiesRead({"trend": D("777.10")})]
    world.runtime.advance(1.0)
    assert world.ref.ask(replace(given, equity=None), timeout=1.0) == ""
    world.tell(question)
    assert world.received(world.asker) == [EquitiesRead({})]


def test_an_equity_that_no_table_can_hold_is_answered_with_the_reason(world):
    wrong = SetEquity(account="DU1", strategy="trend", equity=D("sNaN"))
    assert "cannot convert signaling NaN" in world.ref.ask(wrong, timeout=1.0)


def test_who_asks_how_many_fills_are_stored_gets_the_number_with_those_that_waited(world):
    world.apply(1, 3)
    assert world.ref.ask(ReadStored(), timeout=1.0) == 3


# Trouble


def test_a_full_disk_keeps_everything_waiting_and_loses_nothing(world, monkeypatch):
    monkeypatch.setattr(connection, "RESERVE_BYTES", 2**62)
    world.apply(1, 2)
    world.tell(OrderChanged(a_view(OrderState.WORKING)))
    world.runtime.advance(3.0)
    assert (world.acknowledged(), world.stored()) == ([], [])
    monkeypatch.undo()
    world.runtime.advance(1.0)
    assert (world.acknowledged(), world.stored()) == ([2], [1, 2])
    assert world.read().orders("DU1")["intent_id"].tolist() == ["i1"]


def test_a_row_that_fits_no_table_is_kept_in_the_file_of_rejects_and_the_rest_is_stored(world):
    world.entries[1] = replace(world.entries[1], execution=replace(world.entries[1].execution, perm_id=2**70))
    world.apply(1, 3)
    assert world.acknowledged() == [3]
    assert world.stored() == [1, 3]
    (line,) = (world.folder / "rejects.jsonl").read_text().splitlines()
    assert "column perm_id cannot hold" in line


def test_when_its_mailbox_is_full_fills_and_orders_still_come_in(world):
    class Small(PersistenceWriter):
        mailbox = replace(PersistenceWriter.mailbox, capacity=1)

    world.crash()
    world.restart(actor=Small)
    assert [world.ref.offer(ReadTable(world.asker.ref)) for _ in range(2)] == [True, False]
    assert world.ref.offer(ApplyEntries(tuple(world.entries[:1])))
    assert world.ref.offer(OrderChanged(a_view(OrderState.WORKING)))
    assert world.ref.offer(BooksReconciled(0, ()))


# Crashes, the journal, the end


def test_after_a_crash_it_goes_on_where_it_saved_and_stores_nothing_twice(world):
    world.apply(1, 2)
    world.runtime.advance(5.0)
    world.apply(3, 3)
    world.runtime.advance(1.0)
    world.crash()
    assert world.restart() == StageCursor("store", 2)
    world.apply(3, 4)
    world.runtime.advance(1.0)
    assert world.acknowledged() == [4]
    assert world.stored() == [1, 2, 3, 4]
    assert world.read().position_history("trend", "SPY")["quantity"].tolist() == [10.0, 30.0, 60.0, 100.0]


def test_a_crash_between_commit_and_acknowledgement_makes_the_entries_come_again_and_be_stored_once(tmp_path):
    plan = ChaosPlan(seed=1, points={"store: after the commit, before the acknowledgement": 1.0})
    runtime = VirtualRuntime(seed=1, start=OPENING, plan=plan)
    world = World(runtime, tmp_path, partial(since_last_look, runtime))
    world.apply(1, 2)
    assert (world.acknowledged(), world.stored()) == ([], [1, 2])
    plan.heal()
    start(runtime, tmp_path)
    assert world.received(world.log, StageCursor) == [StageCursor("store", 0)]
    world.apply(1, 3)
    assert (world.acknowledged(), world.stored()) == ([3], [1, 2, 3])
    runtime.stop(5.0)


def test_a_stop_stores_what_waits_and_saves_how_far_it_is(world):
    world.apply(1, 2)
    world.ref.tell(OrderChanged(a_view(OrderState.WORKING)))
    world.ref.stop()
    world.runtime.run_until_idle()
    assert (world.acknowledged(), world.stored()) == ([2], [1, 2])
    assert world.read().portfolio("DU1")["quantity"].tolist() == [30.0]
    assert world.read().orders("DU1")["intent_id"].tolist() == ["i1"]
    assert world.restart() == StageCursor("store", 2)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"keep_days": 0.0}, [3, 4]),
        ({"keep_days": 30.0}, [1, 2, 3, 4]),
        ({"keep_days": 0.0, "stages": ("store", "risk")}, [1, 2, 3, 4]),
    ],
)
def test_the_journal_lets_go_of_what_is_old_and_in_the_saved_state_of_every_stage(world, changes, kept):
    world.apply(1, 2)
    world.runtime.advance(5.0)
    world.crash()
    world.restart(**changes)
    journal = Journal(world.folder / "journal.sqlite")
    assert [entry.seq for entry in journal.entries_of("DU1", "trend", "SPY")] == kept
    journal.close()


# A store that is away


@pytest.fixture
def trouble():
    with store_trouble() as made:
        yield made


def outages(world):
    """The outages that the fill log was told since the last look, repetitions left out."""
    told = [report.outage for report in world.received(world.log, StoreReported)]
    return [now for before, now in zip([None, *told], told, strict=False) if now != before]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_outage_is_told_at_its_begin_and_its_end_and_costs_no_restart(world, trouble, kind):
    world.tell(SeedStrategies((SEED,), world.asker.ref))
    world.runtime.advance(1.0)
    world.received(world.log)
    trouble.begin(kind)
    with capture_logs() as lines:
        world.apply(1, 2)
        world.tell(OrderChanged(a_view(OrderState.WORKING)))
        for _ in range(120):
            world.tell(ReadTable(world.asker.ref), ReadEquities((("DU1", "trend"),), world.asker.ref))
            world.runtime.advance(1.0)
        (begun,) = outages(world)
        assert OPENING <= begun.since - SECOND < OPENING + SECOND
        trouble.end()
        world.runtime.advance(20.0)
    assert world.received(world.log, StoreReported)[-1] == StoreReported(None, known=True)
    assert [line["event"] for line in lines] == [
        "store is away; everything is kept and given to it again",
        "store is back; everything kept is stored",
    ]
    assert world.stored() == [1, 2]
    assert world.read().orders("DU1")["intent_id"].tolist() == ["i1"]
    assert [line.last_failure for line in world.runtime.status() if line.last_failure] == []


def test_strategies_come_from_the_table_that_was_read_last_until_the_store_is_back(world, trouble):
    world.tell(SeedStrategies((SEED,), world.asker.ref))
    world.crash()
    world.received(world.asker)
    trouble.begin("away")
    world.restart()
    other = replace(SEED, name="revert")
    world.tell(SeedStrategies((SEED, other), world.asker.ref), ReadTable(world.asker.ref))
    (last,) = world.received(world.asker)
    assert last.records == (SEED,)
    assert last.away.startswith("the store is away since 2023-11-15 14:55:00 UTC, E_S3_RETRYABLE")
    world.runtime.advance(60.0)
    assert world.received(world.asker) == [], "once"
    trouble.end()
    world.runtime.advance(20.0)
    assert world.received(world.asker) == [StrategiesRead((SEED, other))]


def test_a_table_that_nobody_ever_read_is_not_made_up(world, trouble):
    trouble.begin("away")
    world.tell(SeedStrategies((SEED,), world.asker.ref))
    (last,) = world.received(world.asker)
    assert (last.records, last.fault) == ((), "")
    assert last.away


def test_equities_are_answered_when_the_store_is_back_before_it_is_said_to_be_known(world, trouble):
    assert world.ref.ask(SetEquity(account="DU1", strategy="trend", equity=D(777)), timeout=1.0) == ""
    world.tell(SeedStrategies((SEED,), world.asker.ref))
    world.crash()
    world.received(world.asker)
    trouble.begin("away")
    world.restart()
    question = ReadEquities((("DU1", "trend"),), world.asker.ref)
    world.tell(SeedStrategies((SEED,), world.asker.ref), question, question)
    world.runtime.advance(5.0)
    assert not any(report.known for report in world.received(world.log, StoreReported))
    trouble.end()
    world.runtime.advance(20.0)
    assert world.received(world.asker, EquitiesRead) == [EquitiesRead({"trend": D(777)})]
    assert world.received(world.log, StoreReported)[-1].known


def test_who_waits_for_an_answer_is_told_at_once_that_the_store_is_away(world, trouble):
    trouble.begin("away")
    answer = world.ref.ask(SetEquity(account="DU1", strategy="trend", equity=D(777)), timeout=1.0)
    assert answer.startswith("the equity of trend is not stored: the store is away since")
    assert world.ref.ask(ReadStored(), timeout=1.0) is None
    trouble.end()
    world.runtime.advance(20.0)
    assert world.ref.ask(ReadStored(), timeout=1.0) == 0


def test_pruned_entries_are_read_for_who_asks_as_soon_as_the_store_answers(world, trouble):
    world.apply(1, 4)
    world.runtime.advance(1.0)
    question = ReadPrunedEntries(("DU1", "trend", "SPY"), 3, world.asker.ref)
    trouble.begin("unreadable")
    world.tell(question)
    assert world.received(world.asker) == []
    trouble.end()
    world.runtime.advance(1.0)
    world.tell(question)
    (read,) = world.received(world.asker)
    assert (read.key, read.through, [entry.seq for entry in read.entries]) == (question.key, 3, [1, 2, 3])


@pytest.mark.parametrize(("saved", "left"), [(0, [1, 2, 3, 4]), (2, [3, 4])])
def test_the_journal_is_not_pruned_past_what_every_stage_has_saved(world, saved, left):
    """A stage that starts again needs what came after its saved state; the journal keeps more than that of fills."""
    world.apply(1, 4)
    world.runtime.advance(10.0)
    journal = Journal(world.folder / "journal.sqlite")
    if saved:
        journal.save_snapshot("portfolio", saved, b"")
    world.crash()
    world.restart(keep_days=0.0, stages=("portfolio", "store"))
    assert journal.pruned_to() == saved
    assert [entry.seq for entry in journal.entries(saved, 10)] == left
    journal.close()


def test_it_stops_in_order_while_the_store_is_away_and_the_next_one_stores_what_waited(world, trouble):
    world.tell(SeedStrategies((SEED,), world.asker.ref))
    trouble.begin("away")
    world.apply(1, 3)
    world.ref.stop()
    world.runtime.run_until_idle()
    trouble.end()
    world.received(world.log)
    assert world.restart() == StageCursor("store", 0)
    world.apply(1, 4)
    assert (world.acknowledged(), world.stored()) == ([4], [1, 2, 3, 4])


# Bars


def test_bars_are_stored_under_their_starts_a_few_instruments_a_turn(world, a_bar):
    names = [f"I{number}" for number in range(SYMBOLS_A_TURN + 1)]
    world.tell(StoreBars(tuple(a_bar(5 * at, 100.0 + at, name) for name in names for at in range(3))))
    world.runtime.advance(DERIVED_SECONDS)
    store = BarStore(lmdb_uri(world.folder / "arctic"))
    assert [item.instrument for item in store.contents()] == names[:-1]
    world.runtime.advance(DERIVED_SECONDS)
    bars = store.read("I0", 5)
    assert bars.close.tolist() == [100.0, 101.0, 102.0]
    assert [item.count for item in store.contents()] == [3] * len(names)


def test_bars_that_come_again_change_nothing_and_late_ones_are_put_in_place(world, a_bar):
    store = BarStore(lmdb_uri(world.folder / "arctic"))
    for batch in ((0, 10), (0, 5), (15,)):
        world.tell(StoreBars(tuple(a_bar(at, 100.0 + at) for at in batch)))
        world.runtime.advance(DERIVED_SECONDS)
    assert store.read("SPY", 5).close.tolist() == [100.0, 105.0, 110.0, 115.0]


def test_bars_wait_while_an_import_writes_and_while_the_store_is_away(world, a_bar):
    uri = lmdb_uri(world.folder / "arctic")
    store = BarStore(uri)
    with write_lock(uri, "bars"):
        world.tell(StoreBars((a_bar(),)))
        world.runtime.advance(3 * DERIVED_SECONDS)
        assert store.contents() == []
    world.runtime.advance(DERIVED_SECONDS)
    assert store.read("SPY", 5).close.tolist() == [100.0]


def test_bars_that_wait_are_stored_at_a_stop(world, a_bar):
    world.tell(StoreBars((a_bar(),)))
    world.ref.stop()
    world.runtime.run_until_idle()
    assert BarStore(lmdb_uri(world.folder / "arctic")).read("SPY", 5).close.tolist() == [100.0]
