"""A few minutes through a gateway full of faults, with a kill: every stored view follows from the fills (G1, G3)."""

from pathlib import Path

from tests.system.troubled import soak_books


def test_every_view_follows_from_the_fills_after_faults_corrections_and_a_kill(tmp_path: Path) -> None:
    soaked = soak_books(tmp_path, minutes=4, bar_seconds=1.0, kills=1, seed=1)
    assert soaked.fills > 20
    assert soaked.by_hand > 0
    assert soaked.corrections > 0
    assert soaked.drops > 0
    assert soaked.live.endswith("no difference")
    assert soaked.ended.endswith("no difference")
