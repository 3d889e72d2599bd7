"""The persistence writer: the one writer of ArcticDB, and the last stage of every fill.

Group commit without a clock: what waits in the mailbox when a commit begins is committed together. Every call to the
store goes through the guard: while it is away nothing is acknowledged, nothing is dropped, and this actor goes on.
"""

import contextlib
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import assert_never

import msgspec

from actors.base import BarArchive, OperatorTables, Stage, Trial
from actors.messages.addresses import FillLogMessage, PersistenceWriterMessage
from actors.messages.fill_log import ApplyEntries, ReportCursor, StoreReported
from actors.messages.order_manager import OrderChanged
from actors.messages.persistence_writer import (
    PrunedEntriesRead,
    ReadEquities,
    ReadPrunedEntries,
    ReadStored,
    ReadTable,
    SeedStrategies,
    SetEquity,
    StoreBars,
)
from actors.messages.portfolio_manager import AccountUpdated, BooksReconciled, MarksUpdated
from actors.messages.subscription import Republish
from mats.ledger.books import Matching, book_key
from mats.model import DAY, SECOND, AccountId, Entry, Nanos
from mats.runtime import MailboxSpec, Ref
from mats.runtime.testing import chaos
from mats.store.journal import Journal
from mats.store.lineage import require_lineage
from mats.store.outages import AWAY, Outage, StoreAway, StoreGuard
from mats.store.tables import RejectFile, Rejects
from mats.store.views import BookHistory, ViewWriter, WithoutSetAside, pruned_entries

DERIVED_SECONDS = 1.0
"""How often views are committed (orders, positions, accounts), and the state of the store is reported."""
SAVE_SECONDS = 5.0
UPKEEP_SECONDS = 3600.0


class Commit(msgspec.Struct, frozen=True):
    pass


class CommitDerived(msgspec.Struct, frozen=True):
    pass


class PruneJournal(msgspec.Struct, frozen=True):
    pass


