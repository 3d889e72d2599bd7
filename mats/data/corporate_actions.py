"""Reads splits and dividends: from a file of their own, or from columns of the bars."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from mats.data.bar_files import ACTIONS, BarTable
from mats.data.time_parsing import parse_times
from mats.errors import DataError
from mats.model import ZERO, Currency, InstrumentId, exact
from mats.model.bar_columns import CorporateAction, Dividend, Instants, Split, merge_actions

COLUMNS = ("time", "kind", "value")


def read_actions(path: Path, zone: str | None, currency: Currency) -> tuple[CorporateAction, ...]:
    """The actions of a CSV file with the columns time, kind (`split`, `dividend`) and value (ratio, or amount a unit).

    `currency` is that of dividends where the file has no such column. Raises DataError.
    """
    try:
        frame = pd.read_csv(path, dtype=str)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise DataError(f"file of actions {path} cannot be read ({error}); export it again") from error
    frame = frame.rename(columns=str.lower).rename(columns={"ratio": "value", "amount": "value", "timestamp": "time"})
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise DataError(f"file of actions {path} has no column {missing[0]!r}; it needs {', '.join(COLUMNS)}")
    times = parse_times(frame["time"], zone, str(path)).tolist()
    currencies = frame["currency"].fillna(currency) if "currency" in frame else [currency] * len(frame)
    rows = zip(times, frame["kind"], frame["value"], currencies, strict=True)
    return merge_actions(_action(f"{path}, row {n}", *row) for n, row in enumerate(rows, 1))


def actions_file(path: Path, instrument: InstrumentId) -> Path:
    """The path of the file of actions of a bar file, which may not exist."""
    return path.with_name(instrument + ACTIONS)


def table_actions(table: BarTable, currency: Currency) -> tuple[CorporateAction, ...]:
    """The actions in the columns `split` and `dividend` of a table, at the start of the bar."""
    found: list[CorporateAction] = []
    for kind, column in (("split", table.split), ("dividend", table.dividend)):
        if column is not None:
            values = np.nan_to_num(column)
            rows = np.flatnonzero((values != 0) & ((values != 1) | (kind != "split"))).tolist()
            found += [
                _action(f"{table.place}, row {i + 1}", int(table.start[i]), kind, float(values[i]), currency)
                for i in rows
            ]
    return merge_actions(found)


def actions_between(actions: tuple[CorporateAction, ...], starts: Instants) -> tuple[CorporateAction, ...]:
    """The actions that fall between the first and the last of the bars that start then."""
    if not len(starts):
        return ()
    return tuple(action for action in actions if starts[0] <= action.time <= starts[-1])


def _action(place: str, time: int, kind: str, value: float | str, currency: Currency) -> CorporateAction:
    try:
        number: Decimal = exact(value)
    except ValueError as error:
        raise DataError(f"{place} has a {kind} of {value}: {error}; write a number") from error
    if number <= ZERO:
        raise DataError(f"{place} has a {kind} of {value}; write a number above 0")
    match kind.strip().lower():
        case "split":
            return Split(time, number)
        case "dividend":
            return Dividend(time, number, currency)
    raise DataError(f"{place} has an action {kind!r}; write split or dividend")
