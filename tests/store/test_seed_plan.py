"""The plan of tests for persistence, on the real store: fill log, portfolio manager and persistence writer as they run.

Out-of-order partials, short to flat to long, opposite strategies on one symbol, residuals to the last digit, status
corrections as updates, and a start from nothing. Every test ends with a rebuild that finds no difference.
"""

from decimal import Decimal
from functools import partial

import pytest
from msgspec.structs import replace

from actors.base.refs import Refs
from actors.ib_connection import Timing
from actors.messages.broker import PositionsTaken, Ready
from actors.messages.fill_log import EpochOpened, OpenEpoch, ReportExecutions
from actors.messages.market_data import PriceMarked
from actors.messages.order_manager import OrderChanged
from actors.tree import DaemonPlan, build, ib_connection
from mats.instruments import parse_instrument
from mats.model.broker_reports import BrokerPosition, BrokerSnapshot
from mats.model.executions import Commission, Execution
from mats.model.orders import OrderIntent, OrderState, OrderTicket, Side, opening_view
from mats.model.timestamp import SECOND
from mats.risk import Limits
from mats.runtime import Actor, VirtualRuntime
from mats.store.journal.journal import Journal
from mats.store.rebuild.comparison import differences, journal_differences, missing_entries
from mats.store.rebuild.contents import Contents
from mats.store.rebuild.recompute_views import recompute
from mats.store.tables.connection import connect, lmdb_uri
from mats.store.tables.reader import Reader

START = 1_700_000_100 * SECOND
CONNECTION = "brokers/ib-0"
ACCOUNT = "DU1"


class Line(Actor):
    """A connection that sees everything and answers nothing."""

    def on_receive(self, message):
        return None


