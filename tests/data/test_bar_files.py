"""Bar files of any origin: columns and zones are detected, every defect has its sentence."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mats.data.bar_files import find_bar_files, read_table
from mats.data.quality import checked_bars, clean
from mats.errors import DataError
from mats.model.timestamp import HOUR, MINUTE, SECOND

NINE_THIRTY = 1_380_893_400 * SECOND
"""2013-10-04T13:30:00Z, the opening in New York."""


def write(path: Path, *rows: str, header: str = "timestamp,open,high,low,close,volume") -> Path:
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def minutes(*times: str) -> list[str]:
    return [f"{time},10,11,9,10.5,100" for time in times]


@pytest.mark.parametrize(
    ("times", "zone"),
    [
        (("2013-10-04T13:30:00Z", "2013-10-04T13:31:00Z"), None),
        (("2013-10-04 13:30:00+00:00", "2013-10-04 13:31:00+00:00"), None),
        (("2013-10-04T09:30:00-04:00", "2013-10-04T09:31:00-04:00"), "Europe/Berlin"),
        (("2013-10-04 09:30:00", "2013-10-04 09:31:00"), "America/New_York"),
        (("2013-10-04 13:30", "2013-10-04 13:31"), "UTC"),
        (("1380893400", "1380893460"), None),
        (("1380893400000", "1380893460000"), None),
        (("1380893400000000", "1380893460000000"), None),
        (("1380893400000000000", "1380893460000000000"), None),
    ],
)
def test_times_in_every_usual_form_are_the_same_instants(tmp_path: Path, times: tuple[str, str], zone: str) -> None:
    table = read_table(write(tmp_path / "SPY.csv", *minutes(*times)), zone=zone)
    assert table.start.tolist() == [NINE_THIRTY, NINE_THIRTY + 60 * SECOND]
    assert (table.instrument, table.seconds) == ("SPY", 60)


@pytest.mark.parametrize(
    "times",
    [
        ("2013-10-04", "2013-10-05"),
        ("20131004", "20131005"),
        ("2013-10-04 00:00:00-04:00", "2013-10-05 00:00:00-04:00"),
    ],
)
def test_dates_are_days_of_utc_without_a_zone(tmp_path: Path, times: tuple[str, str]) -> None:
    table = read_table(write(tmp_path / "SPY.csv", *minutes(*times)))
    assert pd.to_datetime(table.start, utc=True).strftime("%F %T").tolist() == [
        "2013-10-04 00:00:00",
        "2013-10-05 00:00:00",
    ]
    assert table.seconds == 86_400


def test_columns_go_by_their_common_names_in_any_case_and_order(tmp_path: Path) -> None:
    path = write(
        tmp_path / "EURUSD.csv",
        "9,10,8,9.5,20131004,13:30:00,9.4,9.7",
        "9,10,8,9.5,20131004,13:31:00,9.4,9.7",
        header="Open,HIGH,l,Last,Date,Time,Bid,Ask",
    )
    bars = checked_bars(read_table(path, zone="UTC"))
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0], bars.volume[0]) == (9, 10, 8, 9.5, 0)
    assert bars.start[0] == NINE_THIRTY
    assert bars.spread is not None
    assert bars.spread.tolist() == pytest.approx([0.3, 0.3])


def test_parquet_with_a_time_index_and_csv_of_the_same_bars_are_equal(tmp_path: Path) -> None:
    index = pd.date_range("2013-10-04 13:30", periods=5, freq="min", tz="America/New_York", name="when")
    frame = pd.DataFrame({"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 7}, index=index)
    frame.to_parquet(tmp_path / "SPY.parquet")
    frame.to_csv(tmp_path / "SPY.csv.gz", index_label="timestamp")
    tables = [checked_bars(read_table(tmp_path / name)) for name in ("SPY.parquet", "SPY.csv.gz")]
    assert tables[0].fingerprint() == tables[1].fingerprint()


def test_parquet_with_dates_and_without_a_zone_is_read(tmp_path: Path) -> None:
    days = [date(2013, 10, 4), date(2013, 10, 7)]
    prices = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5}
    pd.DataFrame({"date": days, **prices}).to_parquet(tmp_path / "SPY.parquet")
    assert read_table(tmp_path / "SPY.parquet", seconds=86_400).start[0] == NINE_THIRTY - 13 * HOUR - 30 * MINUTE
    naive = pd.to_datetime(["2013-10-04 09:30", "2013-10-04 09:31"])
    pd.DataFrame({"time": naive, **prices}).to_parquet(tmp_path / "SPY.parquet")
    assert read_table(tmp_path / "SPY.parquet", zone="America/New_York").start[0] == NINE_THIRTY
    with pytest.raises(DataError, match=r"times without zone .*--zone"):
        read_table(tmp_path / "SPY.parquet")


def test_times_of_ends_are_moved_to_the_starts(tmp_path: Path) -> None:
    path = write(tmp_path / "SPY.csv", *minutes("2013-10-04T13:31:00Z", "2013-10-04T13:32:00Z"))
    assert read_table(path, stamp="end").start.tolist()[0] == NINE_THIRTY


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (minutes("2013-10-04 13:30", "2013-10-04 13:31"), ("row 1", "without zone", "--zone")),
        (minutes("2013-10-04T13:30:00Z", "yesterday"), ("row 2", "cannot be read (yesterday)", "13:30:00Z")),
        (minutes("2013-10-04T13:30:00Z", "2013-10-04 13:31"), ("row 2", "without zone")),
        (minutes("2013-10-04T13:30:00Z"), ("bar size cannot be detected", "--seconds")),
        ([], ("no bars",)),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_in_one_sentence(
    tmp_path: Path, rows: list[str], parts: tuple[str, ...]
) -> None:
    path = write(tmp_path / "SPY.csv", *rows)
    with pytest.raises(DataError) as refused:
        read_table(path)
    assert str(path) in str(refused.value)
    for part in parts:
        assert part in str(refused.value)


def test_a_time_that_its_zone_never_had_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "SPY.csv", *minutes("2014-03-09 02:29", "2014-03-09 02:30"))
    with pytest.raises(DataError, match="cannot be read in zone 'America/New_York'"):
        read_table(path, zone="America/New_York")
    with pytest.raises(DataError, match="cannot be read in zone 'Mars/Olympus'"):
        read_table(path, zone="Mars/Olympus")


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "SPY.csv", "1,2", header="timestamp,bid")
    with pytest.raises(DataError, match=r"no column for open \(it has timestamp, bid\)"):
        read_table(path)


GOOD = "10,11,9,10.5,100"
FAULTS = {
    "no number": (f"13:30,{GOOD}", "13:31,10,,9,10.5,100"),
    "negative price": (f"13:30,{GOOD}", "13:31,10,11,-9,10.5,100"),
    "price of zero": (f"13:30,{GOOD}", "13:31,10,11,0,10.5,100"),
    "high below low": (f"13:30,{GOOD}", "13:31,10,8,9,10.5,100"),
    "price outside its low and high": (f"13:30,{GOOD}", "13:31,12,11,9,10.5,100"),
    "negative volume": (f"13:30,{GOOD}", "13:31,10,11,9,10.5,-1"),
    "repeated time": (f"13:30,{GOOD}", f"13:30,{GOOD}"),
    "time before the row above": (f"13:30,{GOOD}", f"13:29,{GOOD}"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_backtest_refuses_each_fault_and_names_row_and_time(tmp_path: Path, fault: str) -> None:
    rows = [f"2013-10-04T{row[:5]}:00Z{row[5:]}" for row in FAULTS[fault]]
    table = read_table(write(tmp_path / "SPY.csv", *rows), seconds=60)
    with pytest.raises(DataError) as refused:
        checked_bars(table)
    for part in (str(tmp_path / "SPY.csv"), "row 2", "2013-10-04T13:", "SPY", fault, "mats data import"):
        assert part in str(refused.value)


def test_an_import_keeps_what_are_bars_sorts_them_and_reports_the_rest(tmp_path: Path) -> None:
    rows = [
        "13:32,10,11,9,10.5,1",
        "13:30,10,11,9,10.5,2",
        "13:31,10,11,9,,3",
        "13:30,10,11,9,10.6,4",
        "13:35,0,1,0,1,5",
        "13:40,10,9,11,10,6",
        "13:38,10,11,9,10,7",
    ]
    table = read_table(write(tmp_path / "SPY.csv", *(f"2013-10-04T{r[:5]}:00Z{r[5:]}" for r in rows)), seconds=60)
    bars, findings = clean(table)
    assert bars.volume.tolist() == [4, 1, 7]
    assert np.diff(bars.start).min() >= 60 * SECOND
    assert {name: (fault.count, fault.row) for name, fault in findings.faults.items()} == {
        "no number": (1, 3),
        "price of zero": (1, 5),
        "high below low": (1, 6),
        "time before the row above": (3, 2),
    }
    assert (findings.rows, findings.gaps) == (7, 2)
    assert findings.longest[0].before - findings.longest[0].after == 5 * 60 * SECOND


def test_bars_that_overlap_are_no_bars_of_that_size(tmp_path: Path) -> None:
    path = write(tmp_path / "SPY.csv", *minutes("2013-10-04T13:30:00Z", "2013-10-04T13:31:00Z"))
    with pytest.raises(DataError, match="begins within the 300 s of the one before; give the right --seconds"):
        clean(read_table(path, seconds=300))


def test_files_are_found_by_instrument_and_two_of_one_are_refused(tmp_path: Path) -> None:
    for name in ("SPY.csv", "IBM.parquet", "SPY.actions.csv", "notes.txt"):
        (tmp_path / name).touch()
    assert list(find_bar_files(tmp_path)) == ["IBM", "SPY"]
    (tmp_path / "SPY.csv.gz").touch()
    with pytest.raises(DataError, match="are both bars of SPY"):
        find_bar_files(tmp_path)
    for path, text in ((tmp_path / "no", "does not exist"), (tmp_path / "notes.txt", "convert it")):
        with pytest.raises(DataError, match=text):
            find_bar_files(path)
