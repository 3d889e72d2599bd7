"""Collects changes of views, orders and accounts until they are stored, each once.

Every method may be repeated after a crash or a call of unknown outcome. Rows that fit no table are returned.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import TypeVar

from mats.ledger.books import ChargesOf, History, Matching, no_charges
from mats.model import AccountId, AccountValue, Currency, Entry, InstrumentId, IntentId, Nanos, OrderView
from mats.runtime.testing import chaos
from mats.store.tables import Mark, Rejects, SnapshotInfo, Store, check_storable, hourly_due, reconciled_due
from mats.store.views.positions_and_trades import Views

T = TypeVar("T")


class ViewWriter:
    """The views of one store. `saved` is a result of `save`, `base` the currency of account figures."""

    def __init__(
        self,
        store: Store,
        base: Currency,
        history: History,
        saved: bytes,
        matching: Matching = "fifo",
        charges: ChargesOf = no_charges,
    ) -> None:
        self._store, self._base = store, base
        self._history, self._matching, self._charges = history, matching, charges
        self._views = Views(history, saved, matching, charges)
        self._orders: dict[IntentId, OrderView] = {}
        self._accounts: dict[AccountId, tuple[AccountValue, ...]] = {}
        self._agreed: tuple[int, tuple[AccountId, ...]] = (0, ())
        self._unmarked = list(self._views.accounts())

    @property
    def seq(self) -> int:
        """The entry up to which the views are folded."""
        return self._views.seq

    def save(self) -> bytes:
        """The fold, for the journal; without changes that are not stored yet."""
        return self._views.save()

    def rehearsal(self) -> Callable[[Entry], None]:
        """Applies the next entries to a copy of the fold; raises where one of them could not be stored."""
        copy = Views(self._history, self._views.save(), self._matching, self._charges)

        def rehearse(entry: Entry) -> None:
            check_storable(entry)
            copy.apply(entry)
            copy.portfolio()

        return rehearse

    def skip(self, seq: int) -> None:
        """Go on after entry `seq`, which changes nothing here; one before the last folded one is passed already."""
        if seq > self.seq:
            self._views.skip(seq)

    # Changes

    def update_order(self, view: OrderView) -> None:
        self._orders[view.intent_id] = view

    def update_account(self, account: AccountId, values: tuple[AccountValue, ...]) -> None:
        self._accounts[account] = values

    def update_prices(self, prices: Mapping[InstrumentId, float], time: Nanos) -> None:
        self._views.mark({instrument: Mark(price, time) for instrument, price in prices.items()})

    def on_books_reconciled(self, seq: int, accounts: tuple[AccountId, ...], now: Nanos) -> Rejects:
        """The broker has confirmed the books after entry `seq`, which may not have arrived here yet."""
        self._agreed = seq, accounts
        return self._store_reconciled(now)

    def apply(self, entries: Iterable[Entry], now: Nanos) -> Rejects:
        """Fold stored entries; where the fold reaches a confirmed entry, a snapshot is stored."""
        rejects = Rejects()
        for entry in entries:
            self._views.apply(entry)
            rejects += self._store_reconciled(now)
        return rejects

    # Storing

    def commit(self, now: Nanos) -> Rejects:
        """Store orders, portfolio, position changes, accounts and snapshots; usually one call per table."""
        self._restore_marks()
        rejects = Rejects()
        for account, orders in _grouped(self._orders.values(), lambda order: order.account):
            rejects += self._store.upsert_orders(account, orders)
        self._orders.clear()
        for account, rows in _grouped(self._views.portfolio(), lambda row: row.account):
            rejects += self._store.upsert_portfolio(account, rows)
            chaos.point("store: between two views")
        for strategy, steps in _grouped(self._views.changes, lambda row: row.strategy):
            rejects += self._store.append_positions(strategy, steps)
        for account, trades in _grouped(self._views.trades.items(), lambda placed: placed[0][0]):
            rejects += self._store.change_trades(account, [(name, time, trade) for (_, name, time), trade in trades])
        self._views.mark_stored()
        return rejects + self._commit_accounts(now) + self._store_hourly(now)

    def _restore_marks(self) -> None:
        """The prices at which the store values the saved books, unless newer ones have arrived."""
        while self._unmarked:
            self._views.restore_marks(self._store.marks(self._unmarked[-1]))
            self._unmarked.pop()

    def _commit_accounts(self, now: Nanos) -> Rejects:
        rejects = Rejects()
        for account in [account for account in self._accounts if self._store.summary_due(account, now)]:
            rejects += self._store.append_account_summary(account, self._accounts[account], self._base, now)
            del self._accounts[account]
        return rejects

    def _store_reconciled(self, now: Nanos) -> Rejects:
        seq, accounts = self._agreed
        rejects = Rejects()
        for account in accounts if seq == self.seq else ():
            last = self._store.last_snapshot(account)
            if reconciled_due(last, self._views.changed_at(account), now):
                rejects += self._snapshot(account, last, SnapshotInfo(now, seq, seq), "reconciled")
        if seq <= self.seq:
            self._agreed = 0, ()
        return rejects

    def _store_hourly(self, now: Nanos) -> Rejects:
        rejects = Rejects()
        for account in self._views.accounts():
            last = self._store.last_snapshot(account)
            if hourly_due(last, now):
                kept = SnapshotInfo(now, self.seq, last.reconciled_seq if last else 0)
                rejects += self._snapshot(account, last, kept, "hourly")
        return rejects

    def _snapshot(self, account: AccountId, last: SnapshotInfo | None, kept: SnapshotInfo, reason: str) -> Rejects:
        rows = self._views.held(account, after=last.snapshot_seq if last else 0)
        rejects = self._store.append_portfolio_history(account, rows, kept, reason)
        chaos.point("store: after a snapshot")
        return rejects


def _grouped(rows: Iterable[T], key: Callable[[T], str]) -> Iterator[tuple[str, list[T]]]:
    return ((name, list(group)) for name, group in groupby(sorted(rows, key=key), key=key))