class World:
    """The three actors between the broker's facts and the tables; everybody else is a probe."""

    def __init__(self, folder):
        self.folder, self.uri, self.fills, self.commissions = folder, lmdb_uri(folder / "arctic"), [], []
        Journal(folder / "journal.db").close()
        self.instant = START
        self.start()

    def start(self):
        self.runtime = VirtualRuntime(start=self.instant)
        self.refs = refs = Refs.of(self.runtime)
        tree = build(plan(self.folder, self.uri), refs)
        specs = {spec.name: spec for part in tree.children[:2] for spec in part.children}
        for name, ref in (("writer", refs.store), ("fill-log", refs.fill_log), ("portfolio", refs.portfolio)):
            args = specs[name].args
            if name == "fill-log":
                args = replace(args, stages={"portfolio": refs.portfolio, "store": refs.store})
            self.runtime.spawn(specs[name].actor, args, name=ref.name)
        line = self.runtime.spawn(Line, name=CONNECTION)
        self.connection = self.runtime.probe("connection")
        refs.fill_log.tell(OpenEpoch(CONNECTION, self.connection.ref))
        self.epoch = self.connection.expect(EpochOpened).epoch
        for stage in ("orders", "risk"):
            journal = Journal(self.folder / "journal.db")
            journal.save_snapshot(stage, 10**9, b"")  # they have no part in this
            journal.close()
        nothing = BrokerSnapshot(executions=(), commissions=(), open_orders=(), completed_orders=(), positions=())
        ready = Ready(
            connection=CONNECTION, ref=line, client_id=0, session="1", accounts=(ACCOUNT,), next_order_id=1,
            replay=nothing, through=10**9, asked_at=0.0,
        )  # fmt: skip
        refs.portfolio.tell(ready)  # its snapshot waits for entries that never come: positions are told by hand
        self.settle()

    def stop(self):
        """In order, the writer last, as the daemon stops."""
        for ref in (self.refs.portfolio, self.refs.fill_log, self.refs.store):
            ref.stop()
            self.runtime.run_until_idle()
        self.instant = self.runtime.clock.now()
        self.runtime.stop(1.0)

    def kill(self):
        self.instant = self.runtime.clock.now()
        for status in self.runtime.status():
            self.runtime.abandon(status.name)

    def settle(self, seconds=3.0):
        self.runtime.advance(seconds)

    # What the broker says

    def wish(self, strategy, number):
        """An intent of a strategy is in the journal, so that its fills are its own."""
        intent = OrderIntent(
            intent_id=f"{strategy}{number}", strategy=strategy, account=ACCOUNT, instrument=parse_instrument("SPY"),
            side=Side.BUY, quantity=Decimal(100), ticket=OrderTicket(), time=START,
        )  # fmt: skip
        journal = Journal(self.folder / "journal.db")
        journal.record_intent(intent, opening_view(intent), "1")
        journal.close()
        return opening_view(intent)

    def fill(self, strategy, number, quantity, price, at=None, instrument="SPY", currency="USD", commission="1"):
        """An execution, `at` seconds after the start, and its commission."""
        self.wish(strategy, number)
        exec_id = f"{strategy}.{number}.01"
        amount = Decimal(quantity)
        execution = Execution(
            account=ACCOUNT, exec_id=exec_id, instrument=instrument, side=Side.of(amount), quantity=abs(amount),
            price=Decimal(price), time=START + (number if at is None else at) * SECOND, currency=currency,
            order_ref=f"{strategy}:{strategy}{number}", perm_id=number,
        )  # fmt: skip
        charge = Commission(exec_id=exec_id, amount=Decimal(commission), currency=currency)
        self.report((execution,), (charge,))
        return execution

    def report(self, executions=(), commissions=()):
        self.refs.fill_log.tell(
            ReportExecutions(connection=CONNECTION, epoch=self.epoch, executions=executions, commissions=commissions)
        )
        self.settle()

    def broker_holds(self, currency="USD", **quantities):
        """Complete looks at the broker's positions, a minute apart."""
        positions = tuple(
            BrokerPosition(
                account=ACCOUNT, instrument=name, quantity=Decimal(quantity), average_cost=Decimal(1), currency=currency
            )
            for name, quantity in quantities.items()
        )
        for _ in range(2):
            self.refs.portfolio.tell(PositionsTaken(positions))
            self.settle(60.0)

    # What is stored

    @property
    def read(self):
        return Reader(self.uri)

    def portfolio(self):
        """Strategy and quantity by text, as exact as they are stored."""
        frame = self.read.portfolio(ACCOUNT)
        return {(row.strategy, row.symbol): row.quantity_exact for row in frame.itertuples()}

    def prove(self):
        """The views follow from the fills, and the fills are the journal's."""
        contents, journal = Contents(self.uri), Journal(self.folder / "journal.db")
        pruned, last = journal.pruned_to(), journal.last_seq()
        logged = journal.entries(pruned, 10_000)
        journal.close()
        assert len(contents.entries) == last
        assert not missing_entries(contents.entries)
        assert not list(journal_differences(contents.entries, logged))
        assert not list(differences(contents.views, recompute(contents.entries, contents.views)))


def plan(folder, uri):
    timing = Timing(host="127.0.0.1", port=1, connect_timeout=1.0, replay_timeout=1.0, heartbeat=1.0)
    return DaemonPlan(
        journal=folder / "journal.db", rejects=folder / "rejects.jsonl", store_uri=uri, gateway=None, limits=Limits(),
        connection=partial(ib_connection, timing), base_currency="USD", live_accounts=(), reconcile_every=86_400.0,
        grace=0.0, allow_leverage=False, seeds=(), strategy_folder=folder, intent_prefix="t", keep_days=0.01,
    )  # fmt: skip


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.stop()


def test_partial_fills_that_arrive_out_of_order_stand_in_the_order_of_execution(world):
    world.fill("TREND", 1, "30", "100.00", at=3)
    world.fill("TREND", 2, "20", "101.00", at=1)
    world.fill("TREND", 3, "-40", "102.50", at=2)
    fills = world.read.fills(ACCOUNT)
    assert fills["fill_id"].tolist() == ["TREND.2.01", "TREND.3.01", "TREND.1.01"]
    assert fills.index.is_monotonic_increasing
    assert fills.index.is_unique
    assert fills["seq"].tolist() == [3, 5, 1], "the order of the log is kept beside it"
    (row,) = world.read.portfolio(ACCOUNT).itertuples()
    # by execution: +20 at 101, then −40 at 102.50 closes 20 (gains 30) and opens −20, then +30 at 100 closes these
    # (gains 50) and opens +10 at 100
    assert (row.quantity_exact, row.average_cost, row.realized_pnl) == ("10", 100.0, 80.0)
    assert world.read.position_history("TREND", "SPY")["fills_seq"].tolist() == [1, 2, 3, 4, 5, 6]
    world.prove()


