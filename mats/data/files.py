"""Bar files: CSV, plain or gzipped, one instrument a file.

Columns `timestamp` (ISO 8601 with zone, the START of the bar), `open`, `high`, `low`, `close`, `volume`; others are
ignored.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from mats.model.instrument import InstrumentId
from mats.model.market import Bar
from mats.model.timestamp import SECOND

NUMBERS = ["open", "high", "low", "close", "volume"]
COLUMNS = ["timestamp", *NUMBERS]
SUFFIXES = (".csv", ".csv.gz")


class BarFileError(ValueError):
    """A bar file that cannot be used; the text names the file, the line and the mend."""


def read_bars(path: Path, seconds: int, instrument: InstrumentId | None = None) -> list[Bar]:
    """The bars of a file in time order, each of `seconds`; the instrument is the file's stem unless given.

    Raises BarFileError for a missing column, an unreadable or missing value, a time without zone, times that do not
    increase by at least `seconds`, and prices that contradict each other.
    """
    frame = _read(path)
    starts = _starts(path, frame["timestamp"], seconds)
    _check_prices(path, frame)
    name = instrument or file_instrument(path)
    rows = zip(starts.tolist(), *(frame[column].tolist() for column in NUMBERS), strict=True)
    return [Bar(name, start, seconds, *numbers) for start, *numbers in rows]


def bar_files(folder: Path) -> dict[InstrumentId, Path]:
    """The bar files of a folder by instrument, in alphabetical order."""
    files = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    return {file_instrument(path): path for path in files}


def file_instrument(path: Path) -> InstrumentId:
    """`SPY` for `SPY.csv` and `SPY.csv.gz`."""
    return path.name.removesuffix(".gz").removesuffix(".csv")


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise BarFileError(f"bar file {path} is missing; put it there or mend the name")
    try:
        frame = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise BarFileError(f"bar file {path} cannot be read as CSV: {error}; write it anew") from error
    if missing := [column for column in COLUMNS if column not in frame.columns]:
        raise BarFileError(f"bar file {path} has no column {missing[0]!r}; it needs {', '.join(COLUMNS)}")
    for column in NUMBERS:
        numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        _refuse(path, ~np.isfinite(numbers), f"has no number in column {column!r}", "fill or remove that line")
        frame[column] = numbers
    return frame


def _starts(path: Path, texts: "pd.Series[str]", seconds: int) -> np.ndarray:
    zoned = texts.astype(str).str.contains(r"(?:Z|[+-]\d\d:?\d\d)$")
    _refuse(path, ~zoned.to_numpy(), "has a time without zone", "write it like 2013-10-04T13:30:00Z")
    times = pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601")
    _refuse(path, times.isna().to_numpy(), "has a time that cannot be read", "write it like 2013-10-04T13:30:00Z")
    starts = times.dt.as_unit("ns").astype("int64").to_numpy()
    steps = np.diff(starts, prepend=starts[:1] - seconds * SECOND)
    _refuse(path, steps == 0, "repeats the time before it", "remove one of the two")
    _refuse(path, steps < 0, "is earlier than the line before it", "sort the file by timestamp")
    _refuse(path, steps < seconds * SECOND, f"begins less than {seconds} s after the bar before it", "mend the size")
    return starts


def _check_prices(path: Path, frame: pd.DataFrame) -> None:
    top, bottom = frame[["open", "close", "low"]].max(axis=1), frame[["open", "close", "high"]].min(axis=1)
    wrong = (frame["high"] < top) | (frame["low"] > bottom)
    _refuse(path, wrong.to_numpy(), "has a price outside its low and high", "mend or remove that line")
    _refuse(path, (frame["volume"] < 0).to_numpy(), "has a negative volume", "mend or remove that line")


def _refuse(path: Path, wrong: np.ndarray, fault: str, mend: str) -> None:
    """Name the first line for which `wrong` holds; line 1 is the header."""
    if wrong.any():
        raise BarFileError(f"bar file {path}, line {int(wrong.argmax()) + 2} {fault}; {mend}")
