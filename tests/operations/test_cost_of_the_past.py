"""Commissions that come late and entries that change the past cost what they reach back, not what there is."""

import pytest
from msgspec.structs import replace

from actors.messages.fill_log import ApplyEntries
from mats.model import SECOND, Side
from mats.store.journal import Journal
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.store import Store
from tests.operations.conftest import LONG, SHORT

BURST = 600


def test_a_burst_whose_commissions_follow_it(costs, operations, history, worlds, persistence_writer):
    """Opened, closed, opened again: no execution that waits for its commission makes another one dearer."""

    def scenario(folder, length):
        history.journal(folder / "journal.db", length)
        runtime, number, cost = worlds(), length // 2, []
        writer, _ = persistence_writer(runtime, folder)
        told(runtime, writer, history.entries(0, length))

        def counted(entries):
            operations.begin()
            told(runtime, writer, entries)
            cost.append(operations.taken())

        for side in (Side.BUY, Side.SELL, Side.BUY):
            fills, commissions = history.burst(number, BURST, side)
            log(folder, (*fills, *commissions))
            counted(fills)
            counted(commissions)
            number += BURST
        return cost

    costs(scenario)


@pytest.mark.parametrize("length", [SHORT, LONG])
@pytest.mark.parametrize("stage", ["persistence_writer", "portfolio_manager"])
def test_what_changes_the_past_of_the_newest_executions(operations, history, worlds, request, tmp_path, stage, length):
    """A correction, its commission, another commission, a late execution: in the life that has booked the executions
    that they change, and in the next life."""
    start = request.getfixturevalue(stage)
    history.journal(tmp_path / "journal.db", length)
    number = length // 2
    runtime = worlds()
    actor, _ = start(runtime, tmp_path)
    told(runtime, actor, history.entries(0, length))
    for _ in range(2):
        newest, changes = history.entries(number, 20), history.past_changes(number + 10)
        log(tmp_path, (*newest, *changes))
        told(runtime, actor, newest)
        for entry in changes:
            operations.begin()
            told(runtime, actor, (entry,))
            taken = operations.taken()
            assert 0 < taken["executions folded"] <= 300
            assert 0 < taken["entries read"] <= 400
            assert taken.get("rows read", 0) <= 1
        number += 12
        runtime.stop(5.0)
        runtime = worlds()
        actor, _ = start(runtime, tmp_path)


@pytest.mark.parametrize("seconds", [1, 600])
def test_commissions_of_rows_that_are_no_longer_in_memory(operations, history, tmp_path, seconds):
    """Of executions within one second, and of one each second or so: a commit reads what it changes once."""

    def spread(entry):
        place = int(entry.execution.family.rpartition(".")[2]) % seconds
        return replace(entry, execution=replace(entry.execution, time=entry.execution.time + place * SECOND))

    store = Store(lmdb_uri(tmp_path))
    fills, commissions = history.burst(0, LONG // 2, Side.BUY)
    assert not store.append_fills("DU1", sorted(map(spread, fills), key=lambda fill: fill.execution.time))
    changed = sorted(map(spread, commissions), key=lambda entry: entry.execution.time)
    for first in range(0, 500, 100):
        operations.begin()
        assert not store.append_fills("DU1", changed[first : first + 100])
        taken = operations.taken()
        assert (taken["read of fills"], taken["update of fills"]) == (1, 1)
        assert 100 <= taken["rows read"] <= 100 + 2 * LONG // 2 // seconds
    store.close()


# What the scenarios tell


def log(folder, entries):
    journal = Journal(folder / "journal.db")
    journal.append(entries)
    journal.close()


def told(runtime, actor, entries):
    """The actor has the entries, and a second in which to commit them."""
    actor.tell(ApplyEntries(entries))
    runtime.run_until_idle()
    runtime.advance(10.0)
