"""The whole daemon in virtual time, with crashes at any point: G1 to G4 and G7 hold for every seed."""

import pytest

from tests.simulation.checks import verdict

BLOCKS = 8
SEEDS_A_BLOCK = 8


@pytest.mark.parametrize("block", range(BLOCKS))
def test_books_orders_and_views_are_true_after_any_crashes(block: int) -> None:
    for seed in range(block * SEEDS_A_BLOCK, (block + 1) * SEEDS_A_BLOCK):
        assert not verdict(seed).complaints, f"seed {seed}"
