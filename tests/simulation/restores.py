"""Restore drills: journal, tables and the broker's account are put back to any earlier moment, or lost.

Each life has a folder of its own, which the next one begins with copies of. Meanwhile the broker may forget its
executions, as it does at midnight.
"""

import shutil
import sqlite3
from contextlib import closing
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from actors.messages.portfolio_manager import ReadPortfolio
from mats.model.broker_reports import BrokerSnapshot
from mats.store.journal import Journal
from mats.store.lineage import check_lineage, join_tables
from mats.store.rebuild import Contents, Difference, differences, journal_differences, missing_entries, recompute
from mats.store.tables import Reader
from mats.store.tables.connection import lmdb_uri
from tests.simulation.faulty_broker import ACCOUNT, FaultyBroker
from tests.simulation.plan import Plan
from tests.simulation.world import World

ALL = 1_000_000
ACCOUNT_STATE = ("_books", "_last_ids", "exchange", "_clearing", "orders", "executions", "commissions", "_universe")
LIVES = 2


class Backup(NamedTuple):
    """Copies of one moment: files, None where there were none, and the state of the broker's account."""

    journal: Path | None
    tables: Path | None
    account: dict[str, Any]


class DrilledWorld(World):
    """A world whose start is the daemon's: a new branch, then journal and tables are joined."""

    said: tuple[str, ...] = ()

    def intent_prefix_of_boot(self) -> str:
        prefix = self.journal.open_boot().branch
        if check_lineage(self.journal, self.store_uri):
            self.said = (*self.said, *join_tables(self.journal, self.store_uri, "fifo"))
        return prefix

    def move(self, folder: Path) -> None:
        self.folder, self.store_uri = folder, lmdb_uri(folder / "arctic")
        self.journal = Journal(folder / "journal.db")


