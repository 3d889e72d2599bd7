"""Fault plans from files, and the numbered behaviors of real gateways with the faults that provoke them."""

from functools import cache
from pathlib import Path

import msgspec

from mats.gateway.faults.fault_types import AnyFault


class PlanError(ValueError):
    """The plan cannot be read; the message says where and why."""


class CatalogRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A known behavior of real gateways, and the faults that provoke it. `always`: what happens without any."""

    number: int
    name: str
    fault: tuple[AnyFault, ...] = ()
    always: str = ""


class FaultPlan(msgspec.Struct, frozen=True):
    """Faults, and the seed of their random choices."""

    faults: tuple[AnyFault, ...] = ()
    seed: int = 1


class _Rows(msgspec.Struct, frozen=True):
    row: tuple[CatalogRow, ...]


@cache
def load_rows() -> dict[int, CatalogRow]:
    """The known behaviors by number, from the file beside this module."""
    source = Path(__file__).with_name("catalog.toml").read_bytes()
    return {row.number: row for row in msgspec.toml.decode(source, type=_Rows).row}


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
    return FaultPlan((*(fault for number in wanted for fault in catalog_row(number).fault), *own), seed)


def catalog_row(number: int) -> CatalogRow:
    """A known behavior; raises PlanError if there is none with this number."""
    rows = load_rows()
    if number not in rows:
        raise PlanError(f"no behavior has the number {number}; choose {min(rows)} to {max(rows)}")
    return rows[number]


def load_plan(path: Path) -> FaultPlan:
    """Reads a plan from a TOML file. Raises PlanError."""
    try:
        return parse_plan(msgspec.toml.decode(path.read_bytes()), f"fault plan {path}")
    except (OSError, msgspec.DecodeError) as error:
        raise PlanError(f"fault plan {path}: {error}") from error
