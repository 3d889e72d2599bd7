"""The real persistence writer under crashes in virtual time: each fill is a row once, each view follows from them."""

from pathlib import Path

import pytest

from mats.store.rebuild.comparison import differences, journal_differences, missing_entries
from mats.store.rebuild.contents import Contents
from mats.store.rebuild.recompute_views import recompute
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.reader import Reader
from tests.simulation.checks import every_execution_is_in_the_log_once
from tests.simulation.faulty_broker import ACCOUNT
from tests.simulation.world import Dials, World

POINTS = {
    "store: after the commit, before the acknowledgement": 0.2,
    "store: between two views": 0.2,
    "store: after a snapshot": 0.7,
    "fill log: after the journal, before dispatch": 0.05,
    "portfolio: before the acknowledgement": 0.05,
}


@pytest.mark.parametrize("seed", [5, 7])
def test_every_execution_is_a_row_once_and_every_view_follows_from_them(seed: int, folder: Path) -> None:
    uri = lmdb_uri(folder / "arctic")
    dials = Dials(strategies=1, points=POINTS, corrections=2, manual_trades=1, kills=1, news_faults=0.05)
    world = World(seed, folder, dials, store_uri=uri)
    world.run()
    for point in POINTS:
        assert not point.startswith("store") or world.chaos.crashes[point] > 0, point
    assert not list(every_execution_is_in_the_log_once(world))
    rows = Reader(uri).fills(ACCOUNT)
    newest = {execution.family: execution for execution in world.broker.executions}
    assert len(rows) == len(newest)
    contents = Contents(uri)
    assert contents.views.keys() >= {("portfolio", ACCOUNT), ("portfolio_history", ACCOUNT), ("orders", ACCOUNT)}
    assert not missing_entries(contents.entries)
    assert not list(journal_differences(contents.entries, world.journal.entries(0, 1_000_000)))
    assert not list(differences(contents.views, recompute(contents.entries, contents.views)))