class Drill:
    """One seed. `complaints` is empty where everything holds at the end."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._draw, self._folder = Random(f"drill/{seed}"), folder
        first = folder / "life0"
        first.mkdir()
        plan = Plan(strategies=1, seconds=60 * LIVES)
        self.world = DrilledWorld(seed, first, plan, store_uri=lmdb_uri(first / "arctic"))
        self._forgotten = 0
        self.world.broker.replay = self._replay  # type: ignore[method-assign]
        self._backups: list[Backup] = [Backup(None, None, self._account())]
        self._refs: list[str] = []
        self._copies = self._begun = 0
        self.story: list[str] = []
        self.known: set[str] = set()
        """Families that somebody knew after the last restore; at the end also those since."""
        self.complaints: list[str] = []

    def run(self) -> None:
        for life in range(1, LIVES + 1):
            self._live()
            self._restore(self._folder / f"life{life}")
        self._live()
        self.world.broker.frozen = True
        self.world.runtime.advance(30.0)
        self._prove()
        self.world.close()

    def _live(self) -> None:
        self.world.boot()
        for _ in range(self._draw.randint(1, 2)):
            self.world.runtime.advance(self._draw.uniform(5.0, 20.0))
            self._backups.append(self._copy())
        if self._draw.random() < 0.3:
            self.world.broker.correct_something()
        self.world.runtime.advance(self._draw.uniform(0.0, 10.0))

    # Copies

    def _copy(self) -> Backup:
        self._copies += 1
        place = self._folder / f"backup{self._copies}"
        place.mkdir()
        with closing(sqlite3.connect(self.world.folder / "journal.db")) as journal:
            journal.execute("VACUUM INTO ?", (str(place / "journal.db"),))
        tables = self.world.folder / "arctic"
        if tables.is_dir():
            shutil.copytree(tables, place / "arctic")
        return Backup(place / "journal.db", place / "arctic" if tables.is_dir() else None, self._account())

    def _account(self) -> dict[str, Any]:
        return deepcopy({name: getattr(self.world.broker, name) for name in ACCOUNT_STATE})

    def _restore(self, folder: Path) -> None:
        """The next life begins with what the dice leave: the last state, an older one, or nothing."""
        self.world.runtime.advance(3.0)
        last = self._copy()
        self._refs += [order.order_ref for order in self.world.broker.orders.values() if order.order_ref]
        self.world.close()
        journal, tables, account = (self._choose(last, part) for part in ("journal", "tables", "account"))
        folder.mkdir()
        if journal.journal:
            shutil.copy(journal.journal, folder / "journal.db")
        if tables.tables:
            shutil.copytree(tables.tables, folder / "arctic")
        if account is not last:
            for name, value in deepcopy(account.account).items():
                setattr(self.world.broker, name, value)
        if self._draw.random() < 0.5:
            self._forgotten = len(self.world.broker.executions)
            self.story.append("a day passes")
        self._forgotten = min(self._forgotten, len(self.world.broker.executions))
        self.world.move(folder)
        self.known, self._begun = self._families_left(), len(self.world.broker.executions)

    def _choose(self, last: Backup, part: str) -> Backup:
        at = self._draw.choice(("last", "last", "older", "older", "gone"))
        chosen = {"last": last, "older": self._draw.choice(self._backups), "gone": self._backups[0]}[at]
        if part == "account" and at == "gone":
            chosen = last
        self.story.append(f"{part}: {at}")
        return chosen

    def _families_left(self) -> set[str]:
        """Executions that journal, tables or broker know."""
        reported = {execution.family for execution in self._replay(0).executions}
        tables = Reader(self.world.store_uri).fills(ACCOUNT)
        stored = set(tables["family"]) if len(tables) else set()
        return reported | stored | {family for _, family, _ in self.world.journal.facts().executions}

    def _replay(self, client_id: int) -> BrokerSnapshot:
        """Without what the broker has forgotten."""
        broker = self.world.broker
        everything, broker.executions = broker.executions, broker.executions[self._forgotten :]
        try:
            return FaultyBroker.replay(broker, client_id)
        finally:
            broker.executions = everything

    # Proof

    def _prove(self) -> None:
        world, complain = self.world, self.complaints.append
        refs = [*self._refs, *(order.order_ref for order in world.broker.orders.values() if order.order_ref)]
        orders = {order.perm_id: order.order_ref for order in world.broker.orders.values()}
        if len(set(orders.values()) - {""}) != len([ref for ref in orders.values() if ref]):
            complain(f"two orders have one reference: {refs}")
        self.known |= {execution.family for execution in world.broker.executions[self._begun :]}
        journal = [family for _, family, revision in world.journal.facts().executions if revision]
        if set(journal) != self.known:
            complain(f"the journal lacks {self.known - set(journal)} and has {set(journal) - self.known} too much")
        stored = sorted(Reader(world.store_uri).fills(ACCOUNT)["family"])
        if stored != sorted(self.known):
            complain(f"the tables have {len(stored)} executions, known are {len(self.known)}")
        contents = Contents(world.store_uri)
        for difference in (
            *missing_entries(contents.entries),
            *journal_differences(contents.entries, world.journal.entries(0, ALL)),
            *differences(contents.views, recompute(contents.entries, contents.views)),
        ):
            if not self._of_a_lost_order(difference):
                complain(str(difference))
        self._prove_books()
        self.complaints += [f"{failed.name} failed: {failed.error}" for failed in world.failures
                            if failed.reason != "abandoned"]  # fmt: skip

    def _of_a_lost_order(self, difference: Difference) -> bool:
        """The row of an order whose intent is lost stays as it was: nobody follows it any more."""
        return difference.table.startswith("orders/") and self.world.journal.order(difference.key) is None

    def _prove_books(self) -> None:
        portfolio = self.world.names.portfolio.ask(ReadPortfolio(), timeout=5.0)
        assert portfolio is not None
        books: dict[str, Decimal] = {}
        for book in portfolio.books:
            books[book.instrument] = books.get(book.instrument, Decimal()) + book.quantity
        held = {name: quantity for name, quantity in books.items() if quantity}
        positions = {p.instrument: p.quantity for p in self.world.broker.positions() if p.quantity}
        if held != positions:
            self.complaints.append(f"the books hold {held}, the broker {positions}")
        self.complaints += [f"break {found.id}" for found in portfolio.breaks]


def complaints_of(seed: int, folder: Path) -> list[str]:
    """What does not hold at the end of a seed's drill, with what was done to its files."""
    drill = Drill(seed, folder)
    drill.run()
    return [", ".join(drill.story), *drill.complaints] if drill.complaints else []