def test_fills_of_one_second_are_rows_one_nanosecond_apart_and_keep_their_time(world):
    world.fill("TREND", 1, "30", "100.00", at=7)
    world.fill("TREND", 2, "20", "101.00", at=7)
    fills = world.read.fills(ACCOUNT)
    assert [time.value - START for time in fills.index] == [7 * SECOND, 7 * SECOND + 1]
    assert fills["event_time_utc"].nunique() == 1
    world.prove()


def test_a_short_covered_to_flat_and_turned_long_begins_with_a_new_average_cost(world):
    world.fill("TREND", 1, "-100", "50.00")
    assert world.portfolio() == {("TREND", "SPY"): "-100"}
    world.fill("TREND", 2, "100", "48.00")
    assert world.portfolio() == {}, "the row of a flat position is taken out"
    flat = world.read.position_history("TREND", "SPY").iloc[-1]
    assert (flat.quantity_exact, flat.average_cost, flat.realized_pnl) == ("0", 0.0, 200.0)
    world.fill("TREND", 3, "40", "49.00")
    (row,) = world.read.portfolio(ACCOUNT).itertuples()
    assert (row.quantity_exact, row.average_cost, row.realized_pnl, row.commission) == ("40", 49.0, 200.0, 3.0)
    world.prove()


def test_a_mark_revalues_what_is_held_in_its_place(world):
    world.fill("TREND", 1, "10", "50.00")
    world.fill("MEAN", 2, "5", "50.00", instrument="QQQ")
    before = world.read.portfolio(ACCOUNT)
    world.refs.portfolio.tell(PriceMarked("SPY", 51.5))
    world.settle()
    after = world.read.portfolio(ACCOUNT).set_index("strategy")
    assert (after.loc["TREND"].market_value, after.loc["TREND"].unrealized_pnl) == (515.0, 15.0)
    assert after.loc["MEAN"].drop(["symbol"]).equals(before.set_index("strategy").loc["MEAN"].drop(["symbol"]))
    assert world.read.portfolio(ACCOUNT).index.equals(before.index)
    assert len(world.read.position_history("TREND", "SPY")) == 2, "a mark is no change of the position"
    world.prove()


def test_two_strategies_on_opposite_sides_keep_their_rows_though_the_broker_holds_nothing(world):
    world.fill("TREND", 1, "100", "50.00")
    world.fill("MEAN", 2, "-100", "50.10")
    world.broker_holds()
    both = {("TREND", "SPY"): "100", ("MEAN", "SPY"): "-100"}
    assert world.portfolio() == both, "nothing is booked to Discretionary"
    history = world.read.portfolio_history(ACCOUNT)
    agreed = history[history["reason"] == "reconciled"]
    assert agreed["quantity_exact"].tolist() == ["-100", "100"]
    assert set(agreed["snapshot_seq"]) == set(agreed["reconciled_seq"]) == {4}
    world.kill()
    world.start()
    world.broker_holds()
    assert world.portfolio() == both
    assert len(world.read.portfolio_history(ACCOUNT)) == len(history), "nothing changed, so no snapshot more"
    world.prove()


