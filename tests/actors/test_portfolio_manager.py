"""The portfolio manager: a book changes, then its strategy is informed; money and breaks go to those who act on it."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from actors.messages.broker import AccountChanged, PositionsTaken, RequestSnapshot, SubscribeAccount, TakePositions
from actors.messages.fill_log import Acknowledge, ApplyEntries, GetLogPosition, LogPosition, ReportCursor, StageCursor
from actors.messages.market_data import InstrumentCompleted, PriceMarked, WatchPrices
from actors.messages.persistence_writer import EquitiesRead, PrunedEntriesRead, ReadEquities, ReadPrunedEntries
from actors.messages.portfolio_manager import (
    AccountsDiscovered,
    AccountUpdated,
    AssignmentRefused,
    BooksReconciled,
    BookState,
    BreaksChanged,
    EquityChanged,
    EquityOverridden,
    MarksUpdated,
    PositionUpdated,
    ProposeTransfer,
    RatesChanged,
    ReadPortfolio,
    Reconcile,
    SetWeights,
    SubscribeBook,
    SubscribeEquity,
)
from actors.messages.subscription import Republish, Unsubscribe, Unsubscribed
from actors.portfolio_manager import PortfolioManager
from mats.ledger.reconciliation.transfers import TransferRequest
from mats.model.broker_reports import AccountValue, BrokerPosition
from mats.model.executions import Commission, CommissionRecorded
from mats.model.orders import Side
from mats.model.strategy_table import StrategyRecord
from mats.runtime import Crash
from mats.store.journal.journal import Journal
from mats.strategy.host import Position
from tests.actors.samples import SPY, a_fill, launch_relay

D = Decimal


def start(runtime, journal_path):
    """Start the portfolio manager, or start it again; positions are asked for every minute."""
    args = PortfolioManager.Args(
        journal_path=journal_path,
        base_currency="USD",
        rate_stale_after=86_400.0,
        reconcile_every=60.0,
        grace=1.0,
        fill_log=runtime.ref("fill-log"),
        risk=runtime.ref("risk"),
        store=runtime.ref("store"),
        broker=runtime.ref("ib-0"),
        strategy_manager=runtime.ref("strategy-manager"),
        market_data=runtime.ref("market-data"),
    )
    runtime.launch("portfolio", PortfolioManager, args, supervised=True)
    return runtime.ref("portfolio")


class World:
    """The portfolio manager among probes; `line` is what the master connection was sent."""

    def __init__(self, runtime, journal_path, a_ready, received):
        self.runtime, self.journal_path, self.received, self._a_ready = runtime, journal_path, received, a_ready
        names = ("fill-log", "risk", "store", "strategy-manager", "market-data", "trend", "inbox")
        self.log, self.risk, self.store, self.manager, self.market_data, self.strategy, self.line = map(
            runtime.probe, names
        )
        self.connection = launch_relay(runtime, "ib-0", self.line)
        self.ref = start(runtime, journal_path)

    def tell(self, *messages):
        for message in messages:
            self.ref.tell(message)
            self.runtime.run_until_idle()

    def connect(self):
        """The master connection has the broker's complete answer: no positions, one account."""
        self.tell(self._a_ready(self.connection))

    def compare(self, *positions, mark=0):
        """Positions come, and the log was at entry `mark` then."""
        self.tell(PositionsTaken(positions), LogPosition(mark))

    def forget(self):
        """What was sent so far is of no interest to the test."""
        for probe in (self.log, self.risk, self.store, self.manager, self.market_data, self.strategy, self.line):
            self.received(probe)

    def crash(self):
        self.ref.signal(Crash())
        self.runtime.run_until_idle()
        self.forget()

    def read(self):
        return self.ref.ask(ReadPortfolio(), timeout=1.0)

    def held(self):
        return {(book.strategy, book.instrument): book.quantity for book in self.read().books}


@pytest.fixture
def world(runtime, journal_path, a_ready, received):
    return World(runtime, journal_path, a_ready, received)


@pytest.fixture
def followed(world):
    """With a strategy that follows its book and its equity."""
    world.tell(SubscribeBook("trend", world.strategy.ref), SubscribeEquity("trend", world.strategy.ref))
    world.forget()
    return world