class PersistenceWriter(Stage[PersistenceWriterMessage | Commit | CommitDerived | PruneJournal]):
    """Fourth stage. Fills are acknowledged when they are committed; derived tables follow within a second."""

    stage = "store"
    unrelated = AWAY
    mailbox = MailboxSpec(
        capacity=50_000,
        never_full=(ApplyEntries, OrderChanged, BooksReconciled),
        conflate=lambda message: message.account if isinstance(message, AccountUpdated) else None,
    )

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        """`publishers` publish what the store may have missed; `stages` are the names of all four."""

        uri: str
        journal_path: Path
        rejects: Path
        base_currency: str
        keep_days: float
        matching: Matching
        stages: tuple[str, ...]
        fill_log: Ref[FillLogMessage]
        publishers: tuple[Ref[Republish], ...]

    def __init__(self, args: Args) -> None:
        self.fill_log, self._log, self._publishers = args.fill_log, args.fill_log, args.publishers
        self._stages, self._keep_span = args.stages, int(args.keep_days * DAY)
        self._uri, self._path, self._rejects = args.uri, args.journal_path, RejectFile(args.rejects)
        self._base, self._matching = args.base_currency, args.matching

    def on_start(self) -> None:
        self._journal = Journal(self._path)
        self.defer(self._journal.release)
        self._guard = StoreGuard(self._uri, self.clock, self._journal.branch())
        self.defer(self._guard.store.close)
        self._joined, self._stored = False, dict[tuple[str, AccountId], int]()
        self._tables = OperatorTables(self, self._guard, self._journal, self._base)
        self._bars = BarArchive(self._uri, self._guard, self.log)
        saved = self._journal.load_snapshot(self.stage)
        past = WithoutSetAside(BookHistory(self._journal, self._uri), self.recall().aside)
        state = saved[1] if saved else b""
        self._derived = ViewWriter(self._guard.store, self._base, past, state, self._matching, past.charges)
        self.resume_at(self._derived.seq)
        self._entries: list[Entry] = []
        self._outage: Outage | None = None
        self._known = False
        self._report_store()
        self.report_cursor()
        for publisher in self._publishers:
            publisher.tell(Republish())
        self.every(DERIVED_SECONDS, CommitDerived())
        self.every(UPKEEP_SECONDS, PruneJournal())
        self._prune_journal()

    def on_receive(self, message: PersistenceWriterMessage | Commit | CommitDerived | PruneJournal) -> object:
        match message:
            case ApplyEntries():
                self._collect(message)
            case Commit():
                self._suspecting(self._commit)
            case CommitDerived():
                self._suspecting(self._commit_all)
                self._bars.store_some()
                self._tables.catch_up()
                self._report_store()
            case OrderChanged(order=order):
                self._derived.update_order(order)
            case MarksUpdated(prices=prices, time=time):
                self._derived.update_prices(prices, time)
            case BooksReconciled(seq=seq, accounts=accounts):
                now = self.clock.now()
                self._guarded(lambda: self.report_rejects(self._derived.on_books_reconciled(seq, accounts, now)))
            case AccountUpdated(account=account, values=values):
                self._derived.update_account(account, values)
            case PruneJournal():
                self._prune_journal()
            case StoreBars(bars=bars):
                self._bars.add(bars)
            case SeedStrategies():
                self._tables.seed(message)
            case ReadEquities():
                self._tables.read_equities(message)
            case ReadTable():
                self._tables.read_table(message)
            case SetEquity():
                return message.answer(self._tables.set_equity(message))
            case ReadPrunedEntries():
                self._read_pruned(message)
            case ReadStored():
                return message.answer(self._count_stored())
            case ReportCursor():
                self.report_cursor()
            case _:
                assert_never(message)
        if (self._outage, self._known) != (self._guard.outage, self._tables.known):
            self._report_store()
        return None

    def _collect(self, message: ApplyEntries) -> None:
        """Entries wait for the commit that the first of them has asked for; the rest of the mailbox joins them."""
        collected = self._entries[-1].seq if self._entries else self.cursor
        fresh = [entry for entry in message.entries if entry.seq > collected]
        if fresh and fresh[0].seq != collected + 1:
            return self.report_cursor()
        if fresh and not self._entries:
            self.ref.tell(Commit())
        self._entries.extend(fresh)
        return None

    # Commits

    def _guarded(self, work: Callable[[], object]) -> bool:
        """Whether the store has taken everything; if not, everything is kept, and given to it again."""
        try:
            self._guard.run("commit", lambda: self._write(work))
        except StoreAway:
            return False
        return True

    def _write(self, work: Callable[[], object]) -> None:
        """Nothing is written to tables of another journal, or of another time of this one."""
        if not self._joined:
            require_lineage(self._journal, self._uri)
            self._joined = True
        work()

    def _suspecting(self, work: Callable[[], object]) -> None:
        """What raises and is no outage is the fault of an entry, until each of them was tried."""
        waiting = self._entries
        try:
            self._guarded(work)
        except Exception:
            if waiting:
                self.suspect(waiting)
            raise

    def _report_store(self) -> None:
        """Tell the fill log, which judges whether new risk waits; an outage is logged at its begin and its end."""
        before, self._outage, self._known = self._outage, self._guard.outage, self._tables.known
        if self._outage is not None and before is None:
            self.log.error("store is away; everything is kept and given to it again", reason=self._outage.reason)
        elif self._outage is None and before is not None:
            seconds = (self.clock.now() - before.since) / SECOND
            self.log.info("store is back; everything kept is stored", seconds=round(seconds, 1))
        self._log.offer(StoreReported(self._outage, self._known))

    def _commit(self) -> None:
        """One call per account and library, then the acknowledgement; a crash in between delivers them again.

        The store must not have what a power cut takes from the journal, so first the journal is flushed.
        """
        if not self._entries or not self.writes.attempt(self._journal.flush):
            return
        self._apply_fresh(tuple(self._entries))
        self._rejects.write()
        self.cursor = self._entries[-1].seq
        self._entries = []
        self.acknowledge()

    def apply(self, entries: tuple[Entry, ...]) -> None:
        for account, of_account in groupby(sorted(entries, key=_account), key=_account):
            self.report_rejects(self._guard.store.append_fills(account, list(of_account)))
            chaos.point("store: after the commit, before the acknowledgement")
        self.report_rejects(self._derived.apply(entries, self.clock.now()))

    def rehearse(self) -> Trial:
        return self._derived.rehearsal()

    def skip(self, seq: int) -> None:
        self._derived.skip(seq)

    def _commit_all(self) -> None:
        """The fills, then the views; now and then the state is saved, so that a start has little to apply."""
        self._commit()
        self.report_rejects(self._derived.commit(self.clock.now()))
        self._rejects.write()
        self._guard.store.compact_due()
        if self.save_due(SAVE_SECONDS):
            self._save_views()

    def _save_views(self) -> None:
        """The fold, and before it how far the tables are, so that older ones are recognized."""
        stored = self._journal.stored() | self._guard.store.log_seqs()
        if stored == self._stored or self.writes.attempt(lambda: self._journal.record_stored(stored)):
            self._stored = stored
            self.save(self._derived.save())

    def _prune_journal(self) -> None:
        """Delete entries that are old, stored, and in the saved state of every stage; a few at a time."""
        with contextlib.suppress(StoreAway):
            self._guard.run_once(self._guard.store.compact_versions)
        before = max(0, self.clock.now() - self._keep_span)
        self.writes.attempt(lambda: self._prune_before(before))

    def _prune_before(self, before: Nanos) -> None:
        if dropped := self._journal.prune(before, self._journal.saved_through(self._stages)):
            self.log.info("pruned journal entries already stored", entries=dropped)
            self.after(DERIVED_SECONDS, PruneJournal())

    def _read_pruned(self, request: ReadPrunedEntries) -> None:
        """Who asks asks again as long as there is no answer."""
        key, through = request.key, request.through
        try:
            entries = self._guard.run("history", lambda: pruned_entries(self._uri, key, through))
        except StoreAway:
            return
        request.reply_to.tell(PrunedEntriesRead(key, through, tuple(entries)))

    def _count_stored(self) -> int | None:
        try:
            self._guard.run("commit", lambda: self._write(self._commit_all))
            return self._guard.run_once(self._guard.store.fills_stored)
        except StoreAway:
            return None

    def report_rejects(self, rejects: Rejects) -> None:
        """Rows that fit no table are logged, and kept in the file of rejects."""
        for reject in rejects:
            self.log.error("row rejected by the store; kept in the file of rejects", reject=str(reject))
        self._rejects.add(rejects)

    def on_stop(self) -> None:
        if self._guarded(self._commit_all):
            self._save_views()
            self._bars.store_all()
            with contextlib.suppress(StoreAway):
                self._guard.run_once(self._guard.store.compact)


def _account(entry: Entry) -> AccountId:
    return book_key(entry)[0]
