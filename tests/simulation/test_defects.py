"""The simulation finds what it is for: each planted defect makes the seed fail that is recorded for it."""

import pytest

from tests.simulation import defects
from tests.simulation.checks import verdict
from tests.simulation.planting import Defect, NotThere, edit, planted
from tests.simulation.shrink import minimal

LEAST = 20


@pytest.mark.parametrize("name", defects.recorded())
def test_a_planted_defect_is_caught(name: str) -> None:
    assert defects.complaints_of(name, defects.recorded()[name])


def test_every_defect_is_caught_by_one_of_the_first_seeds() -> None:
    found = defects.recorded()
    assert list(found) == list(defects.DEFECTS)
    assert len(found) >= LEAST
    assert all(seed < defects.SEEDS for seed in found.values())


def test_a_defect_whose_words_are_gone_is_said() -> None:
    with pytest.raises(NotThere), planted(Defect("", (edit(defects, "show", ("words that are not there", "")),))):
        pytest.fail("it was planted")


def test_without_the_defect_the_seed_does_not_fail() -> None:
    name, seed = next(iter(defects.recorded().items()))
    with planted(defects.DEFECTS[name]):
        pass
    assert not verdict(seed).complaints


def test_the_fewest_faults_are_found_that_still_fail() -> None:
    tried: list[list[int]] = []

    def fails(kept: list[int]) -> bool:
        tried.append(kept)
        return {3, 11} <= set(kept)

    assert minimal(list(range(16)), fails) == [3, 11]
    assert len(tried) < 40