def test_a_residual_is_exact_to_the_last_digit_and_goes_to_discretionary_and_away_again(world):
    world.fill("TREND", 1, "0.1", "1.10", instrument="EURGBP", currency="GBP")
    world.fill("MEAN", 2, "0.2", "1.10", instrument="EURGBP", currency="GBP")
    world.broker_holds("GBP", EURGBP="0.3")
    assert ("Discretionary", "EURGBP") not in world.portfolio(), "0.1 + 0.2 is 0.3 here"
    world.broker_holds("GBP", EURGBP="0.30001")
    assert world.portfolio()["Discretionary", "EURGBP"] == "0.00001"
    (adjusted,) = world.read.table("adjustments", ACCOUNT).itertuples()
    assert (adjusted.strategy, adjusted.quantity_exact) == ("Discretionary", "0.00001")
    assert adjusted.reason
    assert set(world.read.portfolio(ACCOUNT)["currency"]) == {"GBP"}
    world.broker_holds("GBP", EURGBP="0.3")
    assert world.portfolio() == {("TREND", "EURGBP"): "0.1", ("MEAN", "EURGBP"): "0.2"}
    world.prove()


def test_status_corrections_of_an_order_are_updates_of_its_one_row(world):
    order, other = world.wish("TREND", 1), world.wish("TREND", 2)
    library = connect(world.uri).get_library
    for n, state in enumerate((OrderState.SENT, OrderState.WORKING, OrderState.CANCELLED, OrderState.FILLED)):
        world.refs.store.tell(OrderChanged(replace(order, state=state, updated=START + n, perm_id=7)))
        world.refs.store.tell(OrderChanged(replace(other, state=OrderState.WORKING, perm_id=8)))
        world.settle()
        orders = world.read.orders(ACCOUNT)
        assert orders["intent_id"].tolist() == ["TREND1", "TREND2"], "never a second row"
        assert orders["status"].tolist() == [state.value, "WORKING"]
        assert orders.index.asi8.tolist() == [START, START + 1], "created in one instant, and there they stay"
    assert len(library("orders").list_versions(ACCOUNT)) == 4, "one commit a change, and none without one"
    world.prove()


def test_a_corrected_execution_replaces_its_row_and_every_view_of_it(world):
    first = world.fill("TREND", 1, "30", "100.00")
    world.report((replace(first, exec_id="TREND.1.02", quantity=Decimal(25)),))
    assert world.portfolio() == {("TREND", "SPY"): "25"}
    assert world.read.fills(ACCOUNT)["fill_id"].tolist() == ["TREND.1.02"]
    assert world.read.table("fill_corrections", ACCOUNT)["fill_id"].tolist() == ["TREND.1.01"]
    world.report((replace(first, exec_id="TREND.1.03", quantity=Decimal(0)),))
    assert world.portfolio() == {}, "a bust"
    world.prove()


def test_corrections_of_entries_that_the_journal_has_let_go_are_booked_as_ever(world):
    first = world.fill("TREND", 1, "30", "100.00")
    second = world.fill("TREND", 2, "-10", "101.00")
    world.settle(3_700.0)  # longer than the journal keeps them here
    journal = Journal(world.folder / "journal.db")
    assert journal.pruned_to() == 4
    journal.close()
    world.report((replace(first, exec_id="TREND.1.02", price=Decimal("99.00")),))
    world.report((replace(second, exec_id="TREND.2.02", quantity=Decimal(5)),))
    (row,) = world.read.portfolio(ACCOUNT).itertuples()
    assert (row.quantity_exact, row.average_cost, row.realized_pnl) == ("25", 99.0, 10.0)
    world.prove()


def test_a_store_that_does_not_exist_is_created_by_the_first_rows_and_appended_to_ever_after(tmp_path):
    world = World(tmp_path)
    assert world.read.fills(ACCOUNT).empty
    assert world.read.portfolio(ACCOUNT).empty
    world.fill("TREND", 1, "30", "100.00")
    first = world.read.fills(ACCOUNT)
    world.stop()
    world.start()
    world.fill("TREND", 2, "10", "100.00")
    fills = world.read.fills(ACCOUNT)
    assert fills.iloc[:1].equals(first), "what was there is as it was"
    assert fills["seq"].tolist() == [1, 3]
    assert world.portfolio() == {("TREND", "SPY"): "40"}
    assert world.read.position_history("TREND", "SPY")["fills_seq"].tolist() == [1, 2, 3, 4]
    world.prove()
    world.stop()
