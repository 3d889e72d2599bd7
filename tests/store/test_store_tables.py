"""Orders, portfolio, positions, bars, equity, strategies, backtests: what is written is what people read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import msgspec
import pandas as pd
import pytest
from arcticdb.exceptions import NoDataFoundException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mats.data.download import columns_of
from mats.ledger.books.trade_record import Trade
from mats.model.broker_reports import AccountValue
from mats.model.market_data import Bar
from mats.model.orders import OrderState, OrderTicket, OrderView, Side
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import MINUTE, SECOND
from mats.store.tables import schemas
from mats.store.tables.bars import BarStore
from mats.store.tables.connection import connect
from mats.store.tables.reader import ATTEMPTS, Reader
from mats.store.tables.rows import PositionRow
from mats.store.tables.snapshot_policy import SnapshotInfo
from mats.store.tables.store import Store

FRESH = count()
PROPERTY = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def store(store_uri):
    return Store(store_uri)


@pytest.fixture
def reader(store_uri):
    return Reader(store_uri)


def view(make, n, state=OrderState.SENT, filled=0, updated=0):
    return OrderView(
        intent_id=f"i{n}", strategy="TREND", account="DU1", instrument="SPY", side=Side.BUY, quantity=Decimal(10),
        ticket=OrderTicket(), state=state, filled=Decimal(filled), created=make.opening + n // 3 * SECOND,
        updated=make.opening + updated, order_id=n,
    )  # fmt: skip


def position(make, strategy="TREND", instrument="SPY", quantity="10", seq=1, **more):
    return PositionRow(
        account="DU1", strategy=strategy, instrument=instrument, quantity=Decimal(quantity), currency="USD",
        average_cost=Decimal("450.5"), time=make.opening + seq, fills_seq=seq, **more,
    )  # fmt: skip


def versions(store_uri, library, symbol):
    return len(connect(store_uri).get_library(library).list_versions(symbol))


@PROPERTY
@given(st.data())
def test_orders_hold_the_latest_view_of_each_at_the_place_of_its_creation(store_uri, make, monkeypatch, data):
    monkeypatch.setattr(schemas, "ORDERS", msgspec.structs.replace(schemas.ORDERS, cached=4))
    account, store, oracle = f"O{next(FRESH)}", Store(store_uri), {}
    for batch in data.draw(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=6), min_size=1, max_size=8)):
        views = [view(make, n, data.draw(st.sampled_from(OrderState)), updated=len(oracle)) for n in batch]
        assert store.upsert_orders(account, views) == []
        oracle |= {v.intent_id: v for v in views}
        if data.draw(st.booleans()):
            store = Store(store_uri)
    frame = Reader(store_uri).orders(account)
    assert dict(zip(frame["intent_id"], frame["status"], strict=True)) == {k: v.state.value for k, v in oracle.items()}
    assert len(frame) == len(oracle)
    assert frame.index.is_monotonic_increasing
    assert frame.index.is_unique
    assert (frame["submitted_utc"] == frame.index.floor("s").tz_localize(None)).all()


def test_many_changes_of_orders_are_one_commit_and_no_change_is_none(store, store_uri, account, make):
    store.upsert_orders(account, [view(make, n) for n in range(1, 60)])
    changes = [view(make, n, OrderState.FILLED, 10, 5) for n in range(1, 60, 3)]
    store.upsert_orders(account, changes)
    store.upsert_orders(account, changes)
    assert versions(store_uri, "orders", account) == 2


def test_an_order_says_how_it_is_filled(store, reader, account, make):
    store.upsert_orders(account, [view(make, 1), view(make, 2, OrderState.WORKING, 4)])
    first, second = reader.orders(account).itertuples()
    assert pd.isna(first.avg_fill_price), "no fill has no average price"
    assert (second.filled, second.remaining, second.order_ref) == (4.0, 6.0, "TREND:i2")


@PROPERTY
@given(st.data())
def test_the_portfolio_holds_what_is_held_and_nothing_else(store_uri, make, data):
    account, store, oracle = f"P{next(FRESH)}", Store(store_uri), {}
    change = st.tuples(st.sampled_from("ABC"), st.sampled_from(["SPY", "QQQ", "EURUSD"]), st.integers(-2, 2))
    for seq, batch in enumerate(data.draw(st.lists(st.lists(change, min_size=1, max_size=5), min_size=1, max_size=8))):
        rows = [position(make, strategy, instrument, str(q), seq) for strategy, instrument, q in batch]
        assert store.upsert_portfolio(account, rows) == []
        oracle |= {(s, i): q for s, i, q in batch}
        if data.draw(st.booleans()):
            store = Store(store_uri)
    frame = Reader(store_uri).portfolio(account)
    held = {key: quantity for key, quantity in oracle.items() if quantity}
    found = {(row.strategy, row.symbol): row.quantity for row in frame.itertuples()}
    assert found == held
    assert len(frame) == len(held)


def test_a_held_position_keeps_its_index_and_its_type(store, reader, account, make):
    store.upsert_portfolio(account, [position(make, seq=1), position(make, instrument="EURUSD", seq=1)])
    before = reader.portfolio(account).index
    store.upsert_portfolio(account, [position(make, quantity="-3", seq=9 * SECOND)])
    after = reader.portfolio(account)
    assert after.index.equals(before)
    assert after["sec_type"].tolist() == ["STK", "CASH"]
    assert after["quantity"].tolist() == [-3.0, 10.0]


def test_a_portfolio_may_be_emptied_and_filled_again(store, store_uri, reader, account, make):
    store.upsert_portfolio(account, [position(make, seq=1)])
    store.upsert_portfolio(account, [position(make, quantity="0", seq=2)])
    assert len(reader.portfolio(account)) == 0
    Store(store_uri).upsert_portfolio(account, [position(make, quantity="5", seq=3)])
    assert reader.portfolio(account)["quantity"].tolist() == [5.0]


def test_a_snapshot_of_the_portfolio_is_one_stretch_of_rows(store, store_uri, reader, account, make):
    rows = [position(make, instrument=name) for name in ("SPY", "QQQ", "IWM")]
    first, second = SnapshotInfo(make.opening, 1, 0), SnapshotInfo(make.opening + 1, 2, 2)
    for kept in (first, first, second):
        store.append_portfolio_history(account, rows, kept, "hourly")
    history = reader.portfolio_history(account)
    assert history.index.asi8.tolist() == list(range(make.opening, make.opening + 6)), "one sent twice is stored once"
    assert history["snapshot_seq"].tolist() == [1, 1, 1, 2, 2, 2]
    assert Store(store_uri).last_snapshot(account) == second


def test_the_last_row_of_a_position_is_the_position_now(store, reader, make):
    rows = [position(make, "BRK.B", seq=1), position(make, "BRK.B", "QQQ", seq=2)]
    store.append_positions("BRK.B", rows)
    store.append_positions("BRK.B", [*rows, position(make, "BRK.B", quantity="0", seq=3)])
    now = reader.positions("BRK.B")
    assert dict(zip(now["symbol"], now["quantity"], strict=True)) == {"SPY": 0.0, "QQQ": 10.0}
    assert reader.position_history("BRK.B", "SPY")["fills_seq"].tolist() == [1, 3], "a repeated row is not stored again"


def test_two_strategies_that_would_share_a_library_are_refused(store, make):
    store.append_positions("SAME.NAME", [position(make, "SAME.NAME")])
    with pytest.raises(ValueError, match="would share the library"):
        store.append_positions("same_name", [position(make, "same_name")])


def test_an_instrument_that_cannot_be_a_symbol_is_a_reject(store, reader, make):
    rows = [position(make, "REJECT", "a*b"), position(make, "REJECT", "SPY")]
    (reject,) = store.append_positions("REJECT", rows)
    assert "cannot be a symbol" in reject.reason
    assert len(reader.positions("REJECT")) == 1


def trade(make, number, minutes=1, **changes):
    bought = Trade(
        account="DU1", strategy="TREND", instrument="SPY", currency="USD", multiplier=Decimal(1), side=Side.BUY,
        quantity=Decimal(10), entry_id=f"e{number}", entry_time=make.opening, entry_price=Decimal(100),
        entry_intent="i1", exit_id=f"x{number}", exit_time=make.opening + minutes * MINUTE, exit_price=Decimal(101),
        exit_intent="i2", commissions={"USD": Decimal("2.5")},
    )  # fmt: skip
    return msgspec.structs.replace(bought, **changes)


def changed(store, account, *trades):
    return store.change_trades(account, [(trade.id, trade.exit_time, trade) for trade in trades])


def test_a_round_trip_is_stored_once_with_both_causes_and_its_result(store, reader, account, make):
    for _ in range(2):
        assert changed(store, account, trade(make, 1), trade(make, 2, rate=Decimal("0.9"))) == []
    stored = reader.trades(account)
    assert stored["net_pnl"].tolist() == [7.5, 7.5]
    assert stored[["open_intent", "close_intent", "held_seconds"]].to_numpy().tolist() == [["i1", "i2", 60.0]] * 2
    assert stored["net_base_exact"].tolist() == [None, "9.000000000000"]


def test_a_round_trip_whose_commission_is_missing_has_no_net_result(store, reader, account, make):
    changed(store, account, trade(make, 1, uncharged=("x1",)))
    changed(store, account, trade(make, 2, commissions={"USD": Decimal(1), "EUR": Decimal(2)}))
    stored = reader.trades(account)
    assert stored["gross_pnl"].tolist() == [10, 10]
    assert stored[["net_pnl", "commission"]].isna().all(axis=None)
    assert stored["commissions_exact"].tolist() == ["2.5 USD", "2 EUR 1 USD"]


def test_a_correction_changes_and_removes_exactly_its_own_round_trips(store_uri, reader, account, make):
    """Far enough back that the writer has to read the rows again."""
    changed(Store(store_uri), account, *(trade(make, n, n) for n in range(1, 5_001)))
    store = Store(store_uri)
    before = reader.trades(account)
    moved = trade(make, 7, 9_000)
    store.change_trades(
        account,
        [
            ("e3/x3", trade(make, 3, 3).exit_time, trade(make, 3, 3, exit_price=Decimal(102))),
            ("e5/x5", trade(make, 5, 5).exit_time, None),
            ("e7/x7", trade(make, 7, 7).exit_time, None),
            ("e7/x7", moved.exit_time, moved),
        ],
    )
    after = reader.trades(account)
    assert after.loc[after["trade_id"] == "e3/x3", "gross_pnl"].tolist() == [20]
    assert after["trade_id"].tolist()[-1] == "e7/x7"
    assert sorted(set(before["trade_id"]) - set(after["trade_id"])) == ["e5/x5"]
    untouched = ~before["trade_id"].isin(["e3/x3", "e5/x5", "e7/x7"])
    assert before[untouched].equals(after[after["trade_id"].isin(before[untouched]["trade_id"])])


def bars(make, first, last, close=1.0):
    return [Bar("SPY", make.opening + n * MINUTE, 60, 1.0, 2.0, 0.5, close, 10.0) for n in range(first, last)]


def write_bars(uri, bars, seconds=60):
    return BarStore(uri).write(columns_of("SPY", seconds, bars))


def test_bars_append_and_overlaps_replace(store_uri, reader, make):
    assert write_bars(store_uri, bars(make, 100, 400)) == 300
    assert write_bars(store_uri, bars(make, 399, 500, close=2.0)) == 101
    assert write_bars(store_uri, bars(make, 0, 150, close=3.0)) == 150
    frame = reader.bars("1min", "SPY")
    assert frame.index.asi8.tolist() == [make.opening + n * MINUTE for n in range(500)]
    assert frame["close"].tolist() == [3.0] * 150 + [1.0] * 249 + [2.0] * 101
    assert versions(store_uri, "bars/1min", "SPY") == 1


def test_a_reader_reads_a_span(store_uri, reader, make):
    write_bars(store_uri, bars(make, 0, 10), seconds=300)
    start = datetime.fromtimestamp(make.opening // SECOND, tz=UTC)
    assert len(reader.bars("5min", "SPY", (start + timedelta(minutes=2), start + timedelta(minutes=4)))) == 3
    assert len(reader.bars("5min", "SPY", (start + timedelta(minutes=7), None))) == 3


def test_explicit_equity_is_exact_and_absent_until_given(store, store_uri, account, make):
    assert store.strategy_equity(account, "TREND") is None
    store.append_strategy_equity(account, "TREND", Decimal("100000.10"), "USD", make.opening)
    store.append_strategy_equity(account, "TREND", Decimal("200000.20"), "USD", make.opening + SECOND)
    assert Store(store_uri).strategy_equity(account, "TREND") == Decimal("200000.20")
    assert store.strategy_equity(account, "OTHER") is None


def test_an_account_summary_is_one_wide_row_with_unknown_left_unknown(store, reader, account, make):
    values = [
        AccountValue(account=account, tag="NetLiquidation", value="1000000.25", currency="USD"),
        AccountValue(account=account, tag="NetLiquidation", value="7", currency="EUR"),
        AccountValue(account=account, tag="Cushion", value="0.9", currency=""),
        AccountValue(account=account, tag="SomethingNew", value="text", currency="USD"),
    ]
    assert store.append_account_summary(account, values, "USD", make.opening) == []
    (row,) = reader.account_summary(account).itertuples()
    assert (row.net_liquidation, row.cushion, row.currency) == (1000000.25, 0.9, "USD")
    assert pd.isna(row.buying_power)


def test_an_account_value_that_is_no_number_is_a_reject(store, account, make):
    values = [AccountValue(account=account, tag="NetLiquidation", value="n/a", currency="USD")]
    assert len(store.append_account_summary(account, values, "USD", make.opening)) == 1


def test_an_account_cannot_take_the_name_of_a_library(store):
    with pytest.raises(ValueError, match="has the name of a library"):
        store.strategy_equity("fills", "TREND")


def test_strategies_are_seeded_once_and_changed_by_name(tmp_path, make):
    uri = f"lmdb://{tmp_path}/own"
    trend = StrategyRecord(name="TREND", file="trend.py", class_name="Trend", params={"n": 20}, target_weight=0.5)
    mean = StrategyRecord(name="MEAN", file="mean.py", class_name="Mean")
    store = Store(uri)
    store.seed_strategies([trend, mean], make.opening)
    changed = msgspec.structs.replace(trend, target_weight=0.1, active=False)
    store.write_strategies([changed], make.opening + SECOND)
    again = Store(uri)
    again.seed_strategies([trend, mean], make.opening + 2 * SECOND)
    assert again.read_strategies() == [changed, mean]
    assert Reader(uri).strategies()["class"].tolist() == ["Trend", "Mean"]
    with pytest.raises(ValueError, match="would share the library"):
        again.write_strategies([msgspec.structs.replace(trend, name="trend")], make.opening)


def test_a_strategy_table_of_an_earlier_version_is_read_as_it_is_and_gets_its_columns_with_a_change(tmp_path, make):
    uri = f"lmdb://{tmp_path}/own"
    trend = StrategyRecord(name="TREND", file="trend.py", class_name="Trend")
    Store(uri).seed_strategies([trend], make.opening)
    library = connect(uri).get_library("general")
    stored = library.read("strategies")
    library.write("strategies", stored.data.drop(columns=list(schemas.STRATEGIES.added)), metadata=stored.metadata)
    store = Store(uri)
    assert store.read_strategies() == [trend]
    mean = StrategyRecord(name="MEAN", file="mean.py", class_name="Mean", process="pair", memory_mb=100)
    store.write_strategies([mean], make.opening + SECOND)
    store.write_strategies([msgspec.structs.replace(trend, host="thread")], make.opening + 2 * SECOND)
    assert Store(uri).read_strategies() == [msgspec.structs.replace(trend, host="thread"), mean]
    assert list(Reader(uri).strategies().columns) == list(schemas.STRATEGIES.columns)


def test_a_table_that_does_not_exist_is_empty(reader):
    assert reader.fills("NOBODY").empty
    assert reader.bars("7min", "SPY").empty
    assert reader.positions("NOBODY").empty


def test_a_reader_tries_again_when_a_version_vanishes_and_gives_up_in_the_end(store, store_uri, account, make):
    store.append_fills(account, [make.fill(1, make.execution(1))])
    pauses = []
    reader = Reader(store_uri, pause=pauses.append)
    failures = iter([NoDataFoundException("gone"), NoDataFoundException("gone")])
    read = reader._read

    def sometimes(*arguments):
        for failure in failures:
            raise failure
        return read(*arguments)

    reader._read = sometimes
    assert len(reader.fills(account)) == 1
    assert pauses == [0.02, 0.02]
    failures = iter([NoDataFoundException("gone")] * ATTEMPTS)
    with pytest.raises(NoDataFoundException):
        reader.fills(account)


def test_two_stores_of_one_process_share_one_connection(store_uri):
    assert connect(store_uri) is connect(store_uri)
