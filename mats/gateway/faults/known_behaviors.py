"""The known behaviors of real gateways by number, each with the faults that provoke it."""

from functools import cache
from pathlib import Path

import msgspec

from mats.gateway.faults.fault_types import AnyFault, PlanError


class KnownBehavior(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A known behavior of real gateways, and the faults that provoke it. `always`: what happens without any."""

    number: int
    name: str
    fault: tuple[AnyFault, ...] = ()
    always: str = ""


class _Rows(msgspec.Struct, frozen=True):
    row: tuple[KnownBehavior, ...]


@cache
def known_behaviors() -> dict[int, KnownBehavior]:
    """All of them by number, from the file beside this module."""
    source = Path(__file__).with_suffix(".toml").read_bytes()
    return {row.number: row for row in msgspec.toml.decode(source, type=_Rows).row}


def known_behavior(number: int) -> KnownBehavior:
    """A known behavior; raises PlanError if there is none with this number."""
    behaviors = known_behaviors()
    if number not in behaviors:
        raise PlanError(f"no behavior has the number {number}; choose {min(behaviors)} to {max(behaviors)}")
    return behaviors[number]