def spy(quantity, price="100"):
    return Position(instrument="SPY", quantity=D(quantity), average_price=D(price))


def at_broker(quantity):
    return BrokerPosition(account="DU1", instrument="SPY", quantity=D(quantity), average_cost=D(100))


def net_liquidation(amount):
    return AccountChanged((AccountValue(account="DU1", tag="NetLiquidation", value=amount, currency="USD"),))


HALF = SetWeights((StrategyRecord(name="trend", file="x.py", class_name="X", target_weight=0.5),))


# The beginning


def test_it_says_how_far_it_is_and_asks_everybody_for_what_it_cannot_know(world):
    assert world.received(world.log) == [StageCursor("portfolio", 0)]
    assert world.received(world.line) == [RequestSnapshot()]
    assert world.received(world.manager) == [Republish()]
    assert world.received(world.market_data) == [Republish()]


# Fills, and those who follow a book


def test_a_fill_changes_the_book_then_its_strategy_is_informed_and_then_it_is_acknowledged(followed):
    followed.tell(ApplyEntries((a_fill(1),)))
    assert followed.held() == {("trend", "SPY"): D(10)}
    assert followed.received(followed.strategy) == [PositionUpdated(seq=1, position=spy(10), fill=a_fill(1))]
    assert followed.received(followed.log) == [Acknowledge("portfolio", 1)]
    assert followed.strategy.last.id < followed.log.last.id


def test_a_cost_changes_the_book_and_is_no_fill(followed):
    fill = a_fill(1)
    cost = CommissionRecorded(
        seq=2,
        strategy="trend",
        intent_id="i1",
        execution=fill.execution,
        commission=Commission(exec_id="e1.01", amount=D("1.5"), currency="USD"),
        recorded=2,
        rate=D(1),
    )
    followed.tell(ApplyEntries((fill, cost)))
    assert followed.received(followed.strategy)[1:] == [PositionUpdated(seq=2, position=spy(10), fill=None)]
    (book,) = followed.read().books
    assert book.commissions == {"USD": D("1.5")}


def test_a_strategy_is_informed_of_its_own_book_only(followed):
    followed.tell(ApplyEntries((a_fill(1, strategy="revert"),)))
    assert followed.received(followed.strategy) == []
    assert followed.held() == {("revert", "SPY"): D(10)}


def test_entries_that_come_twice_are_applied_and_reported_once(followed):
    followed.tell(ApplyEntries((a_fill(1),)), ApplyEntries((a_fill(1), a_fill(2))))
    assert [message.seq for message in followed.received(followed.strategy)] == [1, 2]
    assert followed.received(followed.log) == [Acknowledge("portfolio", 1), Acknowledge("portfolio", 2)]
    assert followed.held() == {("trend", "SPY"): D(20)}


def test_a_missing_entry_is_asked_for_and_nothing_is_applied_meanwhile(followed):
    followed.tell(ApplyEntries((a_fill(2),)))
    assert followed.received(followed.log) == [StageCursor("portfolio", 0)]
    assert followed.received(followed.strategy) == []
    assert followed.held() == {}


def test_who_follows_a_book_gets_it_as_it_is_with_the_equity_and_the_entry_of_its_state(world):
    world.connect()
    world.tell(HALF, net_liquidation("1000"), ApplyEntries((a_fill(1), a_fill(2, strategy="revert"))))
    world.tell(SubscribeBook("trend", world.strategy.ref))
    assert world.received(world.strategy) == [BookState(positions=(spy(10),), equity=D(500), seq=2)]


def test_a_strategy_that_parts_is_sent_nothing_after_its_farewell(followed):
    followed.tell(Unsubscribe(followed.strategy.ref), ApplyEntries((a_fill(1),)))
    assert followed.received(followed.strategy) == [Unsubscribed("portfolio")]


def test_a_strategy_that_has_died_is_sent_nothing(world):
    child = launch_relay(world.runtime, "strategies/trend", world.strategy)
    world.tell(SubscribeBook("trend", child))
    child.stop()
    world.runtime.run_until_idle()
    world.tell(ApplyEntries((a_fill(1),)))
    assert child.mailbox.pending == 0


