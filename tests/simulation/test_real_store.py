"""The real persistence writer under crashes in virtual time: each fill is a row once, each view follows from them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mats.store.rebuild.comparison import differences, journal_differences, missing_entries
from mats.store.rebuild.contents import Contents
from mats.store.rebuild.recompute_views import recompute
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.reader import Reader
from tests.simulation.checks import every_execution_is_in_the_log_once
from tests.simulation.faults import AnyFault, Correction, Crash, Kill, ManualTrade, Noise
from tests.simulation.faulty_broker import ACCOUNT
from tests.simulation.plan import Plan
from tests.simulation.world import World

POINTS = {
    "store: after the commit, before the acknowledgement": 4,
    "store: between two views": 4,
    "store: after a snapshot": 2,
    "fill log: after the journal, before dispatch": 2,
    "portfolio: before the acknowledgement": 2,
}
"""How often each of them ends in a crash."""


def _faults() -> Iterator[AnyFault]:
    yield Noise(at=0.0, seconds=20.0, chance=0.05)
    for point, times in POINTS.items():
        for number in range(times):
            yield Crash(at=1.0 + 18.0 * number / times, point=point, skip=number % 2)
    yield from (
        ManualTrade(at=6.0),
        Correction(at=9.0),
        Kill(at=12.0, steps=40, actor="core/risk"),
        Correction(at=15.0),
    )


@pytest.mark.parametrize("seed", [5, 7])
def test_every_execution_is_a_row_once_and_every_view_follows_from_them(seed: int, folder: Path) -> None:
    uri = lmdb_uri(folder / "arctic")
    faults = tuple(sorted(_faults(), key=lambda fault: fault.at))
    world = World(seed, folder, Plan(strategies=1, faults=faults), store_uri=uri)
    world.run()
    for point in POINTS:
        assert not point.startswith("store") or world.crashes[point] > 0, point
    assert not list(every_execution_is_in_the_log_once(world))
    rows = Reader(uri).fills(ACCOUNT)
    newest = {execution.family: execution for execution in world.broker.executions}
    assert len(rows) == len(newest)
    contents = Contents(uri)
    assert contents.views.keys() >= {("portfolio", ACCOUNT), ("portfolio_history", ACCOUNT), ("orders", ACCOUNT)}
    assert not missing_entries(contents.entries)
    assert not list(journal_differences(contents.entries, world.journal.entries(0, 1_000_000)))
    assert not list(differences(contents.views, recompute(contents.entries, contents.views)))
    world.close()
