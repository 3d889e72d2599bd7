"""The fewest faults of a plan with which its seed still fails the same check."""

from collections.abc import Callable

from msgspec.structs import replace

from tests.simulation.checks import verdict
from tests.simulation.plan import Plan

Fails = Callable[[Plan], bool]


def check_of(complaint: str) -> str:
    """The name of the check that complains."""
    return complaint.partition(":")[0]


def shrunk(seed: int, plan: Plan) -> tuple[int, ...]:
    """Which faults of the plan are needed; those that are left out one by one, or many at once, are not.

    Without a fault the others strike at other steps, so that fewer may be needed than are found.
    """
    failed = {check_of(complaint) for complaint in verdict(seed, plan).complaints}

    def fails(kept: list[int]) -> bool:
        found = verdict(seed, only(plan, kept)).complaints
        return bool(failed & {check_of(complaint) for complaint in found})

    return tuple(minimal(list(range(len(plan.faults))), fails))


def minimal(items: list[int], fails: Callable[[list[int]], bool]) -> list[int]:
    """Delta debugging: leave out halves, then quarters, and so on down to single items, as long as it fails."""
    parts = 1
    while items:
        size = -(-len(items) // parts)
        for begin in range(0, len(items), size):
            fewer = items[:begin] + items[begin + size :]
            if fails(fewer):
                items, parts = fewer, max(parts - 1, 1)
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(items))
    return items


def only(plan: Plan, kept: list[int]) -> Plan:
    """The plan with these of its faults, by their numbers."""
    return replace(plan, faults=tuple(plan.faults[number] for number in kept))
