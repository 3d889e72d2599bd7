"""Bar tables as they come: a CSV or Parquet file as columns that nobody has checked yet."""

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from mats.data.column_detection import instants, recognise
from mats.errors import DataError
from mats.model import SECOND, InstrumentId
from mats.model.bar_columns import Floats, Instants

SUFFIXES = (".csv", ".csv.gz", ".parquet")
ACTIONS = ".actions.csv"
"""`SPY.actions.csv` beside `SPY.csv.gz` holds the splits and dividends of SPY."""

PRICES = ("open", "high", "low", "close")


class BarTable(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One instrument's rows in the order of their source; what is missing is NaN. `place` names the source."""

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


def bar_tables(path: Path) -> dict[InstrumentId, Path]:
    """The bar files at `path`, a file or a folder, by instrument in alphabetical order. Raises DataError."""
    if not path.exists():
        raise DataError(f"data {path} does not exist; name a file, a folder or `store`")
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
        raise DataError(f"file {path} is none of {', '.join(SUFFIXES)}; convert it")
    return path.name.removesuffix(suffix)


def read_table(
    path: Path,
    *,
    instrument: InstrumentId = "",
    seconds: int = 0,
    zone: str | None = None,
    stamp: str = "start",
) -> BarTable:
    """The rows of a file. `seconds` 0 takes the distance most rows have; `stamp="end"` says that times are ends.

    Raises DataError where a needed column is missing or a time cannot be read.
    """
    name = instrument or instrument_of(path)
    columns = recognise(_read(path), str(path))
    times = instants(columns.pop("time"), zone, str(path))
    if not len(times):
        raise DataError(f"{path} has no bars; leave it out, or write it anew")
    size = seconds or usual_seconds(times, str(path))
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


def usual_seconds(times: Instants, place: str) -> int:
    """The distance in seconds that most neighbouring rows have."""
    steps = np.abs(np.diff(times)) // SECOND
    lengths, counts = np.unique(steps[steps > 0], return_counts=True)
    if not len(lengths):
        raise DataError(f"{place}: the size of its bars cannot be told from {len(times)} row(s); give --seconds")
    return int(lengths[counts.argmax()])


def _is_table(path: Path) -> bool:
    return path.name.endswith(SUFFIXES) and not path.name.endswith(ACTIONS)


def _read(path: Path) -> pd.DataFrame:
    instrument_of(path)  # an unknown suffix is named before the file is opened
    try:
        return _read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except FileNotFoundError:
        raise DataError(f"bar file {path} is missing; put it there or mend the name") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OSError) as error:
        raise DataError(f"bar file {path} cannot be read ({error}); write it anew") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    """Column by column, each let go of where it was read once it is here."""
    import pyarrow  # only here: it costs a tenth of a second
    from pyarrow.parquet import read_table as read_arrow

    frame: pd.DataFrame = read_arrow(path, use_threads=False).to_pandas(split_blocks=True, self_destruct=True)
    pyarrow.default_memory_pool().release_unused()
    return frame


def _floats(column: pd.Series) -> Floats:
    if pd.api.types.is_float_dtype(column):
        return column.to_numpy(dtype=np.float64)
    numbers: Floats = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    return numbers