def test_what_is_newly_held_needs_a_price_and_a_currency_that_turns_up_a_rate(world):
    world.forget()
    world.tell(ApplyEntries((a_fill(1),)))
    assert world.received(world.market_data)[-1:] == [WatchPrices(frozenset({"SPY"}))]
    world.tell(InstrumentCompleted(replace(SPY, currency="EUR")))
    assert world.received(world.market_data) == [WatchPrices(frozenset({"SPY", "EURUSD"}))]


def test_the_currency_of_a_saved_book_needs_a_rate_from_the_start(world):
    fill = a_fill(1)
    world.tell(ApplyEntries((replace(fill, execution=replace(fill.execution, currency="EUR")),)))
    world.runtime.advance(5.0)
    world.crash()
    start(world.runtime, world.journal_path)
    assert world.received(world.market_data, WatchPrices) == [WatchPrices(frozenset({"EURUSD"}))]


# Money


def test_accounts_are_made_known_and_their_values_streamed_once_for_each_connection(world):
    world.forget()
    world.connect()
    world.connect()
    assert world.received(world.line, SubscribeAccount) == [SubscribeAccount("DU1")]
    assert world.received(world.manager) == [AccountsDiscovered(("DU1",))] * 2


def test_account_values_go_to_the_store_rates_to_risk_and_log_and_equity_to_risk_and_strategy(followed):
    followed.connect()
    followed.tell(HALF)
    followed.forget()
    rate = AccountValue(account="DU1", tag="ExchangeRate", value="1.25", currency="EUR")
    one = AccountValue(account="DU1", tag="ExchangeRate", value="1", currency="USD")
    (worth,) = net_liquidation("1000").values
    followed.tell(AccountChanged((worth, one, rate)))
    (updated,) = followed.received(followed.store, AccountUpdated)
    assert (updated.account, set(updated.values)) == ("DU1", {worth, one, rate})
    (at_risk,), (at_log,) = (
        followed.received(followed.risk, RatesChanged),
        followed.received(followed.log, RatesChanged),
    )
    now = followed.runtime.clock.now()
    assert at_risk.rates.rate("EUR", now, 60.0) == at_log.rates.rate("EUR", now, 60.0) == D("1.25")
    assert followed.received(followed.strategy) == [EquityChanged("trend", D(500))]


def test_cash_in_another_currency_needs_a_rate(world):
    world.forget()
    world.tell(AccountChanged((AccountValue(account="DU1", tag="CashBalance", value="5", currency="EUR"),)))
    assert world.received(world.market_data) == [WatchPrices(frozenset({"EURUSD"}))]


def test_the_price_of_a_currency_pair_is_a_rate_for_risk_and_log(world):
    world.forget()
    world.tell(PriceMarked("EURUSD", 1.25))
    now = world.runtime.clock.now()
    for informed in (world.risk, world.log):
        (message,) = world.received(informed)
        assert message.rates.rate("EUR", now, 60.0) == D("1.25")
    world.tell(PriceMarked("SPY", 100.0))
    assert world.received(world.risk) == []


def test_equity_that_has_not_changed_is_not_sent_again(world):
    world.connect()
    world.tell(HALF, net_liquidation("1000"))
    world.forget()
    world.tell(net_liquidation("1000"), EquitiesRead({}))
    assert world.received(world.risk, EquityChanged) == []


def test_equities_are_read_when_accounts_are_known_at_once_when_one_was_written_and_every_few_seconds(world):
    world.connect()
    world.tell(HALF)
    world.forget()
    question = ReadEquities((("DU1", "trend"),), world.ref)
    world.connect()
    assert world.received(world.store, ReadEquities) == [question]
    world.tell(EquityOverridden())
    assert world.received(world.store, ReadEquities) == [question]
    world.runtime.advance(4.0)
    assert world.received(world.store, ReadEquities) == [question]


def test_an_equity_that_cannot_be_read_leaves_the_strategy_what_it_had(world):
    world.connect()
    world.tell(HALF, EquitiesRead({"trend": D(777)}))
    world.forget()
    world.tell(EquitiesRead({}, {"trend": "no number"}))
    assert world.received(world.risk, EquityChanged) == []
    assert world.read().equity == {"trend": D(777)}


