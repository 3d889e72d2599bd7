"""Reads bar files: CSV or Parquet as columns that are not checked yet."""

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from mats.data.column_detection import detect_columns
from mats.data.time_parsing import parse_times
from mats.errors import DataError
from mats.model import SECOND, InstrumentId
from mats.model.bar_columns import Floats, Instants

SUFFIXES = (".csv", ".csv.gz", ".parquet")
ACTIONS = ".actions.csv"
"""`SPY.actions.csv` beside `SPY.csv.gz` holds the splits and dividends of SPY."""

PRICES = ("open", "high", "low", "close")


class BarTable(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One instrument's rows in the order of their source; missing values are NaN. `place` names the source."""

    place: str
    instrument: InstrumentId
    seconds: int
    start: Instants
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    spread: Floats | None = None
    split: Floats | None = None
    dividend: Floats | None = None

    def __len__(self) -> int:
        return len(self.start)


def find_bar_files(path: Path) -> dict[InstrumentId, Path]:
    """The bar files at `path`, a file or a folder, by instrument in alphabetical order. Raises DataError."""
    if not path.exists():
        raise DataError(f"data {path} does not exist; give a file, a folder or `store`")
    files = sorted(p for p in path.iterdir() if _is_table(p)) if path.is_dir() else [path]
    if not files:
        raise DataError(f"folder {path} has no bar file; put {', '.join(SUFFIXES)} files there, one an instrument")
    found: dict[InstrumentId, Path] = {}
    for file in files:
        name = instrument_of(file)
        if name in found:
            raise DataError(f"{found[name]} and {file} are both bars of {name}; remove one of them")
        found[name] = file
    return found


def instrument_of(path: Path) -> InstrumentId:
    """`SPY` for `SPY.csv`, `SPY.csv.gz` and `SPY.parquet`."""
    suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), "")
    if not suffix:
        raise DataError(f"file {path} has an unknown format; convert it to one of {', '.join(SUFFIXES)}")
    return path.name.removesuffix(suffix)


def read_table(
    path: Path,
    *,
    instrument: InstrumentId = "",
    seconds: int = 0,
    zone: str | None = None,
    stamp: str = "start",
) -> BarTable:
    """The rows of a file. `seconds` 0 takes the most frequent distance of rows; `stamp="end"`: times are ends of bars.

    Raises DataError where a needed column is missing or a time cannot be read.
    """
    name = instrument or instrument_of(path)
    columns = detect_columns(_read(path), str(path))
    times = parse_times(columns.pop("time"), zone, str(path))
    if not len(times):
        raise DataError(f"{path} has no bars; leave it out, or export it again")
    size = seconds or detect_bar_seconds(times, str(path))
    numbers = {name: _floats(column) for name, column in columns.items()}
    spread = numbers.get("spread")
    if spread is None and {"bid", "ask"} <= numbers.keys():
        spread = numbers["ask"] - numbers["bid"]
    return BarTable(
        place=str(path),
        instrument=name,
        seconds=size,
        start=times - size * SECOND if stamp == "end" else times,
        volume=numbers.get("volume", np.zeros(len(times))),
        spread=spread,
        split=numbers.get("split"),
        dividend=numbers.get("dividend"),
        **{column: numbers[column] for column in PRICES},
    )


def detect_bar_seconds(times: Instants, place: str) -> int:
    """The most frequent distance of neighboring rows in seconds."""
    steps = np.abs(np.diff(times)) // SECOND
    lengths, counts = np.unique(steps[steps > 0], return_counts=True)
    if not len(lengths):
        raise DataError(f"{place}: its bar size cannot be detected from {len(times)} row(s); give --seconds")
    return int(lengths[counts.argmax()])


def _is_table(path: Path) -> bool:
    return path.name.endswith(SUFFIXES) and not path.name.endswith(ACTIONS)


def _read(path: Path) -> pd.DataFrame:
    instrument_of(path)  # an unknown suffix is reported before the file is opened
    try:
        return _read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except FileNotFoundError:
        raise DataError(f"bar file {path} not found; check the path") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OSError) as error:
        raise DataError(f"bar file {path} cannot be read ({error}); export it again") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    """Column by column, releasing each one after its conversion."""
    import pyarrow  # imported here: it takes a tenth of a second
    from pyarrow.parquet import read_table as read_arrow

    frame: pd.DataFrame = read_arrow(path, use_threads=False).to_pandas(split_blocks=True, self_destruct=True)
    pyarrow.default_memory_pool().release_unused()
    return frame


def _floats(column: pd.Series) -> Floats:
    if pd.api.types.is_float_dtype(column):
        return column.to_numpy(dtype=np.float64)
    numbers: Floats = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    return numbers
