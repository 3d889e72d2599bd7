"""Flattening: halt, cancel, close at the market, and a certificate that says what is flat and what is left, and why."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from itertools import repeat

import msgspec
import pytest
from msgspec.structs import replace

from actors.base.refs import Refs
from actors.messages.fill_log import Progress, ReadProgress
from actors.messages.ib_pool import LeaseConnection
from actors.messages.order_manager import ReadOrders
from actors.messages.portfolio_manager import PortfolioSnapshot, ReadPortfolio
from actors.messages.risk_manager import Halt, PlaceOrder
from actors.operator.flatten import AGAIN_SECONDS, CANCEL_SECONDS, ROUNDS, FlattenOperation, discretionary_remains
from actors.operator.operator import Operator
from mats.ledger.books.book import Book
from mats.model.broker_reports import BrokerPosition
from mats.model.orders import (
    DISCRETIONARY,
    CancelRequest,
    OrderIntent,
    OrderState,
    OrderTicket,
    Side,
    opening_view,
)
from mats.orders import Rejected
from mats.risk import RejectionCode, reject
from mats.runtime import Actor, Ref
from mats.store.journal.journal import Journal
from tests.actors.samples import SPY, an_intent

D = Decimal
NOT_READY = reject(RejectionCode.NOT_READY, "the connection of trend is not ready")


class Patience(Operator):
    """An operator who waits in virtual time."""

    def __init__(self, runtime, refs):
        super().__init__(runtime, refs)
        self._world = runtime

    def until(self, condition, seconds, meanwhile=None):
        deadline = self._world.clock.monotonic() + seconds
        while not (met := condition()) and self._world.clock.monotonic() < deadline:
            self._world.advance(0.1)
        return met


class Neighbor(Actor[object]):
    """Passes on what it is sent, and answers as the test says."""

    class Args(msgspec.Struct, frozen=True):
        inbox: Ref[object]
        answer: Callable[[object], object]

    def __init__(self, args):
        self._inbox, self._answer = args.inbox, args.answer

    def on_receive(self, message):
        self._inbox.tell(message)
        answer = self._answer(message)
        return self.reply_later() if answer is None else answer


class World:
    """The daemon as a command sees it: books, orders and a market that fills what risk lets through.

    `rejections` are what risk says to one order after the other, `fills` is how much of a closing order the market
    takes at most; `held` is why the broker holds it until the open. Cancels are confirmed where `confirms`, as fills
    where `filled_instead`. `silent` has how many messages a neighbor leaves unanswered; after `last_read`
    the portfolio manager leaves all, where it is not 0.
    """

    held, missing = "", D(0)
    reads, last_read = 0, 0

    def __init__(self, runtime, journal_path):
        self.runtime, self.journal_path = runtime, journal_path
        self.books, self.working, self.silent = {}, {}, Counter()
        self.rejections, self.fills, self.confirms, self.filled_instead = iter(()), None, True, False
        self.requests = []
        self.refs = Refs.of(runtime)
        answers = {
            "core/risk": self._risk,
            "core/orders": self._orders,
            "core/portfolio": self._portfolio,
            "core/fill-log": lambda message: Progress(1, {"orders": 1}) if isinstance(message, ReadProgress) else None,
        }
        self.inbox = runtime.probe("inbox")
        for name, answer in answers.items():
            args = Neighbor.Args(self.inbox.ref, self._unless_silent(name, answer))
            runtime.launch(name, Neighbor, args, supervised=True)
        self.pool = runtime.probe("brokers/pool")
        journal = Journal(journal_path)
        self.boot = journal.open_boot()
        journal.close()

    def operation(self):
        operator = Patience(self.runtime, self.refs)
        return FlattenOperation(self.runtime, self.refs, operator, self.journal_path)

    def flatten(self, *strategies, reason="lunch"):
        return self.operation().flatten(strategies or ("trend",), tuple(self.working.values()), reason)

    def hold(self, quantity, strategy="trend", instrument="SPY"):
        book = Book(account="DU1", strategy=strategy, instrument=instrument, currency="USD", quantity=D(quantity))
        self.books[book.key] = book

    def work(self, name, instrument=SPY):
        """An order that works at the broker."""
        intent = replace(an_intent(name), instrument=instrument)
        self.working[name] = replace(opening_view(intent), state=OrderState.WORKING)
        self._journal(intent, self.working[name])
        return self.working[name]

    def _unless_silent(self, name, answer):
        def said(message):
            self.silent[name] -= 1
            return None if self.silent[name] >= 0 else answer(message)

        return said

    def _journal(self, intent, view):
        journal = Journal(self.journal_path)
        journal.record_intent(intent, view, "1")
        journal.record_views([view])
        journal.close()

    def _risk(self, message):
        if not isinstance(message, PlaceOrder):
            return None
        request = message.request
        self.requests.append(request)
        intent = OrderIntent(
            intent_id=request.intent_id, strategy=request.strategy, account=request.account, instrument=SPY,
            side=request.side, quantity=request.quantity, ticket=OrderTicket(), time=0,
        )  # fmt: skip
        if rejection := next(self.rejections, None):
            return Rejected(replace(opening_view(intent), note=f"{rejection.code}: {rejection.text}"), rejection)
        self._fill(request, intent)
        return intent

    def _fill(self, request, intent):
        key = (request.account, request.strategy, request.instrument)
        filled = min(request.quantity, D(request.quantity if self.fills is None else self.fills))
        self.books[key] = replace(self.books[key], quantity=self.books[key].quantity + filled * request.side.sign)
        state = OrderState.FILLED if filled == request.quantity else OrderState.CANCELLED
        if self.held:
            state = OrderState.WORKING
        self._journal(intent, replace(opening_view(intent), state=state, filled=filled, note=self.held))

    def _orders(self, message):
        if isinstance(message, CancelRequest) and self.confirms:
            ended = replace(
                self.working.pop(message.intent_id),
                state=OrderState.FILLED if self.filled_instead else OrderState.CANCELLED,
            )
            self._journal(an_intent(message.intent_id), ended)
        return tuple(self.working.values()) if isinstance(message, ReadOrders) else None

    def _portfolio(self, message):
        if not isinstance(message, ReadPortfolio):
            return None
        self.reads += 1
        if self.last_read and self.reads > self.last_read:
            return None
        return PortfolioSnapshot(
            books=tuple(self.books.values()), broker=self._positions(), breaks=(), prices={}, equity={}, totals={},
            overcommitted={}, reconciled_seconds_ago=None,
        )  # fmt: skip

    def _positions(self):
        """What the broker holds: the books, and what it is `missing`."""
        return tuple(
            BrokerPosition(account=book.account, instrument=book.instrument, quantity=book.quantity - self.missing,
                           average_cost=D(0))
            for book in self.books.values()
        )  # fmt: skip


@pytest.fixture
def world(runtime, journal_path):
    return World(runtime, journal_path)


def asked(world):
    """Side and quantity of every order that risk was asked for."""
    return [(request.side, request.quantity) for request in world.requests]


# Cancels


def test_working_orders_are_cancelled_and_the_certificate_names_them(world):
    order = world.work("i1")
    certificate = world.operation().cancel([order])
    assert [(view.intent_id, view.state) for view in certificate.cancelled] == [("i1", OrderState.CANCELLED)]
    assert certificate.remains == ()


def test_an_order_that_filled_before_its_cancel_arrived_remains_with_these_words(world):
    order = world.work("i1")
    world.filled_instead = True
    certificate = world.operation().cancel([order])
    assert certificate.cancelled == ()
    assert [(left.what, left.why) for left in certificate.remains] == [
        ("order i1 of trend, BUY 10 SPY", "it filled before the cancel arrived"),
    ]


def test_a_cancel_that_is_not_confirmed_in_time_can_still_fill_and_is_said_to(world):
    order = world.work("i1")
    world.confirms = False
    before = world.runtime.clock.monotonic()
    (left,) = world.operation().cancel([order]).remains
    assert left.why == "it is WORKING and the broker has not confirmed the cancel yet; it can still fill"
    assert world.runtime.clock.monotonic() - before == pytest.approx(CANCEL_SECONDS, abs=0.2)


# Closing


@pytest.mark.parametrize(("quantity", "side"), [(10, Side.SELL), (-10, Side.BUY)])
def test_a_position_is_closed_by_a_market_order_of_the_other_side_in_its_own_account(world, quantity, side):
    world.hold(quantity)
    certificate = world.flatten()
    (request,) = world.requests
    assert (request.strategy, request.instrument, request.account) == ("trend", "SPY", "DU1")
    assert (request.side, request.quantity, request.ticket) == (side, D(10), OrderTicket())
    assert request.reason == "flatten: lunch"
    assert [(view.intent_id, view.state) for view in certificate.closing] == [(request.intent_id, OrderState.FILLED)]
    assert [(row.strategy, row.instrument, row.quantity) for row in certificate.flat] == [("trend", "SPY", D(0))]
    assert (certificate.halted, certificate.remains) == (("trend",), ())


def test_each_strategy_is_halted_and_its_orders_cancelled_before_a_position_is_closed(world, received):
    world.hold(10)
    world.hold(10, "revert")
    world.work("i1")
    world.flatten("trend", "revert")
    steps = received(world.inbox, Halt, CancelRequest, PlaceOrder)
    assert [type(step) for step in steps] == [Halt, Halt, CancelRequest, PlaceOrder, PlaceOrder]
    assert steps[:2] == [Halt("trend", "flattened: lunch"), Halt("revert", "flattened: lunch")]
    assert received(world.pool) == [LeaseConnection("trend"), LeaseConnection("revert")]


def test_without_a_reason_the_halt_says_who_did_it(world, received):
    world.flatten(reason="")
    assert received(world.inbox, Halt) == [Halt("trend", "flattened by an operator")]


def test_what_fills_in_part_is_closed_by_further_orders_until_it_is_flat(world):
    world.hold(10)
    world.fills = 6
    certificate = world.flatten()
    assert asked(world) == [(Side.SELL, D(10)), (Side.SELL, D(4))]
    assert [view.state for view in certificate.closing] == [OrderState.CANCELLED, OrderState.FILLED]
    assert certificate.remains == ()


def test_after_the_last_round_what_is_left_remains(world):
    world.hold(10)
    world.fills = 1
    certificate = world.flatten()
    assert len(world.requests) == ROUNDS
    assert [(left.what, left.why) for left in certificate.remains] == [
        ("trend holds 6 SPY in DU1", "its closing order has not filled in time; `mats status` shows it"),
    ]
    assert certificate.flat == ()


def test_what_the_broker_holds_until_the_open_remains_in_its_words(world):
    world.hold(10)
    world.held, world.fills = "399: Your order will not be placed at the exchange until 09:30", 0
    (left,) = {left.what: left.why for left in world.flatten().remains}.items()
    why = f"its closing order has not filled in time ({world.held}); `mats status` shows it"
    assert left == ("trend holds 10 SPY in DU1", why)


def test_the_certificate_is_held_against_the_positions_of_the_broker(world):
    world.hold(10)
    world.missing = D(4)
    (left,) = world.flatten().remains
    assert left.what == "the broker holds -4 SPY in DU1, all books 0"
    assert "`mats breaks`" in left.why


def test_a_flat_book_is_neither_traded_nor_certified(world):
    world.hold(0)
    certificate = world.flatten()
    assert (world.requests, certificate.flat, certificate.remains) == ([], (), ())


def test_the_books_of_others_are_left_alone(world):
    world.hold(10)
    world.hold(10, "revert")
    world.flatten("trend")
    assert {request.strategy for request in world.requests} == {"trend"}
    assert world.books["DU1", "revert", "SPY"].quantity == D(10)


def test_closing_orders_have_ids_of_this_start_of_the_daemon_and_none_twice(world):
    world.hold(10)
    world.fills = 1
    world.flatten()
    ids = [request.intent_id for request in world.requests]
    assert len(set(ids)) == ROUNDS
    assert all(name.startswith(f"{world.boot.branch}-") for name in ids)


# What stands in the way


def test_a_rejected_order_is_asked_for_again_and_its_rejection_is_why_the_position_remains(world):
    world.hold(10)
    world.rejections = repeat(NOT_READY)
    before = world.runtime.clock.monotonic()
    certificate = world.flatten()
    assert asked(world) == [(Side.SELL, D(10))] * ROUNDS
    assert world.runtime.clock.monotonic() - before >= ROUNDS * AGAIN_SECONDS
    (left,) = certificate.remains
    assert left.why == "NOT_READY: the connection of trend is not ready"
    assert certificate.closing == ()


def test_a_rejection_that_ends_in_time_is_forgotten(world):
    world.hold(10)
    world.rejections = iter([NOT_READY])
    certificate = world.flatten()
    assert asked(world) == [(Side.SELL, D(10))] * 2
    assert (len(certificate.flat), certificate.remains) == (1, ())


def test_no_order_is_placed_beside_one_that_may_still_fill(world):
    world.hold(10)
    world.work("i1")
    world.confirms = False
    certificate = world.flatten()
    assert world.requests == []
    cancel, position = certificate.remains
    assert cancel.what.startswith("order i1 of trend")
    assert (position.what, position.why) == ("trend holds 10 SPY in DU1", "an order for it is still working")


def test_a_silent_risk_manager_is_named_as_the_reason(world):
    world.hold(10)
    world.silent["core/risk"] = 1_000
    (left,) = world.flatten().remains
    assert left.why == "the risk manager does not answer; `mats status` shows why"


def test_books_that_cannot_be_read_are_not_called_flat(world):
    world.hold(10)
    world.silent["core/portfolio"] = 1_000
    certificate = world.flatten()
    assert [(left.what, left.why) for left in certificate.remains] == [
        ("the books", "the portfolio manager does not answer; `mats status` shows why"),
    ]
    assert certificate.flat == ()


def test_positions_that_nothing_compared_are_not_certified(world):
    world.hold(10)
    assert world.flatten().remains == ()
    needed, world.reads = world.reads, 0
    world.hold(10)
    world.last_read = needed - 1
    (left,) = world.flatten().remains
    assert left.what == "the broker's positions"
    assert "nothing compared the books with them" in left.why


def test_books_that_can_be_read_a_little_later_are_closed_all_the_same(world):
    world.hold(10)
    world.silent["core/portfolio"] = 2
    certificate = world.flatten()
    assert asked(world) == [(Side.SELL, D(10))]
    assert certificate.remains == ()


def test_a_rejection_is_no_reason_any_more_once_an_order_has_been_let_through(world):
    world.hold(10)
    world.rejections, world.fills = iter([NOT_READY]), 1
    (left,) = world.flatten().remains
    assert left.why == "its closing order has not filled in time; `mats status` shows it"


def test_what_no_strategy_owns_is_left_and_named(world):
    world.hold(5, DISCRETIONARY)
    world.hold(0, DISCRETIONARY, "QQQ")
    world.hold(10, "trend")
    (left,) = discretionary_remains(tuple(world.books.values()))
    assert left.what == "Discretionary holds 5 SPY in DU1"
    assert "no strategy owns it" in left.why
