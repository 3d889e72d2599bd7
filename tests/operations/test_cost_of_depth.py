"""What comes late, ahead of its time, corrected or busted costs about what an ordinary entry costs, at any depth."""

import shutil
from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.ledger.books import checkpoints
from mats.model import SECOND, CommissionRecorded, FillCorrected
from mats.store.journal import Journal
from mats.store.views import BookHistory, Views
from tests.operations.conftest import History

FILLS = 50_100
DEPTHS = (1_000, 50_000)
DAY = 86_400 * SECOND


class Fold:
    """The books and trades of one journal, and what an entry of them costs."""

    def __init__(self, operations, folder, saved, seq):
        self.operations, self.folder, self.seq = operations, folder, seq
        self.journal = Journal(folder / "journal.db")
        past = BookHistory(self.journal, "lmdb:///nowhere")
        self.views = Views(past, saved, charges=past.charges)

    def restarted(self):
        saved = self.views.save()
        self.journal.close()
        return Fold(self.operations, self.folder, saved, self.seq)

    def cost(self, entry):
        """Statements, entries read, executions folded, and rows of positions and trades that change."""
        self.seq += 1
        entry = replace(entry, seq=self.seq)
        self.journal.append((entry,))
        self.operations.begin()
        self.views.apply(entry)
        taken = {kind: count for kind, count in self.operations.taken().items() if kind != "steps"}
        rows = len(self.views.changes) + len(self.views.trades)
        self.views.mark_stored()
        return sum(taken.values()) + rows


@pytest.fixture(scope="module")
def long_book(tmp_path_factory):
    """The folder of a journal with one long book, and the saved fold of it."""
    folder = tmp_path_factory.mktemp("long")
    History().journal(folder / "journal.db", 2 * FILLS)
    views = Views(never)
    for entry in History().entries(0, 2 * FILLS):
        views.apply(entry)
    views.mark_stored()
    return folder, views.save()


def never(*_):
    raise AssertionError("no entry changes the past")


@pytest.fixture
def fold(operations, long_book, tmp_path):
    folder, saved = long_book
    shutil.copy(folder / "journal.db", tmp_path)
    return Fold(operations, tmp_path, saved, 2 * FILLS)


def changes(history, number):
    """What can happen to the execution `number` after all others, and the costs that the broker reports for it."""
    fill, charge = history.pair(number)
    execution = fill.execution
    now = execution.time + FILLS * SECOND

    def corrected(quantity, revision=2):
        fixed = replace(execution, exec_id=f"{execution.family}.{revision:02d}", quantity=Decimal(quantity))
        whose = {"strategy": fill.strategy, "intent_id": fill.intent_id, "recorded": now}
        return FillCorrected(seq=0, execution=fixed, previous=execution, **whose)

    def charged(entry):
        commission = replace(charge.commission, exec_id=entry.execution.exec_id)
        return CommissionRecorded(
            seq=0,
            strategy=entry.strategy,
            intent_id=entry.intent_id,
            execution=entry.execution,
            commission=commission,
            recorded=now,
        )

    fixed, late = corrected(9), replace(execution, exec_id=f"late.{number}.01")
    yield "corrected", fixed
    yield "its commission", charged(fixed)
    yield "another commission", replace(charge, recorded=now, previous=charge.commission)
    yield "busted", replace(corrected(0, 3), previous=fixed.execution)
    yield "late", replace(fill, execution=late, recorded=now)
    ahead = replace(execution, exec_id=f"ahead.{number}.01", time=now + DAY)
    yield "ahead of its time", replace(fill, execution=ahead, recorded=now)
    for later in range(3):
        ordinary = replace(execution, exec_id=f"then.{number}{later}.01", time=now + later)
        yield "behind one ahead of its time", replace(fill, execution=ordinary, recorded=now + later)


def test_what_changes_the_past_at_any_depth_costs_up_to_three_times_an_ordinary_fill(fold, history):
    """Bought and sold, over restarts."""
    ordinary = [fold.cost(entry) for entry in history.entries(FILLS, 4)]
    for depth in DEPTHS:
        for number in (FILLS - depth, FILLS - depth + 1):
            costs = {what: fold.cost(entry) for what, entry in changes(history, number)}
            assert all(0 < cost <= 3 * max(ordinary) for cost in costs.values()), (depth, costs, ordinary)
        fold = fold.restarted()
    fold.journal.close()


def test_what_is_not_settled_yet_costs_what_it_reaches_back(fold, history):
    """The newest entries are folded again where they are, and no more of them after a restart."""
    for restarted in (False, True):
        fold = fold.restarted() if restarted else fold
        first = fold.seq
        for entry in (history.pair(FILLS - 20 + restarted)[0], history.pair(FILLS - 4 + restarted)[0]):
            fixed = replace(entry.execution, exec_id=f"{entry.execution.family}.02", price=Decimal(101))
            change = FillCorrected(
                seq=0,
                strategy=entry.strategy,
                intent_id=entry.intent_id,
                execution=fixed,
                previous=entry.execution,
                recorded=entry.recorded,
            )
            assert 40 < fold.cost(change) <= 8 * (checkpoints.REACH + checkpoints.SPACING)
        assert fold.seq == first + 2
    fold.journal.close()
