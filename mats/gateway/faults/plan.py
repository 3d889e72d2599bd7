"""Fault plans: faults and the seed of their random choices, from a TOML file or any document."""

from pathlib import Path

import msgspec

from mats.gateway.faults.fault_types import AnyFault, PlanError
from mats.gateway.faults.known_behaviors import known_behavior


class FaultPlan(msgspec.Struct, frozen=True):
    """Faults, and the seed of their random choices."""

    faults: tuple[AnyFault, ...] = ()
    seed: int = 1


def parse_plan(document: object, origin: str) -> FaultPlan:
    """A plan from `seed`, `rows` (numbers) and `fault` (tables with `do`). Raises PlanError."""
    if not isinstance(document, dict) or set(document) - {"seed", "rows", "fault"}:
        raise PlanError(f"{origin}: a fault plan has only seed, rows and fault tables")
    try:
        wanted = msgspec.convert(document.get("rows", []), tuple[int, ...])
        own = msgspec.convert(document.get("fault", []), tuple[AnyFault, ...], str_keys=True)
        seed = msgspec.convert(document.get("seed", 1), int)
    except msgspec.ValidationError as error:
        raise PlanError(f"{origin}: {error}") from error
    return FaultPlan((*(fault for number in wanted for fault in known_behavior(number).fault), *own), seed)


def load_plan(path: Path) -> FaultPlan:
    """Reads a plan from a TOML file. Raises PlanError."""
    try:
        return parse_plan(msgspec.toml.decode(path.read_bytes()), f"fault plan {path}")
    except (OSError, msgspec.DecodeError) as error:
        raise PlanError(f"fault plan {path}: {error}") from error