def test_prices_that_moved_are_sent_to_the_store_once_a_second(world):
    world.runtime.advance(1.0)
    world.forget()
    world.tell(PriceMarked("SPY", 100.0), PriceMarked("SPY", 101.0))
    world.runtime.advance(0.25)
    (marks,) = world.received(world.store, MarksUpdated)
    assert dict(marks.prices) == {"SPY": 101.0}
    world.tell(PriceMarked("SPY", 102.0))
    world.runtime.advance(0.75)
    assert world.received(world.store, MarksUpdated) == []
    world.runtime.advance(0.25)
    (marks,) = world.received(world.store, MarksUpdated)
    assert dict(marks.prices) == {"SPY": 102.0}
    world.tell(PriceMarked("SPY", 102.0))
    world.runtime.advance(2.0)
    assert world.received(world.store, MarksUpdated) == []


# Those who come back


def test_who_comes_back_finds_rates_equities_and_breaks_at_risk_and_accounts_and_prices_in_the_store(world):
    """Risk and the store ask with the same message, and each is sent its own."""
    world.connect()
    world.tell(HALF, net_liquidation("1000"), PriceMarked("SPY", 100.0))
    world.runtime.advance(2.0)
    world.forget()
    world.tell(Republish())
    rates, *rest = world.received(world.risk)
    assert isinstance(rates, RatesChanged)
    assert rest == [EquityChanged("trend", D(500)), BreaksChanged({})]
    assert [message.account for message in world.received(world.store, AccountUpdated)] == ["DU1"]
    world.tell(Republish())
    world.runtime.advance(1.0)
    (marks,) = world.received(world.store, MarksUpdated)
    assert dict(marks.prices) == {"SPY": 100.0}


def test_a_log_that_comes_back_is_sent_the_cursor_and_the_rates(world):
    world.tell(ApplyEntries((a_fill(1),)))
    world.forget()
    world.tell(ReportCursor())
    cursor, rates = world.received(world.log)
    assert cursor == StageCursor("portfolio", 1)
    assert isinstance(rates, RatesChanged)


# The broker's positions


def test_an_operator_can_have_the_positions_compared_now(world):
    world.connect()
    world.forget()
    world.tell(Reconcile())
    world.runtime.advance(0.25)
    assert world.received(world.line) == [TakePositions(world.ref)]
    world.tell(PositionsTaken(()))
    assert world.received(world.log) == [GetLogPosition(world.ref)]


def test_what_a_comparison_found_goes_to_risk_and_what_agrees_to_the_store(world):
    world.connect()
    world.forget()
    world.compare(at_broker(0))
    assert world.received(world.store) == [BooksReconciled(0, ("DU1",))]
    world.compare(at_broker(10))
    assert world.received(world.store) == [BooksReconciled(0, ())]
    world.runtime.advance(1.0)
    world.compare(at_broker(10))
    assert world.received(world.risk)[-1] == BreaksChanged({("DU1", "SPY"): D(10)})


def test_a_comparison_waits_until_the_books_have_what_the_log_had_when_the_positions_came(world):
    world.connect()
    world.compare(at_broker(10), mark=1)
    world.forget()
    world.tell(ApplyEntries((a_fill(1),)))
    assert world.received(world.store, BooksReconciled) == [BooksReconciled(1, ("DU1",))]


def test_without_a_master_connection_no_positions_are_asked_for_until_it_is_back(world):
    world.connect()
    world.connection.stop()
    world.runtime.run_until_idle()
    world.forget()
    world.tell(Reconcile())
    world.runtime.advance(120.0)
    assert world.connection.mailbox.pending == 0
    launch_relay(world.runtime, "ib-0", world.line)
    world.connect()
    assert world.received(world.line) == [SubscribeAccount("DU1")]
    world.runtime.advance(61.0)
    assert world.received(world.line) == [TakePositions(world.ref)]


# Proposals


def move(quantity):
    return ProposeTransfer(
        TransferRequest(giver="trend", taker="revert", instrument="SPY", quantity=D(quantity), reason="by hand")
    )


