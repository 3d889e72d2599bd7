"""Importing: each bar stored once however often it comes, splits and dividends beside them."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mats.data.download import columns_of
from mats.data.importer import import_file
from mats.errors import DataError
from mats.model.bar_columns import Dividend, Split
from mats.model.bar_sizes import size_name, size_seconds
from mats.model.market_data import Bar
from mats.model.timestamp import DAY
from mats.store.tables.bars import BarStore
from mats.store.tables.connection import lmdb_uri

FIRST = pd.Timestamp("2020-01-01", tz="UTC")


def write(path: Path, first: int, count: int, shift: float = 0.0, **columns: list[float]) -> Path:
    """Daily bars from day `first` of 2020 on."""
    index = pd.date_range(FIRST + pd.Timedelta(days=first), periods=count, freq="D", name="timestamp")
    prices = 100.0 + np.arange(first, first + count) + shift
    frame = pd.DataFrame(
        {"open": prices, "high": prices + 1, "low": prices - 1, "close": prices, "volume": 5.0, **columns}
    )
    frame.index = index
    frame.to_csv(path)
    return path


@pytest.fixture
def store(tmp_path: Path) -> BarStore:
    return BarStore(lmdb_uri(tmp_path / "arctic"))


def test_importing_again_changes_nothing_and_new_bars_are_added(store: BarStore, tmp_path: Path) -> None:
    path = tmp_path / "SPY.csv"
    assert import_file(store, write(path, 0, 10)).changed == 10
    library = store._arctic.get_library("bars/1d")
    version = library.read("SPY").version
    assert import_file(store, path).changed == 0
    assert library.read("SPY").version == version
    assert import_file(store, write(path, 10, 5)).changed == 5
    assert import_file(store, write(path, 0, 20)).changed == 5
    bars = store.read("SPY", 86_400)
    assert bars is not None
    assert bars.close.tolist() == [100.0 + n for n in range(20)]
    assert bars.spread is None


def test_a_corrected_and_an_earlier_bar_take_their_places(store: BarStore, tmp_path: Path) -> None:
    path = tmp_path / "SPY.csv"
    import_file(store, write(path, 5, 10))
    assert import_file(store, write(path, 7, 2, shift=0.5)).changed == 2
    assert import_file(store, write(path, 0, 3)).changed == 3
    bars = store.read("SPY", 86_400)
    assert bars is not None
    assert bars.close.tolist() == [100, 101, 102, 105, 106, 107.5, 108.5, *range(109, 115)]
    assert (np.diff(bars.start) > 0).all()


def test_live_bars_and_imported_ones_share_a_table(store: BarStore, tmp_path: Path) -> None:
    day = FIRST.as_unit("ns").value
    live = [Bar("SPY", day + n * DAY, 86_400, 1.0, 1.0, 1.0, 1.0, 7.0) for n in range(3)]
    assert store.write(columns_of("SPY", 86_400, live)) == 3
    assert import_file(store, write(tmp_path / "SPY.csv", 2, 3)).changed == 3
    newest = [Bar("SPY", day + 5 * DAY, 86_400, 2.0, 2.0, 2.0, 2.0, 7.0)]
    assert store.write(columns_of("SPY", 86_400, newest)) == 1
    bars = store.read("SPY", 86_400)
    assert bars is not None
    assert bars.close.tolist() == [1, 1, 102, 103, 104, 2]


def test_columns_and_a_file_beside_the_bars_tell_splits_and_dividends(store: BarStore, tmp_path: Path) -> None:
    path = write(tmp_path / "SPY.csv", 0, 4, split=[0, 7, 0, 1], dividend=[0, 0, 0.25, 0])
    (tmp_path / "SPY.actions.csv").write_text("time,kind,amount\n2020-01-03,dividend,0.3\n2020-01-04,dividend,0.4\n")
    assert import_file(store, path).actions == 3
    day = FIRST.as_unit("ns").value
    known = (
        Split(day + DAY, Decimal(7)),
        Dividend(day + 2 * DAY, Decimal("0.3"), "USD"),
        Dividend(day + 3 * DAY, Decimal("0.4"), "USD"),
    )
    assert store.actions("SPY") == known
    assert store.write_actions("SPY", known) == 0


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("2020-01-03,split,0", ("split of 0", "above 0")),
        ("2020-01-03,gift,1", ("action 'gift'", "split or dividend")),
        ("2020-01-03,split,x", ("split of x", "number")),
    ],
)
def test_an_action_that_makes_no_sense_is_refused(
    store: BarStore, tmp_path: Path, row: str, parts: tuple[str, ...]
) -> None:
    path = write(tmp_path / "SPY.csv", 0, 4)
    (tmp_path / "SPY.actions.csv").write_text(f"time,kind,value\n{row}\n")
    with pytest.raises(DataError, match="row 1") as refused:
        import_file(store, path)
    for part in parts:
        assert part in str(refused.value)
    assert store.contents() == []


def test_the_store_says_what_it_has(store: BarStore, tmp_path: Path) -> None:
    import_file(store, write(tmp_path / "SPY.csv", 0, 4))
    import_file(store, write(tmp_path / "IBM.csv", 0, 2), seconds=3_600)
    assert [(s.instrument, s.seconds, s.count) for s in store.contents()] == [("IBM", 3_600, 2), ("SPY", 86_400, 4)]
    assert store.contents()[1].last - store.contents()[1].first == 3 * DAY
    assert store.sizes("SPY") == [86_400]
    assert store.read("SPY", 60) is None


@pytest.mark.parametrize(("seconds", "name"), [(5, "5s"), (60, "1min"), (900, "15min"), (7_200, "2h"), (86_400, "1d")])
def test_sizes_have_names(seconds: int, name: str) -> None:
    assert size_name(seconds) == name
    assert size_seconds(name) == size_seconds(str(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "0", "1w", "-5", "1.5h"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="write 60"):
        size_seconds(text)
