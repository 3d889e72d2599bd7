"""The persistence writer: the one writer of ArcticDB, and the last stage of every fill.

Group commit without a clock: what waits in the mailbox when a commit begins is committed together. A store that cannot
be written (a full disk) is retried every second; until then nothing is acknowledged and nothing dropped.
"""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import assert_never

import msgspec

from actors.base import Stage
from actors.messages.addresses import FillLogMessage, PersistenceWriterMessage
from actors.messages.fill_log import ApplyEntries, ReportCursor
from actors.messages.order_manager import OrderChanged
from actors.messages.persistence_writer import (
    EquitiesRead,
    ReadEquities,
    ReadStored,
    ReadTable,
    SeedStrategies,
    SetEquity,
    StrategiesRead,
)
from actors.messages.portfolio_manager import AccountUpdated, BooksReconciled, MarksUpdated
from actors.messages.subscription import Republish
from mats.ledger.books import Matching, book_key
from mats.model import DAY, AccountId, Entry
from mats.runtime import MailboxSpec, Ref
from mats.runtime.testing import chaos
from mats.store.journal import Journal
from mats.store.tables import (
    STORE_ERRORS,
    RejectFile,
    Rejects,
    Store,
    check_disk_space,
    strategy_equities,
    strategy_table,
)
from mats.store.views import BookHistory, ViewWriter

DERIVED_SECONDS = 1.0
"""How often views are committed: orders, positions, accounts; and how often a store that failed is retried."""
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
        self.fill_log, self._publishers = args.fill_log, args.publishers
        self._stages, self._keep_span = args.stages, int(args.keep_days * DAY)
        self._uri, self._path, self._rejects = args.uri, args.journal_path, RejectFile(args.rejects)
        self._base, self._matching = args.base_currency, args.matching

    def on_start(self) -> None:
        self._store = Store(self._uri)
        self._journal = Journal(self._path)
        saved = self._journal.load_snapshot(self.stage)
        past = BookHistory(self._journal, self._uri)
        self._derived = ViewWriter(self._store, self._base, past, saved[1] if saved else b"", self._matching)
        self.resume_at(self._derived.seq)
        self._entries: list[Entry] = []
        self._fault = ""
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
                self._try(self._commit)
            case CommitDerived():
                self._try(self._commit_all)
            case OrderChanged(order=order):
                self._derived.update_order(order)
            case MarksUpdated(prices=prices, time=time):
                self._derived.update_prices(prices, time)
            case BooksReconciled(seq=seq, accounts=accounts):
                now = self.clock.now()
                self._try(lambda: self._report_rejects(self._derived.on_books_reconciled(seq, accounts, now)))
            case AccountUpdated(account=account, values=values):
                self._derived.update_account(account, values)
            case PruneJournal():
                self._prune_journal()
            case SeedStrategies():
                self._seed(message)
            case ReadEquities(places=places):
                message.reply_to.tell(EquitiesRead(*strategy_equities(self._store, places)))
            case ReadTable():
                message.reply_to.tell(StrategiesRead(*strategy_table(self._store)))
            case SetEquity(account=account, strategy=strategy, equity=equity):
                now = self.clock.now()
                rejects = self._store.append_strategy_equity(account, strategy, equity, self._base, now)
                return message.answer("; ".join(map(str, rejects)))
            case ReadStored():
                self._try(self._commit_all)
                return message.answer(self._store.fills_stored())
            case ReportCursor():
                self.report_cursor()
            case _:
                assert_never(message)
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

    def _try(self, work: Callable[[], object]) -> None:
        """A store that cannot be written is logged once and retried every second; nothing is dropped meanwhile."""
        try:
            check_disk_space(self._uri)
            work()
        except STORE_ERRORS as error:
            if not self._fault:
                self.log.error("store cannot be written; keeping everything and retrying", error=str(error))
            self._fault = str(error)

    def _commit(self) -> None:
        """One call per account and library, then the acknowledgement; a crash in between delivers them again."""
        if not self._entries:
            return
        for account, entries in groupby(sorted(self._entries, key=_account), key=_account):
            self._report_rejects(self._store.append_fills(account, list(entries)))
            chaos.point("store: after the commit, before the acknowledgement")
        self._report_rejects(self._derived.apply(self._entries, self.clock.now()))
        self._rejects.write()
        self.cursor = self._entries[-1].seq
        self._entries = []
        self.acknowledge()

    def _commit_all(self) -> None:
        """The fills, then the views; now and then the state is saved, so that a start has little to apply."""
        self._commit()
        self._report_rejects(self._derived.commit(self.clock.now()))
        self._rejects.write()
        self._store.compact_due()
        if self.save_due(SAVE_SECONDS):
            self.save(self._derived.save())
        if self._fault:
            self.log.info("store can be written again; everything kept is stored")
            self._fault = ""

    def _prune_journal(self) -> None:
        """Delete entries that are old, stored, and in the saved state of every stage; a few at a time."""
        self._store.compact_versions()
        before = max(0, self.clock.now() - self._keep_span)
        if dropped := self._journal.prune(before, self._journal.saved_through(self._stages)):
            self.log.info("pruned journal entries already stored", entries=dropped)
            self.after(DERIVED_SECONDS, PruneJournal())

    def _seed(self, request: SeedStrategies) -> None:
        self._report_rejects(self._store.seed_strategies(request.records, self.clock.now()))
        self._rejects.write()
        request.reply_to.tell(StrategiesRead(*strategy_table(self._store)))

    def _report_rejects(self, rejects: Rejects) -> None:
        """Rows that fit no table are logged, and kept in the file of rejects."""
        for reject in rejects:
            self.log.error("row rejected by the store; kept in the file of rejects", reject=str(reject))
        self._rejects.add(rejects)

    def on_stop(self) -> None:
        self._try(self._commit_all)
        if not self._fault:
            self.save(self._derived.save())
            self._store.compact()
        self._store.close()
        self._journal.close()

    def on_failure(self, error: BaseException) -> None:
        self._store.close()
        self._journal.close()


def _account(entry: Entry) -> AccountId:
    return book_key(entry)[0]
