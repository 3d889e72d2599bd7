"""Between rows and DataFrames, through the schema: what does not fit is refused one row at a time."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, DecimalException

import msgspec
import numpy as np
import pandas as pd

from mats.model.timestamp import Nanos
from mats.store.index import check_time, time_index
from mats.store.tables import Kind, Schema

Value = str | float | int | bool | None
Row = dict[str, Value]
"""One row by column name. A missing text, number or time is None; times are nanoseconds, UTC."""

Raw = Mapping[str, object]
"""A row before the schema has seen it: decimals and enums are still themselves."""

ROW_ERRORS = (ValueError, OverflowError, DecimalException)
"""What a row raises that does not fit its table."""

_NAT = np.iinfo(np.int64).min
_INT64 = range(-(2**63), 2**63)


class Reject(msgspec.Struct, frozen=True):
    """A row that could not be stored, and why; the rest of its batch was."""

    library: str
    symbol: str
    row: str
    reason: str


def conform(raw: Raw, schema: Schema) -> Row:
    """`raw` as a row of the schema; ValueError names the column, the value and what it should be."""
    if raw.keys() != schema.columns.keys():
        odd = sorted(raw.keys() ^ schema.columns.keys())
        raise ValueError(f"columns {odd} are missing or unknown; give exactly {list(schema.columns)}")
    return {name: _value(name, raw[name], kind) for name, kind in schema.columns.items()}


def to_frame(rows: Mapping[Nanos, Row], schema: Schema) -> pd.DataFrame:
    """A frame of `rows`, whose keys ascend, with exactly the columns and types that the table has on disk."""
    columns = {name: _column([row[name] for row in rows.values()], kind) for name, kind in schema.columns.items()}
    return pd.DataFrame(columns, index=time_index(list(rows)))


def from_frame(frame: pd.DataFrame, schema: Schema) -> dict[Nanos, Row]:
    """The rows of a stored frame by index: the inverse of `to_frame`."""
    columns = [_values(frame[name], kind) for name, kind in schema.columns.items()]
    times = frame.index.asi8.tolist() if isinstance(frame.index, pd.DatetimeIndex) else []
    return {
        time: dict(zip(schema.columns, values, strict=True))
        for time, values in zip(times, zip(*columns, strict=True), strict=True)
    }


def _value(name: str, value: object, kind: Kind) -> Value:
    match kind, value:
        case ((Kind.TEXT | Kind.FLOAT | Kind.TIME), None):
            return None
        case Kind.TEXT, str():
            value.encode()  # a lone surrogate raises UnicodeEncodeError, which is a ValueError
            return str.__str__(value)
        case Kind.BOOL, bool():
            return value
        case Kind.INT, int() if not isinstance(value, bool) and value in _INT64:
            return value
        case Kind.TIME, int() if not isinstance(value, bool):
            return check_time(value)
        case Kind.FLOAT, (float() | int() | Decimal()):
            number = float(value)
            return None if math.isnan(number) else number
    raise ValueError(f"column {name} cannot hold {value!r}; it needs {kind.name.lower()}")


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
