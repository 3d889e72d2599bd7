"""Whatever file is put back or lost, the books end as the broker's, and every execution that is known is stored once.

MATS_DRILLS=200 runs so many seeds.
"""

import os
from pathlib import Path

import pytest

from tests.simulation.restores import complaints_of


@pytest.mark.parametrize("seed", range(int(os.environ.get("MATS_DRILLS", "20"))))
def test_after_any_restores_books_are_true_and_every_known_execution_is_stored_once(seed: int, folder: Path) -> None:
    assert not complaints_of(seed, folder)
