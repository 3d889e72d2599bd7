"""The real persistence writer under crashes in virtual time: each fill is a row once, whoever crashed when."""

from pathlib import Path

import pytest

from mats.store.connection import lmdb_uri
from mats.store.reader import Reader
from tests.simulation.checks import every_execution_is_in_the_log_once
from tests.simulation.faulty_broker import ACCOUNT
from tests.simulation.world import Dials, World

POINTS = {
    "store: after the commit, before the acknowledgement": 0.4,
    "fill log: after the journal, before dispatch": 0.05,
    "portfolio: before the acknowledgement": 0.05,
}


@pytest.mark.parametrize("seed", [1, 2])
def test_every_execution_is_a_row_once(seed: int, folder: Path) -> None:
    uri = lmdb_uri(folder / "arctic")
    world = World(seed, folder, Dials(strategies=1, points=POINTS, corrections=1), store_uri=uri)
    world.run()
    assert world.chaos.crashes["store: after the commit, before the acknowledgement"] > 0
    assert not list(every_execution_is_in_the_log_once(world))
    rows = Reader(uri).fills(ACCOUNT)
    newest = {execution.family: execution for execution in world.broker.executions}
    assert len(rows) == len(newest)
