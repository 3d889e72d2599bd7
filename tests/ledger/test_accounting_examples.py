"""The other examples of docs/accounting.md, number by number; those of books are read from the page."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.ib.conversion import status_of
from mats.ib.error_codes import order_error_meaning
from mats.instruments import parse_instrument
from mats.ledger.reconciliation.reconcile import Reconciliation
from mats.ledger.valuation.allocation import strategy_equity
from mats.model.broker_reports import BrokerPosition
from mats.model.orders import OrderState, OrderTicket, OrderView, Side, Signal
from mats.model.timestamp import SECOND
from mats.orders import order_events as ev
from mats.orders import transition
from mats.risk import Basis, Exposure, Target, next_step, target_quantity

D = Decimal
S = OrderState


def error(code):
    return ev.ErrorReported(time=1, code=code, text="words", meaning=order_error_meaning(code))


def status(word, **more):
    return ev.StatusReported(time=1, status=status_of(word), status_text=word, **more)


def an_order(state, acknowledged):
    return OrderView(
        intent_id="a1-1",
        strategy="trend",
        account="DU1",
        instrument="SPY",
        side=Side.BUY,
        quantity=D(100),
        ticket=OrderTicket(),
        state=state,
        acknowledged=acknowledged,
    )


def test_the_reconciliation_table(log):
    log.fill("100", "10", "trend")
    log.fill("-100", "10", "revert")
    reconciliation = Reconciliation(3.0, log.newest)

    def compare(seconds, broker):
        positions = [BrokerPosition(account="DU1", instrument="SPY", quantity=D(broker), average_cost=D(10))]
        outcome = reconciliation.compare(log.books(), positions, ["DU1"], seconds * SECOND, seconds)
        wanted = [adjustment for group in outcome.adjustments for adjustment in group]
        log.settle(wanted)
        return len(outcome.open), [adjustment.quantity for adjustment in wanted], len(outcome.closed)

    assert [compare(second, 30) for second in (0, 2, 4, 5)] == [(1, [], 0), (1, [], 0), (1, [30], 0), (0, [], 1)]
    held = {book.strategy: book.quantity for book in log.books().of_instrument("DU1", "SPY")}
    assert held == {"trend": 100, "revert": -100, "Discretionary": 30}
    assert [compare(second, 0) for second in (6, 8, 10, 11)] == [(1, [], 0), (1, [], 0), (1, [-30], 0), (0, [], 1)]
    assert log.books().get("DU1", "Discretionary", "SPY").quantity == 0


def test_the_sizing_example():
    equity = strategy_equity(None, D("0.25"), D(100_000))
    units = target_quantity(parse_instrument("SPY"), 0.5, Basis(equity=equity, price=D(510), rate=D(1)))
    assert units == 24
    signal = Signal(intent_id="a2-1", strategy="trend", instrument="SPY", strength=0.5, time=2)
    target = Target(signal, "DU1", units, least_change=D("0.24"))
    buying = replace(an_order(S.WORKING, True), quantity=D(5))
    for side, ordered in ((Side.BUY, 9), (Side.SELL, 14)):
        working = [("a1-1", replace(buying, side=side))]
        assert next_step(target, D(10), working).quantity == ordered


def test_the_reducing_example():
    exposure = Exposure(position=D(100), buying=D(0), selling=D(30))
    assert exposure.reduced_by(Side.SELL, D(70))
    assert not exposure.reduced_by(Side.SELL, D(71))


EVIDENCE = [
    (error(201), (S.REJECTED, False), (S.UNKNOWN, True)),
    (error(203), (S.REJECTED, False), (S.UNKNOWN, True)),
    (error(110), (S.REJECTED, False), (S.WORKING, False)),
    (error(321), (S.REJECTED, False), (S.WORKING, False)),
    (error(202), (S.CANCELLED, False), (S.CANCELLED, False)),
    (status("Cancelled"), (S.CANCELLED, False), (S.CANCELLED, False)),
    (status("ApiCancelled"), (S.CANCELLED, False), (S.CANCELLED, False)),
    (error(161), (S.SENT, True), (S.WORKING, True)),
    (error(10147), (S.UNKNOWN, True), (S.UNKNOWN, True)),
    (error(2102), (S.SENT, False), (S.WORKING, False)),
    (error(10349), (S.SENT, False), (S.WORKING, False)),
    (error(2137), (S.SENT, False), (S.WORKING, False)),
    (error(55_555), (S.UNKNOWN, True), (S.UNKNOWN, True)),
    (status("Filled"), (S.WORKING, True), (S.WORKING, True)),
    (status("Inactive", why_held="locate"), (S.WORKING, False), (S.WORKING, False)),
    (status("Inactive"), (S.UNKNOWN, True), (S.UNKNOWN, True)),
    (ev.ConnectionLost(time=1), (S.UNKNOWN, True), (S.WORKING, False)),
    (ev.FoundOpen(time=1, status=status_of("Submitted")), (S.WORKING, False), (S.WORKING, False)),
    (ev.NotFound(time=1, looks=1), (S.UNKNOWN, True), (S.UNKNOWN, True)),
    (ev.NotFound(time=1, looks=2), (S.REJECTED, False), (S.UNKNOWN, True)),
]


@pytest.mark.parametrize(("event", "new", "working"), EVIDENCE)
def test_the_table_of_evidence(event, new, working):
    for before, after in ((an_order(S.SENT, False), new), (an_order(S.WORKING, True), working)):
        moved = transition(before, event)
        assert (moved.order.state, moved.query) == after