def test_a_transfer_is_proposed_for_the_books_of_this_moment_and_nothing_is_booked(world):
    world.tell(ApplyEntries((a_fill(1),)))
    world.forget()
    proposed = world.ref.ask(move(4), timeout=1.0)
    assert [(leg.strategy, leg.quantity) for leg in proposed.legs] == [("trend", D(-4)), ("revert", D(4))]
    assert world.held() == {("trend", "SPY"): D(10)}
    assert world.received(world.log) == []


def test_a_transfer_of_more_than_is_held_is_refused_in_one_sentence(world):
    world.tell(ApplyEntries((a_fill(1),)))
    refused = world.ref.ask(move(11), timeout=1.0)
    assert isinstance(refused, AssignmentRefused)
    assert "11" in refused.reason


# Crashes, and the end


def test_after_a_crash_it_goes_on_where_it_saved_and_nothing_counts_twice(followed):
    followed.tell(ApplyEntries((a_fill(1),)))
    followed.runtime.advance(5.0)
    followed.tell(ApplyEntries((a_fill(2, quantity=4, side=Side.SELL),)))
    followed.crash()
    start(followed.runtime, followed.journal_path)
    assert followed.received(followed.log) == [StageCursor("portfolio", 1)]
    assert followed.held() == {("trend", "SPY"): D(10)}
    followed.tell(ApplyEntries((a_fill(1), a_fill(2, quantity=4, side=Side.SELL))))
    assert followed.held() == {("trend", "SPY"): D(6)}
    followed.tell(SubscribeBook("trend", followed.strategy.ref))
    assert followed.received(followed.strategy) == [BookState(positions=(spy(6),), equity=None, seq=2)]


def test_a_stop_saves_the_books(world):
    world.tell(ApplyEntries((a_fill(1),)))
    world.ref.stop()
    world.runtime.run_until_idle()
    world.forget()
    start(world.runtime, world.journal_path)
    assert world.received(world.log) == [StageCursor("portfolio", 1)]
    assert world.held() == {("trend", "SPY"): D(10)}


def test_of_the_prices_that_wait_the_newest_is_enough(world):
    world.forget()
    for price in (100.0, 101.0, 102.0):
        world.ref.tell(PriceMarked("SPY", price))
    assert world.ref.mailbox.pending == 1
    assert world.read().prices == {"SPY": 102.0}


# A past that only the store has


def test_an_entry_that_changes_a_pruned_past_waits_until_the_store_has_answered(world):
    """A late fill among entries that the journal has let go: nothing is guessed, and nothing read from the store."""
    entries = [replace(a_fill(seq, quantity=10 * seq), recorded=seq) for seq in range(1, 4)]
    late = a_fill(4, quantity=40)
    late = replace(late, execution=replace(late.execution, time=2), recorded=10)
    journal = Journal(world.journal_path)
    journal.append([*entries, late, a_fill(5, quantity=50)])
    assert journal.prune(5, keep_after_seq=3) == 3
    world.tell(SubscribeBook("trend", world.strategy.ref), ApplyEntries(tuple(entries)))
    world.forget()
    world.tell(ApplyEntries((late, a_fill(5, quantity=50))))
    asked = ReadPrunedEntries(("DU1", "trend", "SPY"), 3, world.ref)
    assert world.received(world.store, ReadPrunedEntries) == [asked]
    assert world.received(world.log) == [Acknowledge("portfolio", 3)]
    world.tell(ApplyEntries((a_fill(5, quantity=50),)))
    world.runtime.advance(60.0)
    assert set(world.received(world.store, ReadPrunedEntries)) == {asked}, "asked again and again"
    assert world.received(world.strategy, PositionUpdated) == []
    world.tell(PrunedEntriesRead(asked.key, 3, tuple(entries)))
    assert world.received(world.log, StageCursor) == [StageCursor("portfolio", 3)]
    world.tell(ApplyEntries((late, a_fill(5, quantity=50))))
    assert world.received(world.log, Acknowledge) == [Acknowledge("portfolio", 5)]
    assert world.held() == {("trend", "SPY"): D(150)}
    assert [told.seq for told in world.received(world.strategy, PositionUpdated)] == [4, 5]
    journal.close()
