"""Kills without warning while fills flow: nothing is lost, doubled or booked to another (G1, G3, G4)."""

from pathlib import Path

import pytest

from tests.system.kills import Kills, Victims, soak


@pytest.mark.parametrize("victims", ["daemon", "gateway", "both"])
def test_whoever_is_killed_again_and_again_every_execution_is_booked_once_to_its_strategy(
    tmp_path: Path, victims: Victims
) -> None:
    soaked = soak(tmp_path, Kills(rounds=4, seed=11, victims=(victims,)))
    assert len(soaked.at_kills) == 4
    assert all(later > earlier for earlier, later in zip(soaked.at_kills, soaked.at_kills[1:], strict=False))
    assert soaked.executions > soaked.at_kills[-1]
