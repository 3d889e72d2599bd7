"""G9: one seed, one trace."""

import os
import subprocess
import sys
from pathlib import Path

from tests.simulation.checks import digest_of, verdict

POWER_LOSS = 7
"""A seed in which the power is lost."""
SEARCH = Path(__file__).parent / "search.py"


def test_one_seed_takes_the_same_steps_in_two_processes_with_different_hash_seeds() -> None:
    traces = [_trace(seed=POWER_LOSS, hash_seed=hash_seed) for hash_seed in ("1", "4711")]
    assert traces[0] == traces[1]
    boots = verdict(POWER_LOSS).figures[-1]
    assert boots > 1


def test_two_seeds_take_different_steps() -> None:
    assert digest_of(1) != digest_of(2)


def _trace(seed: int, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, str(SEARCH), "--from", str(seed), "--seeds", "1", "--digest"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()[0]
