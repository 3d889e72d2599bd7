"""Bar files: what is read, and what is refused in one sentence."""

import gzip
import os
from pathlib import Path

import pytest

from mats.data.files import BarFileError, bar_files, read_bars
from mats.model.market import Bar
from mats.model.timestamp import MINUTE, SECOND

HEADER = "timestamp,open,high,low,close,volume\n"
FIRST = "2023-11-14 22:15:00+00:00,10.0,11.0,9.5,10.5,300\n"
SECOND_LINE = "2023-11-14T22:16:00Z,10.5,10.5,10.5,10.5,0\n"
START = 1_700_000_100 * SECOND


def write(folder: Path, text: str) -> Path:
    path = folder / "SPY.csv"
    path.write_text(text)
    return path


def test_a_file_becomes_bars(tmp_path):
    bars = read_bars(write(tmp_path, HEADER + FIRST + SECOND_LINE), 60)
    assert bars == [
        Bar("SPY", START, 60, 10.0, 11.0, 9.5, 10.5, 300.0),
        Bar("SPY", START + MINUTE, 60, 10.5, 10.5, 10.5, 10.5, 0.0),
    ]
    assert isinstance(bars[0].start, int)


def test_a_gzipped_file_with_more_columns_and_another_name(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"timestamp,open,high,low,close,volume,bid\n" + FIRST.strip().encode() + b",1\n"))
    assert read_bars(path, 60, "IBM")[0].instrument == "IBM"
    assert read_bars(path, 60)[0].instrument == "x"


def test_the_files_of_a_folder_by_instrument(tmp_path):
    for name in ("SPY.csv.gz", "IBM.csv", "README.md"):
        (tmp_path / name).write_bytes(b"")
    assert {name: path.name for name, path in bar_files(tmp_path).items()} == {"IBM": "IBM.csv", "SPY": "SPY.csv.gz"}


def test_a_file_without_rows_has_no_bars(tmp_path):
    assert read_bars(write(tmp_path, HEADER), 60) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("timestamp,open,high,low,close\n", "has no column 'volume'"),
        ("", "cannot be read as CSV"),
        (HEADER + FIRST + FIRST, "line 3 repeats the time before it"),
        (HEADER + SECOND_LINE + FIRST, "line 3 is earlier than the line before it; sort"),
        (HEADER + FIRST + "2023-11-14T22:15:30Z,1,1,1,1,1\n", "line 3 begins less than 60 s after"),
        (HEADER + FIRST + "2023-11-14T22:16:00Z,1,1,,1,1\n", "line 3 has no number in column 'low'"),
        (HEADER + "2023-11-14T22:16:00Z,1,1,1,nan,1\n", "line 2 has no number in column 'close'"),
        (HEADER + "2023-11-14T22:16:00Z,1,inf,1,1,1\n", "line 2 has no number in column 'high'"),
        (HEADER + "2023-11-14T22:16:00Z,1,one,1,1,1\n", "line 2 has no number in column 'high'"),
        (HEADER + "2023-11-14 22:16:00,1,1,1,1,1\n", "line 2 has a time without zone"),
        (HEADER + "2023-13-14T22:16:00Z,1,1,1,1,1\n", "line 2 has a time that cannot be read"),
        (HEADER + "2023-11-14T22:16:00Z,1,2,1,3,1\n", "line 2 has a price outside its low and high"),
        (HEADER + "2023-11-14T22:16:00Z,1,1,1,1,-1\n", "line 2 has a negative volume"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(tmp_path, text, sentence):
    path = write(tmp_path, text)
    with pytest.raises(BarFileError, match=sentence) as caught:
        read_bars(path, 60)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BarFileError, match=r"NONE\.csv is missing"):
        read_bars(tmp_path / "NONE.csv", 60)


def test_real_minute_files_are_read_whole():
    data = Path(os.environ.get("MATS_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    folder = data / "bars_1min" / "us_2013-10"
    if not folder.is_dir():
        pytest.skip("no real market data here; set MATS_DATA to its folder")
    bars = {name: read_bars(path, 60) for name, path in bar_files(folder).items()}
    assert {name: len(found) for name, found in bars.items()} == {"AIG": 2558, "BAC": 3466, "IBM": 2566, "SPY": 4839}
    assert (bars["SPY"][0].close, bars["SPY"][0].volume) == (167.65, 20_000.0)
