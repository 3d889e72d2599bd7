"""Each place where a crash must do no harm, by itself: it is reached, and nothing is lost, doubled or stuck."""

import re
from pathlib import Path

import pytest

import actors
from tests.simulation.checks import verdict
from tests.simulation.world import STAGES, Dials

ACTORS = Path(actors.__file__).parent
REAL_STORE_ONLY = "store: after the commit, before the acknowledgement"


def _points() -> list[str]:
    """Every point named in the actors; those of the stages stand there once for all four."""
    named = {
        name for file in ACTORS.rglob("*.py") for name in re.findall(r'chaos\.point\(f?"(.+?)"\)', file.read_text())
    }
    plain = {name for name in named if "{" not in name} - {REAL_STORE_ONLY}
    of_stages = {name.replace("{self.stage}", stage) for name in named if "{" in name for stage in STAGES}
    return sorted(plain | of_stages)


@pytest.mark.parametrize("point", _points())
def test_a_crash_here_does_no_harm(point: str) -> None:
    dials = Dials(points={point: 0.1}, corrections=1, manual_trades=1, steps_between_events=1000)
    for seed in range(1, 6):  # a crash comes by chance: a run without one shows nothing
        found = verdict(seed, dials)
        assert not found.complaints
        assert set(found.crashes) <= {point}
        if found.crashes[point]:
            return
    pytest.fail(f"no run came to {point!r}")
