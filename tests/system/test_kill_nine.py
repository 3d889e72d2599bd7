"""The daemon is killed without warning while fills flow; nothing is lost, doubled or booked to another (G1, G3, G4)."""

from pathlib import Path

from tests.system.harness import soak


def test_a_daemon_killed_again_and_again_books_every_execution_once_to_its_strategy(tmp_path: Path) -> None:
    soaked = soak(tmp_path, kills=4, seed=11)
    assert len(soaked.at_kills) == 4
    assert all(later > earlier for earlier, later in zip(soaked.at_kills, soaked.at_kills[1:], strict=False))
    assert soaked.executions > soaked.at_kills[-1]
