"""Converts between rows and DataFrames by the schema; rows that do not fit are rejected one by one."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, DecimalException
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from mats.model import Nanos
from mats.store.tables.schemas import Kind, Schema
from mats.store.tables.time_index import check_time, time_index

Value = str | float | int | bool | None
Row = dict[str, Value]
"""One row by column name. A missing text, number or time is None; times are nanoseconds, UTC."""

Raw = Mapping[str, object]
"""A row before conversion to the schema: with decimals and enums."""

ROW_ERRORS = (ValueError, OverflowError, DecimalException)
"""Raised by a row that does not fit its table."""

_NAT = np.iinfo(np.int64).min
_INT64 = range(-(2**63), 2**63)


class Reject(msgspec.Struct, frozen=True):
    """A row that could not be stored, and why; the rest of its batch was."""

    library: str
    symbol: str
    row: str
    reason: str


def conform(raw: Raw, schema: Schema) -> Row:
    """`raw` as a row of the schema; ValueError names the column, the value and the expected type."""
    if raw.keys() != schema.columns.keys():
        mismatched = sorted(raw.keys() ^ schema.columns.keys())
        raise ValueError(f"columns {mismatched} are missing or unknown; give exactly {list(schema.columns)}")
    try:
        return {name: _CONVERT[kind](raw[name]) for name, kind in schema.columns.items()}
    except TypeError:
        return amended({}, raw, schema)  # which names the column


def amended(row: Row, changes: Raw, schema: Schema) -> Row:
    """A row of the schema with other values in some of its columns; ValueError as for `conform`."""
    return row | {name: _converted(name, value, schema.columns[name]) for name, value in changes.items()}


def _converted(name: str, value: object, kind: Kind) -> Value:
    try:
        return _CONVERT[kind](value)
    except TypeError:
        raise ValueError(f"column {name} cannot hold {value!r}; it needs {kind.name.lower()}") from None


def to_frame(rows: Mapping[Nanos, Row], schema: Schema) -> pd.DataFrame:
    """A frame of `rows`, whose keys ascend, with exactly the columns and types that the table has on disk."""
    columns = {name: _column([row[name] for row in rows.values()], kind) for name, kind in schema.columns.items()}
    return pd.DataFrame(columns, index=time_index(list(rows)))


def from_frame(frame: pd.DataFrame, schema: Schema) -> dict[Nanos, Row]:
    """The rows of a stored frame by index: the inverse of `to_frame`."""
    lacking = {name: value for name, value in schema.added.items() if name not in frame}
    frame = frame.assign(**lacking) if lacking else frame
    columns = [_values(frame[name], kind) for name, kind in schema.columns.items()]
    times = frame.index.asi8.tolist() if isinstance(frame.index, pd.DatetimeIndex) else []
    return {
        time: dict(zip(schema.columns, values, strict=True))
        for time, values in zip(times, zip(*columns, strict=True), strict=True)
    }


def _text(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # a lone surrogate raises UnicodeEncodeError, which is a ValueError
    return value if type(value) is str else str.__str__(value)


def _number(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, float | int | Decimal) or isinstance(value, bool):
        raise TypeError
    number = float(value)
    return None if number != number else number


def _integer(value: object) -> int:
    if type(value) is not int or value not in _INT64:
        raise TypeError
    return value


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise TypeError
    return value


def _instant(value: object) -> int | None:
    return None if value is None else check_time(_integer(value))


_CONVERT: dict[Kind, Callable[[object], Value]] = {
    Kind.TEXT: _text,
    Kind.FLOAT: _number,
    Kind.INT: _integer,
    Kind.BOOL: _flag,
    Kind.TIME: _instant,
}


def _column(values: Sequence[Value], kind: Kind) -> np.ndarray:
    if kind is Kind.TIME:
        return np.array([_NAT if v is None else v for v in values], dtype="int64").view("datetime64[ns]")
    if kind is Kind.TEXT:
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    return np.array([math.nan if v is None else v for v in values], dtype=kind.value)


def _values(column: pd.Series, kind: Kind) -> list[Value]:
    if kind is Kind.TIME:
        instants: list[int] = column.to_numpy(dtype="datetime64[ns]").view("int64").tolist()
        return [None if v == _NAT else v for v in instants]
    values: list[Value] = column.tolist()
    if kind is Kind.FLOAT:
        return [None if v != v else v for v in values]
    return values


class RejectFile:
    """Rejects wait here until the file is written, so that a full disk loses none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[Reject] = []

    def add(self, rejects: Iterable[Reject]) -> None:
        self._waiting.extend(rejects)

    def write(self) -> None:
        """Append the waiting rejects. Raises OSError where the file cannot be written; they are kept then."""
        if self._waiting:
            with self._path.open("ab") as file:
                file.write(b"".join(msgspec.json.encode(reject) + b"\n" for reject in self._waiting))
            self._waiting.clear()
