"""The persistence writer: the one writer of ArcticDB, and the last stage of every fill.

Group commit without a clock: what waits in the mailbox when a commit begins is committed together. A store that takes
nothing (a full disk) is tried again every second; until then nothing is acknowledged and nothing forgotten.
"""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import msgspec

from actors.base import Stage
from actors.messages.fill_log import ApplyEntries, ReportCursor
from actors.messages.order_manager import OrderChanged
from actors.messages.persistence_writer import (
    EquitiesRead,
    ReadEquities,
    ReadStored,
    ReadTable,
    Republish,
    SeedStrategies,
    SetEquity,
    StrategiesRead,
)
from actors.messages.portfolio_manager import AccountUpdated, BooksReconciled, MarksUpdated
from mats.ledger.books import Matching, book_key
from mats.model import DAY, AccountId, Entry, StrategyRecord
from mats.runtime import MailboxSpec, Ref, chaos
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
"""How often what follows from the fills is committed: orders, positions, accounts; and a store at fault tried again."""
SAVE_SECONDS = 5.0
UPKEEP_SECONDS = 3600.0


class Commit(msgspec.Struct, frozen=True):
    pass


class CommitDerived(msgspec.Struct, frozen=True):
    pass


class KeepUp(msgspec.Struct, frozen=True):
    pass


class PersistenceWriter(Stage):
    """Fourth stage. Fills are acknowledged when they are committed; derived tables follow within a second."""

    stage = "store"
    mailbox = MailboxSpec(
        capacity=50_000,
        never_full=(ApplyEntries, OrderChanged, BooksReconciled),
        conflate=lambda message: message.account if isinstance(message, AccountUpdated) else None,
    )

    def __init__(
        self,
        uri: str,
        journal_path: Path,
        rejects: Path,
        base_currency: str,
        fill_log: Ref,
        sources: tuple[Ref, ...],
        stages: tuple[str, ...],
        keep_days: float,
        matching: Matching = "fifo",
    ) -> None:
        self.fill_log = fill_log
        self._stages, self._keep_span = stages, int(keep_days * DAY)
        self._uri, self._path, self._rejects = uri, journal_path, RejectFile(rejects)
        self._base, self._sources, self._matching = base_currency, sources, matching

    def on_start(self) -> None:
        self._store = Store(self._uri)
        self._journal = Journal(self._path)
        saved = self._journal.load_snapshot(self.stage)
        past = BookHistory(self._journal, self._uri)
        self._derived = ViewWriter(self._store, self._base, past, saved[1] if saved else b"", self._matching)
        self.resume_at(self._derived.seq)
        self._entries: list[Entry] = []
        self._fault = ""
        self.say_hello()
        for source in self._sources:
            source.tell(Republish())
        self.every(DERIVED_SECONDS, CommitDerived())
        self.every(UPKEEP_SECONDS, KeepUp())
        self._upkeep()

    def on_receive(self, message: object) -> object:
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
                self._try(lambda: self._keep(self._derived.on_books_reconciled(seq, accounts, self.clock.now())))
            case AccountUpdated(account=account, values=values):
                self._derived.update_account(account, values)
            case KeepUp():
                self._upkeep()
            case SeedStrategies(records=records, reply_to=reply_to):
                self._seed(records, reply_to)
            case ReadEquities(places=places, reply_to=reply_to):
                reply_to.tell(EquitiesRead(*strategy_equities(self._store, places)))
            case ReadTable(reply_to=reply_to):
                reply_to.tell(StrategiesRead(*strategy_table(self._store)))
            case SetEquity(account=account, strategy=strategy, equity=equity):
                now = self.clock.now()
                rejects = self._store.append_strategy_equity(account, strategy, equity, self._base, now)
                return "; ".join(map(str, rejects))
            case ReadStored():
                self._try(self._commit_all)
                return self._store.fills_stored()
            case ReportCursor():
                self.say_hello()
            case _:
                return super().on_receive(message)
        return None

    def _collect(self, message: ApplyEntries) -> None:
        """Entries wait for the commit that the first of them has asked for; the rest of the mailbox joins them."""
        collected = self._entries[-1].seq if self._entries else self.cursor
        fresh = [entry for entry in message.entries if entry.seq > collected]
        if fresh and fresh[0].seq != collected + 1:
            return self.say_hello()
        if fresh and not self._entries:
            self.ref.tell(Commit())
        self._entries.extend(fresh)
        return None

    # Commits

    def _try(self, work: Callable[[], object]) -> None:
        """A store that cannot take it is said once, and tried again every second; nothing is let go meanwhile."""
        try:
            check_disk_space(self._uri)
            work()
        except STORE_ERRORS as error:
            if not self._fault:
                self.log.error("the store cannot be written; everything is kept until it can", error=str(error))
            self._fault = str(error)

    def _commit(self) -> None:
        """One call per account and library, then the acknowledgement; a crash in between delivers them again."""
        if not self._entries:
            return
        for account, entries in groupby(sorted(self._entries, key=_account), key=_account):
            self._keep(self._store.append_fills(account, list(entries)))
            chaos.point("store: after the commit, before the acknowledgement")
        self._keep(self._derived.apply(self._entries, self.clock.now()))
        self._rejects.write()
        self.cursor = self._entries[-1].seq
        self._entries = []
        self.acknowledge()

    def _commit_all(self) -> None:
        """The fills, then what follows from them; at times the fold is saved, so that a start has little to do."""
        self._commit()
        self._keep(self._derived.commit(self.clock.now()))
        self._rejects.write()
        self._store.compact_due()
        if self.save_due(SAVE_SECONDS):
            self.save(self._derived.save())
        if self._fault:
            self.log.info("the store can be written again; what was kept is stored")
            self._fault = ""

    def _upkeep(self) -> None:
        """The journal lets go what is old, stored, and in the saved state of every stage; bit by bit."""
        self._store.compact_versions()
        before = max(0, self.clock.now() - self._keep_span)
        if dropped := self._journal.prune(before, self._journal.saved_through(self._stages)):
            self.log.info("old entries have left the journal; the store has them", entries=dropped)
            self.after(DERIVED_SECONDS, KeepUp())

    def _seed(self, records: tuple[StrategyRecord, ...], reply_to: Ref) -> None:
        self._keep(self._store.seed_strategies(records, self.clock.now()))
        self._rejects.write()
        reply_to.tell(StrategiesRead(*strategy_table(self._store)))

    def _keep(self, rejects: Rejects) -> None:
        """Rows that fit no table are said out loud, and kept."""
        for reject in rejects:
            self.log.error("a row could not be stored; it is kept in the file of rejects", reject=str(reject))
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
