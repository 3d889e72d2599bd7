"""`mats store rebuild`: every view follows from the fills, each difference is a line, and a repair leaves none."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from mats.cli.store import store as command
from mats.model.executions import AdjustmentRecorded
from mats.model.orders import OrderState, opening_view
from mats.model.timestamp import HOUR, SECOND
from mats.store.directory_lock import DataLock
from mats.store.journal.journal import Journal
from mats.store.rebuild.comparison import Difference
from mats.store.rebuild.contents import Contents
from mats.store.tables.connection import connect, lmdb_uri, symbols
from mats.store.tables.store import Store
from mats.store.views.view_writer import ViewWriter


@dataclass
class Data:
    """A data directory with a stored log, its views, and the journal of it."""

    folder: Path
    log: list
    store: Store

    @property
    def uri(self):
        return lmdb_uri(self.folder / "arctic")

    def rebuild(self, *options):
        """Exit code and lines of `mats store rebuild`."""
        config = self.folder.with_name("mats.toml")
        config.write_text("")
        ran = CliRunner().invoke(
            command, ["rebuild", "--config", str(config), "--data-dir", str(self.folder), *options]
        )
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran.exit_code, ran.stdout.splitlines()

    def change(self, library, symbol, at, **columns):
        """Falsify a stored row, as a bug or a hand would."""
        opened = connect(self.uri).get_library(library)
        item = opened.read(symbol)
        for name, value in columns.items():
            item.data.iloc[at, item.data.columns.get_loc(name)] = value
        opened.write(symbol, item.data, metadata=item.metadata)

    def lose(self, library, symbol, at):
        opened = connect(self.uri).get_library(library)
        item = opened.read(symbol)
        opened.write(symbol, item.data.drop(item.data.index[at]), metadata=item.metadata)


def a_log(make):
    """Two strategies with opposite sides of one symbol, commissions, a correction, a bust, an adjustment."""
    one, two, three, four = (make.execution(n) for n in range(1, 5))
    sold = msgspec.structs.replace(two, side="SELL", quantity=Decimal("40.5"))
    bust = msgspec.structs.replace(make.execution(4, 2), quantity=Decimal(0))
    return [
        make.fill(1, one), make.commission(2, one), make.fill(3, sold, "MEAN"), make.fill(4, three),
        make.correction(5, make.execution(1, 2), one), make.fill(6, four), make.correction(7, bust, four),
        make.commission(8, make.execution(1, 2), "1.75"),
        AdjustmentRecorded(
            seq=9, strategy="Discretionary", account="DU1", instrument="QQQ", quantity=Decimal(3), price=Decimal("9.5"),
            currency="USD", multiplier=Decimal(1), reason="transfer", recorded=make.opening + 9,
        ),
    ]  # fmt: skip


def store_all(folder, log, make):
    store, orders = Store(lmdb_uri(folder / "arctic")), Journal(folder / "journal.db")
    orders.append(log)
    derived = ViewWriter(store, "USD", orders.entries_of, b"")
    assert store.append_fills("DU1", log) == []
    assert derived.apply(log[:6], make.opening) + derived.on_books_reconciled(6, ("DU1",), make.opening + SECOND) == []
    derived.update_prices({"SPY": 451.25}, make.opening + SECOND)
    assert derived.apply(log[6:], make.opening + SECOND) == []
    filled = msgspec.structs.replace(
        opening_view(make.intent(1)), state=OrderState.FILLED, filled=Decimal(102), average_price=Decimal("450.10")
    )
    derived.update_order(filled)
    assert derived.commit(make.opening + HOUR) == []
    orders.close()
    return store


@pytest.fixture
def data(tmp_path, make):
    folder = tmp_path / "data"
    folder.mkdir()
    log = a_log(make)
    store = store_all(folder, log, make)
    yield Data(folder, log, store)
    store.close()


def test_what_was_just_stored_shows_no_difference(data):
    code, lines = data.rebuild("--check", "--journal")
    assert lines == ["9 entries, 18 rows of 6 views: no difference"]
    assert code == 0


TAMPERINGS = {
    "a wrong quantity": ("portfolio", "DU1", 0, {"quantity_exact": "7"}, "portfolio/DU1  TREND SPY  quantity_exact"),
    "a wrong cost": ("portfolio", "DU1", 1, {"cost_exact": "1"}, "portfolio/DU1  MEAN SPY  cost_exact"),
    "a wrong value": ("portfolio", "DU1", 0, {"unrealized_pnl": 1.0}, "portfolio/DU1  TREND SPY  unrealized_pnl"),
    "a wrong step": ("positions/TREND", "SPY", 0, {"realized_exact": "1"}, "positions/TREND/SPY  1  realized_exact"),
    "a wrong snapshot": ("portfolio_history", "DU1", 0, {"quantity_exact": "7"}, "portfolio_history/DU1  6"),
    "a wrong order": ("orders", "DU1", 0, {"filled": 5.0}, "orders/DU1  i1  filled"),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_each_falsified_value_is_one_line_and_is_repaired(data, kind):
    library, symbol, at, columns, expected = TAMPERINGS[kind]
    data.change(library, symbol, at, **columns)
    code, lines = data.rebuild("--check")
    assert code == 1
    assert len(lines) == 2
    assert lines[0].startswith(expected), lines[0]
    assert data.rebuild()[0] == 0
    assert data.rebuild("--check", "--journal")[0] == 0


@pytest.mark.parametrize(("library", "symbol"), [("portfolio", "DU1"), ("positions/TREND", "SPY")])
def test_a_lost_row_is_a_line_and_comes_back(data, library, symbol):
    before = connect(data.uri).get_library(library)
    frame = before.read(symbol).data
    data.lose(library, symbol, 0)
    code, lines = data.rebuild("--check")
    assert (code, len(lines)) == (1, 2)
    assert lines[0].endswith("row: stored missing, recomputed present")
    data.rebuild()
    repaired = connect(data.uri).get_library(library).read(symbol).data
    columns = [name for name in frame.columns if not name.startswith(("market", "unrealized", "marked"))]
    assert repaired[columns].reset_index(drop=True).equals(frame[columns].reset_index(drop=True))


def test_a_lost_fill_is_found_without_the_journal_and_repaired_from_it(data):
    data.lose("fills", "DU1", 1)
    code, lines = data.rebuild("--check")
    assert code == 1
    assert "fills  entry 3  seq: stored missing, recomputed 3" in lines
    code, lines = data.rebuild("--check", "--journal")
    assert "fills  entry 3  seq: stored missing, recomputed FillRecorded" in lines
    data.rebuild("--journal")
    assert data.rebuild("--check", "--journal") == (0, ["9 entries, 18 rows of 6 views: no difference"])
    assert Store(data.uri).fills_seq("DU1") == 9, "the writer goes on behind it"


def test_a_falsified_fill_differs_from_the_journal(data):
    data.change("fills", "DU1", 0, price_exact="1")
    lines = data.rebuild("--check", "--journal")[1]
    assert any(line.startswith("fills  entry 5  execution") for line in lines)


def test_beside_a_daemon_it_reads_and_does_not_write(data, monkeypatch):
    monkeypatch.setattr("mats.cli.store.PAUSE_SECONDS", 0.0)
    data.change("portfolio", "DU1", 0, quantity_exact="7")
    with DataLock(data.folder):
        code, lines = data.rebuild("--check")
        assert (code, len(lines)) == (1, 2)
        ran = CliRunner().invoke(command, ["rebuild", "--data-dir", str(data.folder)])
    assert "is in use by process" in str(ran.exception)
    assert data.rebuild("--check")[0] == 1, "no row was repaired meanwhile"


def test_a_difference_is_json_on_demand(data):
    data.change("portfolio", "DU1", 0, quantity_exact="7")
    lines = data.rebuild("--check", "--json")[1]
    assert msgspec.json.decode(lines[0], type=Difference).column == "quantity_exact"


def test_names_are_listed_without_a_write(data):
    library = connect(data.uri).get_library("portfolio")
    assert symbols(library) == ["DU1"] == sorted(library.list_symbols())


def test_a_missing_data_directory_is_one_sentence(tmp_path):
    ran = CliRunner().invoke(command, ["rebuild", "--check", "--data-dir", str(tmp_path / "nowhere")])
    assert "does not exist; name one that does" in str(ran.exception)


def test_a_store_of_another_version_is_refused_with_a_sentence(data):
    opened = connect(data.uri).get_library("portfolio")
    opened.write("DU1", opened.read("DU1").data.drop(columns=["marked_utc"]))
    with pytest.raises(Exception, match="another version of this program"):
        Contents(data.uri)
