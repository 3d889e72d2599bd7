"""Each place where a crash must do no harm, by itself: it is reached, and nothing is lost, doubled or stuck."""

import pytest

from tests.simulation.checks import verdict
from tests.simulation.faults import Correction, Crash, HangUp, ManualTrade
from tests.simulation.plan import POINTS, Plan


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_here_does_no_harm(point: str) -> None:
    crashes = tuple(Crash(at=2.0 + 3.0 * number, point=point, skip=number) for number in range(6))
    others = (Correction(at=1.9), HangUp(at=10.0, client=1), Correction(at=18.0), ManualTrade(at=19.0))
    found = verdict(1, Plan(faults=tuple(sorted((*crashes, *others), key=lambda fault: fault.at))))
    assert not found.complaints
    assert set(found.crashes) == {point}
