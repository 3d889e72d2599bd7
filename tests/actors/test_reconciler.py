"""The portfolio manager holds snapshots of the broker's positions against its books only when it may judge them."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from actors.messages.broker import PositionsChanged, PositionsTaken, TakePositions
from actors.messages.fill_log import ApplyEntries, BookAdjustments, GetLogPosition, LogPosition
from actors.messages.market_data import WatchPrices
from actors.messages.portfolio_manager import AnswerBreak, AnswerDenied, BreaksChanged, ReadBreaks
from actors.portfolio_manager import PortfolioManager
from mats.ledger.reconciliation.break_causes import Residual
from mats.model.broker_reports import BrokerPosition
from mats.model.executions import FillRecorded
from mats.runtime import Actor


class Line(Actor):
    """A master connection that passes on what it is told."""

    def __init__(self, heard):
        self._heard = heard

    def on_receive(self, message):
        self._heard.tell(message)


def held(quantity):
    return (BrokerPosition(account="DU1", instrument="SPY", quantity=Decimal(quantity), average_cost=Decimal(100)),)


class World:
    """A portfolio manager without patience: a second look at once is proof enough."""

    def __init__(self, runtime, journal_path, a_ready):
        self.runtime = runtime
        names = ("fill-log", "risk", "store", "heard", "manager", "market-data")
        self.log, self.risk, self.store, self.heard, manager, self.market_data = map(runtime.probe, names)
        line = runtime.spawn(Line, self.heard.ref, name="ib-0")
        args = PortfolioManager.Args(
            journal_path=journal_path,
            base_currency="USD",
            rate_stale_after=86_400.0,
            reconcile_every=60.0,
            grace=0.0,
            fill_log=self.log.ref,
            risk=self.risk.ref,
            store=self.store.ref,
            broker=line,
            strategy_manager=manager.ref,
            market_data=self.market_data.ref,
        )
        self.ref = runtime.spawn(PortfolioManager, args, name="portfolio")
        self.ref.tell(a_ready(line))
        runtime.run_until_idle()
        self.log_said()

    def taken(self, *positions, mark):
        """A snapshot comes, and the log says how far it was then."""
        self.ref.tell(PositionsTaken(positions))
        self.ref.tell(LogPosition(mark))
        self.runtime.run_until_idle()

    def log_said(self):
        self.runtime.run_until_idle()
        said = []
        while (envelope := self.log._take(0.0)) is not None:
            said.append(envelope.message)
        return said

    def adjustments(self):
        return [m.quantity for said in self.log_said() if isinstance(said, BookAdjustments) for m in said.adjustments]

    def ask(self, question):
        return self.ref.ask(question, timeout=1.0)

    def broken(self):
        """The last word to risk about where books and broker differ."""
        self.runtime.run_until_idle()
        places = {}
        while (envelope := self.risk._take(0.0)) is not None:
            places = envelope.message.differences if isinstance(envelope.message, BreaksChanged) else places
        return places


@pytest.fixture
def world(runtime, journal_path, a_ready):
    return World(runtime, journal_path, a_ready)


@pytest.fixture
def fill(an_execution):
    first = FillRecorded(seq=1, strategy="trend", intent_id="i1", execution=an_execution(), recorded=0)
    return lambda seq: replace(first, seq=seq, execution=an_execution(f"e{seq}.01"))


def test_the_log_is_marked_for_each_snapshot(world):
    world.ref.tell(PositionsTaken(()))
    assert world.log_said() == [GetLogPosition(world.ref)]


def test_a_snapshot_waits_for_every_entry_the_log_had_by_then(world, fill):
    world.taken(*held(10), mark=1)
    world.ref.tell(ApplyEntries((fill(1),)))
    assert world.adjustments() == []
    assert world.broken() == {}


def test_two_looks_at_one_difference_are_a_break_that_is_booked(world):
    world.taken(*held(10), mark=0)
    world.taken(*held(10), mark=0)
    assert set(world.broken()) == {("DU1", "SPY")}
    assert world.adjustments() == [Decimal(10)]


def test_snapshots_that_waited_while_the_stage_was_behind_do_not_confirm_each_other(world, fill):
    """Both were taken before entry 2: neither contains it, the books do."""
    world.taken(mark=1)
    world.taken(mark=1)
    world.ref.tell(ApplyEntries((fill(1), fill(2))))
    assert world.adjustments() == []
    assert world.broken() == {}
    world.taken(*held(20), mark=2)
    assert world.adjustments() == []
    assert world.broken() == {}


def test_what_a_gateway_remembers_that_is_cut_off_is_compared_with_nothing(world, a_ready):
    for _ in range(3):
        ready = a_ready(world.runtime.ref("ib-0"))
        world.ref.tell(replace(ready, replay=replace(ready.replay, positions=held(10)), linked=False))
    assert world.adjustments() == []
    assert world.broken() == {}
    world.ref.tell(replace(ready, replay=replace(ready.replay, positions=held(10))))
    world.taken(*held(10), mark=0)
    assert world.adjustments() == [Decimal(10)]


def test_positions_are_asked_for_regularly_and_again_when_they_do_not_come(world):
    world.heard.receive(2)
    world.runtime.advance(61.0)
    world.heard.expect_message(TakePositions(world.ref))
    world.runtime.advance(28.0)
    world.heard.expect_nothing(0.0)
    world.runtime.advance(3.0)
    world.heard.expect_message(TakePositions(world.ref))


def test_a_position_that_changes_beyond_the_books_is_looked_into_half_a_second_later(world):
    world.heard.receive(2)
    world.ref.tell(PositionsChanged(held(10)))
    world.runtime.advance(0.25)
    world.heard.expect_nothing(0.0)
    world.runtime.advance(0.5)
    world.heard.expect_message(TakePositions(world.ref))


def test_what_is_held_is_to_have_a_price_whoever_follows_it(world):
    world.taken(*held(10), mark=0)
    world.market_data.fish(lambda message: message == WatchPrices(frozenset({"SPY"})), 1.0)


def test_open_and_past_breaks_can_be_read_with_their_proof(world, fill, journal_path):
    world.taken(*held(10), mark=0)
    world.taken(*held(10), mark=0)
    (found,) = world.ask(ReadBreaks()).open
    assert (found.state, found.proof.expected, found.broker, found.attempts) == (
        "confirmed", 0, 10, ("booked as +10 to Discretionary",),
    )  # fmt: skip
    world.ref.tell(ApplyEntries((fill(1),)))
    world.taken(*held(10), mark=1)
    answer = world.ask(ReadBreaks(past=5))
    assert (answer.open, [past.id for past in answer.past]) == ((), [found.id])


def test_an_answer_to_a_break_that_is_not_there_is_denied_in_one_sentence(world):
    denied = world.ask(AnswerBreak("DU1/SPY@never", Residual()))
    assert denied == AnswerDenied("no break DU1/SPY@never is open; `mats breaks` lists the open ones")
