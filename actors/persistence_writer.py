"""The persistence writer: the one writer of ArcticDB, and the last stage of every fill.

Group commit without a clock: what waits in the mailbox when a commit begins is committed together.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import msgspec

from actors.messages.fill_log import Apply, SayHello
from actors.messages.order_manager import OrderChanged
from actors.messages.persistence_writer import (
    EquitiesRead,
    ReadEquities,
    ReadStored,
    Republish,
    SeedStrategies,
    StrategiesRead,
)
from actors.messages.portfolio_manager import AccountValued, BooksChanged
from actors.stage import Stage
from mats.ledger.book import Book, BookKey
from mats.ledger.history import key_of
from mats.model.executions import Entry
from mats.model.instrument import InstrumentId
from mats.model.orders import AccountId, IntentId, OrderView, StrategyName
from mats.runtime import MailboxSpec, Ref, chaos
from mats.store.arctic import Rejects, Store
from mats.store.journal import Journal
from mats.store.rows import PositionRow, book_row
from mats.strategy.record import StrategyRecord

T = TypeVar("T", OrderView, PositionRow)

DERIVED_SECONDS = 1.0
"""How often what follows from the fills is committed: orders, books, accounts."""
HISTORY_SECONDS = 3600.0
ACCOUNT_SECONDS = 60.0


class Commit(msgspec.Struct, frozen=True):
    pass


class CommitDerived(msgspec.Struct, frozen=True):
    pass


class KeepHistory(msgspec.Struct, frozen=True):
    pass


class PersistenceWriter(Stage):
    """Fourth stage. Fills are acknowledged when they are committed; derived tables follow within a second."""

    stage = "store"
    mailbox = MailboxSpec(
        capacity=50_000,
        never_full=(Apply, OrderChanged, BooksChanged),
        conflate=lambda message: message.account if isinstance(message, AccountValued) else None,
    )

    def __init__(
        self, uri: str, journal_path: Path, rejects: Path, base_currency: str, fill_log: Ref, sources: tuple[Ref, ...]
    ) -> None:
        self.fill_log = fill_log
        self._uri, self._path, self._rejects = uri, journal_path, rejects
        self._base, self._sources = base_currency, sources

    def on_start(self) -> None:
        self._store = Store(self._uri)
        self._journal = Journal(self._path)
        self.cursor = self._saved = (self._journal.load_snapshot(self.stage) or (0, b""))[0]
        self._entries: list[Entry] = []
        self._orders: dict[IntentId, OrderView] = {}
        self._books: dict[BookKey, PositionRow] = {}
        self._held: dict[BookKey, PositionRow] = {}
        self._steps: list[PositionRow] = []
        self._accounts: dict[AccountId, AccountValued] = {}
        self._accounts_at = -ACCOUNT_SECONDS
        self.say_hello()
        for source in self._sources:
            source.tell(Republish())
        self.every(DERIVED_SECONDS, CommitDerived())
        self.every(HISTORY_SECONDS, KeepHistory())

    def on_receive(self, message: object) -> object:
        match message:
            case Apply():
                self._collect(message)
            case Commit():
                self._commit()
            case OrderChanged(order=order):
                self._orders[order.intent_id] = order
            case BooksChanged(books=books, prices=prices):
                self._collect_books(books, prices)
            case AccountValued(account=account):
                self._accounts[account] = message
            case CommitDerived():
                self._commit_derived()
            case KeepHistory():
                self._keep_history()
            case SeedStrategies(records=records, reply_to=reply_to):
                self._seed(records, reply_to)
            case ReadEquities(places=places, reply_to=reply_to):
                found = ((strategy, self._store.strategy_equity(account, strategy)) for account, strategy in places)
                reply_to.tell(EquitiesRead({strategy: equity for strategy, equity in found if equity is not None}))
            case ReadStored():
                self._commit()
                self._commit_derived()
                return self._store.fills_stored()
            case SayHello():
                self.say_hello()
            case _:
                return super().on_receive(message)
        return None

    # Fills

    def _collect(self, message: Apply) -> None:
        """Entries wait for the commit that the first of them has asked for; the rest of the mailbox joins them."""
        collected = self._entries[-1].seq if self._entries else self.cursor
        fresh = [entry for entry in message.entries if entry.seq > collected]
        if fresh and fresh[0].seq != collected + 1:
            return self.say_hello()
        if fresh and not self._entries:
            self.ref.tell(Commit())
        self._entries.extend(fresh)
        return None

    def _commit(self) -> None:
        """One call per account and library, then the acknowledgement; a crash in between delivers them again."""
        if not self._entries:
            return
        for account, entries in groupby(sorted(self._entries, key=_account), key=_account):
            self._keep(self._store.append_fills(account, list(entries)))
            chaos.point("store: after the commit, before the acknowledgement")
        self.cursor = self._entries[-1].seq
        self._entries = []
        self.acknowledge()

    # What follows from the fills

    def _collect_books(self, books: tuple[Book, ...], prices: Mapping[InstrumentId, float | None]) -> None:
        now = self.clock.now()
        for book in books:
            row = book_row(book, prices.get(book.instrument), now)
            self._held[book.key] = self._books[book.key] = row
            self._steps.append(row)

    def _commit_derived(self) -> None:
        """Orders, the portfolio of now, the steps of each strategy, and the accounts; each in one call a table."""
        for account, orders in _by_account(self._orders.values()):
            self._keep(self._store.upsert_orders(account, orders))
        self._orders.clear()
        for account, rows in _by_account(self._books.values()):
            self._keep(self._store.upsert_portfolio(account, rows))
        self._books.clear()
        for strategy, steps in groupby(sorted(self._steps, key=_strategy), key=_strategy):
            self._keep(self._store.append_positions(strategy, list(steps)))
        self._steps.clear()
        self._commit_accounts()
        self._store.compact_due()
        if self.cursor != self._saved:
            self._journal.save_snapshot(self.stage, self.cursor, b"")
            self._saved = self.cursor

    def _commit_accounts(self) -> None:
        if not self._accounts or self.clock.monotonic() - self._accounts_at < ACCOUNT_SECONDS:
            return
        for account, valued in self._accounts.items():
            self._keep(self._store.append_account_summary(account, valued.values, self._base, self.clock.now()))
        self._accounts.clear()
        self._accounts_at = self.clock.monotonic()

    def _keep_history(self) -> None:
        held = [row for row in self._held.values() if row.quantity]
        for account, rows in _by_account(held):
            self._keep(self._store.append_portfolio_history(account, rows, self.clock.now()))

    def _seed(self, records: tuple[StrategyRecord, ...], reply_to: Ref) -> None:
        self._keep(self._store.seed_strategies(records, self.clock.now()))
        table = tuple(self._store.read_strategies())
        reply_to.tell(StrategiesRead(table))

    def _keep(self, rejects: Rejects) -> None:
        """Rows that fit no table are kept where a person can find them, and said out loud."""
        for reject in rejects:
            self.log.error("a row could not be stored; it is kept in the file of rejects", reject=str(reject))
        if rejects:
            with self._rejects.open("ab") as file:
                file.writelines(msgspec.json.encode(reject) + b"\n" for reject in rejects)

    def on_stop(self) -> None:
        self._commit()
        self._commit_derived()
        self._store.compact()
        self._store.close()
        self._journal.close()

    def on_failure(self, error: BaseException) -> None:
        self._store.close()
        self._journal.close()


def _account(entry: Entry) -> AccountId:
    return key_of(entry)[0]


def _strategy(row: PositionRow) -> StrategyName:
    return row.strategy


def _by_account(rows: Iterable[T]) -> Iterator[tuple[AccountId, list[T]]]:
    ordered = sorted(rows, key=lambda row: row.account)
    return ((account, list(group)) for account, group in groupby(ordered, key=lambda row: row.account))
