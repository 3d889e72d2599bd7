"""Round trips on their way to the store: from the log by the fold, and again by a rebuild."""

from decimal import Decimal

import msgspec
import pytest

from mats.ledger.books.execution_order import book_key
from mats.model.orders import Side
from mats.model.timestamp import HOUR, MINUTE
from mats.store.rebuild.comparison import differences
from mats.store.rebuild.contents import Contents
from mats.store.rebuild.recompute_views import recompute
from mats.store.tables.connection import connect, lmdb_uri
from mats.store.tables.reader import Reader
from mats.store.tables.store import Store
from mats.store.views.view_writer import ViewWriter


class Shop:
    """A store that is fed entries of a log, and may lose its process in between."""

    matching = "fifo"

    def __init__(self, folder):
        self.uri, self.log, self.saved = lmdb_uri(folder / "arctic"), [], b""
        self.start()

    def start(self):
        self.store = Store(self.uri)
        self.derived = ViewWriter(self.store, "USD", self.past, self.saved, self.matching)

    def past(self, account, strategy, instrument, after=0):
        key = account, strategy, instrument
        return [entry for entry in self.log if book_key(entry) == key and entry.seq > after]

    def book(self, *entries):
        self.log += entries
        self.feed()

    def feed(self):
        fresh = [entry for entry in self.log if entry.seq > self.derived.seq]
        assert self.store.append_fills("DU1", fresh) == []
        assert self.derived.apply(fresh, HOUR) + self.derived.commit(HOUR) == []

    def crash(self):
        """What was folded since the last snapshot is folded again, over rows that are stored already."""
        self.start()
        self.feed()

    @property
    def trades(self):
        return Reader(self.uri).trades("DU1")

    def complaints(self):
        contents = Contents(self.uri)
        expected = recompute(contents.entries, contents.views, matching=self.matching)
        return [str(found) for found in differences(contents.views, expected)]


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    yield made
    made.store.close()


def sold(make, n, quantity="101", revision=1):
    bought = make.execution(n, revision)
    return msgspec.structs.replace(bought, side=Side.SELL, quantity=Decimal(quantity), price=Decimal(460))


def test_trades_follow_fills_commissions_and_corrections_row_by_row(shop, make):
    one, two = make.execution(1), make.execution(2)
    shop.book(make.fill(1, one), make.fill(2, two), make.fill(3, sold(make, 3, "150")))
    assert shop.trades["trade_id"].tolist() == ["0000.000001/0000.000003", "0000.000002/0000.000003"]
    assert shop.trades["gross_pnl"].tolist() == [999.9, 485.1]
    assert shop.trades["net_pnl"].isna().all()
    shop.book(make.commission(4, one, "1.01"), make.commission(5, two, "2.02"))
    shop.book(make.commission(6, sold(make, 3, "150"), "3"))
    assert shop.trades["net_pnl_exact"].tolist() == ["996.870000000000", "483.140000000000"]
    shop.book(make.correction(7, msgspec.structs.replace(make.execution(2, 2), quantity=Decimal(0)), two))
    assert shop.trades["trade_id"].tolist() == ["0000.000001/0000.000003"]
    again = make.commission(8, one, "2.01")
    shop.book(msgspec.structs.replace(again, previous=make.commission(4, one, "1.01").commission))
    assert shop.trades["commissions_exact"].tolist() == ["4.030000000000 USD"]
    assert shop.complaints() == []


def test_a_crash_between_two_snapshots_doubles_no_trade(shop, make):
    shop.book(make.fill(1, make.execution(1)), make.fill(2, sold(make, 2, "50")))
    shop.saved = shop.derived.save()
    shop.book(make.fill(3, sold(make, 3, "51")), make.commission(4, make.execution(1)), make.fill(5, make.execution(5)))
    before = shop.trades
    shop.crash()
    assert len(before) == 2
    assert shop.trades.equals(before)
    shop.book(make.fill(6, sold(make, 6)))
    assert len(shop.trades) == 3
    assert shop.complaints() == []


def test_a_late_fill_that_closes_another_lot_moves_the_rows(shop, make):
    early = make.execution(1, time=make.opening - MINUTE)
    shop.book(make.fill(1, make.execution(2)), make.fill(2, sold(make, 3)))
    assert shop.trades["transaction_id"].tolist() == ["0000.000002"]
    shop.book(make.fill(3, early))
    assert shop.trades["transaction_id"].tolist() == ["0000.000001"]
    assert shop.trades["held_seconds"].tolist() == [63.0]
    assert shop.complaints() == []


def test_a_falsified_or_lost_trade_is_found(shop, make):
    shop.book(make.fill(1, make.execution(1)), make.fill(2, sold(make, 2, "50")), make.fill(3, sold(make, 3, "51")))
    library = connect(shop.uri).get_library("trades")
    stored = library.read("DU1")
    stored.data.iloc[0, stored.data.columns.get_loc("gross_pnl_exact")] = "1"
    library.write("DU1", stored.data.iloc[:1], metadata=stored.metadata)
    lost, changed = sorted(shop.complaints(), key=len)
    assert changed.startswith("trades/DU1  0000.000001/0000.000002  gross_pnl_exact: stored 1, recomputed 495.00")
    assert lost == "trades/DU1  0000.000001/0000.000003  row: stored missing, recomputed present"


def test_another_matching_folds_all_stored_trades_anew_and_goes_on_with_it(shop, make):
    shop.book(make.fill(1, make.execution(1)), make.fill(2, make.execution(2)), make.fill(3, sold(make, 3, "150")))
    shop.saved = shop.derived.save()
    shop.matching = "lifo"
    assert shop.complaints() != []
    shop.crash()
    assert shop.trades["trade_id"].tolist() == ["0000.000001/0000.000003", "0000.000002/0000.000003"]
    assert shop.trades["quantity"].tolist() == [49.0, 101.0]
    assert shop.complaints() == []
    shop.saved = shop.derived.save()
    shop.book(make.fill(4, make.execution(4)), make.fill(5, sold(make, 5, "50")))
    assert shop.trades["transaction_id"].tolist()[-1] == "0000.000004"
    assert shop.complaints() == []
    shop.matching = "fifo"
    shop.crash()
    assert shop.trades["quantity"].tolist() == [101.0, 49.0, 50.0]
    assert shop.complaints() == []


def test_another_matching_is_refused_in_one_sentence_where_the_past_is_not_whole(shop, make):
    shop.book(make.fill(1, make.execution(1)), make.fill(2, make.execution(2)), make.fill(3, sold(make, 3, "150")))
    shop.saved = shop.derived.save()
    shop.matching, shop.log = "lifo", shop.log[1:]
    with pytest.raises(
        ValueError, match=r"2 of the 3 entries of DU1/TREND/SPY are available.*portfolio.matching back to fifo"
    ):
        shop.start()
