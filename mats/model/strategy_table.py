"""The strategy table: the strategies, the files of their code, and their target weights, each and in sum."""

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from mats.errors import StrategyError
from mats.model.money import ZERO
from mats.model.orders import DISCRETIONARY, AccountId, StrategyName

NAME = re.compile(r"[A-Za-z0-9_-]{1,20}")
"""A name travels in IB's orderRef and names storage symbols: short, no `:`, no `.`, no space."""


Host = Literal["thread", "process"]


class StrategyRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the strategy table.

    `file` is a path, or a name below the operator's strategy folder, or `examples/NAME.py` of the package.
    `target_weight` is the share of the account's equity, 0 to 1. An empty `account` means the first one.
    `host`: where it runs live, on a thread of the daemon or in a process; empty leaves it to the settings. `process`
    names a process that strategies share, `memory_mb` limits what the process may allocate, in MiB; both need one.
    `trade_before_warm`: it starts with the history that there is, where the broker does not give all of its warm-up.
    """

    name: StrategyName
    file: str
    class_name: str
    params: dict[str, Any] = {}
    target_weight: float = 0.0
    account: AccountId = ""
    active: bool = True
    host: Host | Literal[""] = ""
    process: str = ""
    memory_mb: int = 0
    trade_before_warm: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"name {self.name!r} is invalid; use 1 to 20 of A-Z, a-z, 0-9, _ and -")
        if self.name.lower() == DISCRETIONARY.lower():
            raise ValueError(f"name {self.name!r} is reserved; choose another")
        if not math.isfinite(self.target_weight) or not 0 <= self.target_weight <= 1:
            raise ValueError(f"target_weight {self.target_weight} is out of range; give a share from 0 to 1")
        if not self.file or not self.class_name:
            raise ValueError(f"file {self.file!r} or class_name {self.class_name!r} is empty; give both")
        if self.host not in ("", *get_args(Host)):
            raise ValueError(f"host {self.host!r} is unknown; use thread or process, or leave it out")
        if self.process and not NAME.fullmatch(self.process):
            raise ValueError(f"process {self.process!r} is invalid; use 1 to 20 of A-Z, a-z, 0-9, _ and -")
        if self.memory_mb < 0:
            raise ValueError(f"memory_mb {self.memory_mb} is out of range; give MiB above 0, or 0 for no limit")
        if self.host == "thread" and (self.process or self.memory_mb):
            raise ValueError('process and memory_mb are for strategies in processes; set host = "process"')

    def host_or(self, default: Host) -> Host:
        """Where it runs, by default there; a strategy that names a process or a limit runs in a process."""
        return self.host or ("process" if self.process or self.memory_mb else default)


def read_records(path: Path) -> tuple[StrategyRecord, ...]:
    """The `[[strategy]]` tables of a TOML file, in its order; raises StrategyError on the first error."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StrategyError(f"the strategy table {path} cannot be read ({error.strerror}); create it") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StrategyError(f"the strategy table {path} is not TOML: {error}; correct that line") from error
    rows = table.pop("strategy", [])
    if table or not isinstance(rows, list):
        raise StrategyError(f"{path} has {next(iter(table), 'strategy')!r}; use only [[strategy]] tables")
    records = tuple(parse_record(row, f"{path}, strategy {number}") for number, row in enumerate(rows, 1))
    check_table(records, str(path))
    return records


def parse_record(row: Mapping[str, Any], where: str) -> StrategyRecord:
    """One table as a record; `where` names its location in errors."""
    label = f"{where} ({row['name']})" if "name" in row else where
    known = StrategyRecord.__struct_fields__
    if unknown := [key for key in row if key not in known]:
        raise StrategyError(f"{label}: unknown key {unknown[0]!r}; use {', '.join(known)}")
    try:
        return msgspec.convert(row, StrategyRecord, strict=True)
    except msgspec.ValidationError as error:
        raise StrategyError(f"{label}: {error}") from error


def check_table(records: tuple[StrategyRecord, ...], where: str) -> None:
    """Refuse two strategies whose names differ at most in case: some file systems would mix their tables.

    And two limits of one shared process.
    """
    seen: dict[str, StrategyName] = {}
    for record in records:
        if (key := record.name.lower()) in seen:
            raise StrategyError(f"{where}: strategy {record.name!r} appears twice; give each its own name")
        seen[key] = record.name
    limits: dict[str, int] = {}
    for record in records:
        if record.process and limits.setdefault(record.process, record.memory_mb) != record.memory_mb:
            raise StrategyError(
                f"{where}: process {record.process!r} has two limits of memory, {limits[record.process]} and "
                f"{record.memory_mb}; give all its strategies the same memory_mb"
            )


class TargetWeight(msgspec.Struct, frozen=True):
    """A strategy, its account (empty: the first one) and its target weight."""

    strategy: StrategyName
    account: AccountId
    weight: Decimal


def check_weights(shares: Iterable[TargetWeight], allow_leverage: bool, first: AccountId = "") -> None:
    """Check target weights together: none negative; in each account at most 1 unless leverage is allowed.

    `first` is the account of the shares that name none. Raises ValueError with one sentence.
    """
    accounts: dict[AccountId, list[TargetWeight]] = {}
    for share in shares:
        if not share.weight.is_finite() or share.weight < 0:
            raise ValueError(
                f"target_weight {share.weight} of {share.strategy} is out of range; give a number from 0 to 1"
            )
        accounts.setdefault(share.account or first, []).append(share)
    for account, held in accounts.items():
        whole = sum((share.weight for share in held), ZERO)
        if whole > 1 and not allow_leverage:
            named = ", ".join(f"{share.strategy} {share.weight}" for share in held)
            raise ValueError(
                f"target weights of {account or 'the first account'} sum to {whole} ({named}); "
                "lower them to at most 1 or set portfolio.allow_leverage"
            )
