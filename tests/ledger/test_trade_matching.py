"""Round trips: first in, first out."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from mats.ledger.books.trade_matching import round_trips
from mats.model.orders import Side

D = Decimal


def pieces(log):
    return [(t.quantity, t.entry_price, t.exit_price, t.gross) for t in round_trips(log.entries)]


def test_a_closing_fill_takes_the_oldest_lots_first(log):
    log.fill("100", "10")
    log.fill("50", "12")
    log.fill("-120", "13")
    assert pieces(log) == [(D(100), D(10), D(13), D(300)), (D(20), D(12), D(13), D(20))]


def test_a_flip_closes_one_trade_and_opens_the_next(log):
    log.fill("-100", "10")
    log.fill("150", "9")
    log.fill("-50", "11")
    trades = round_trips(log.entries)
    assert pieces(log) == [(D(100), D(10), D(9), D(100)), (D(50), D(9), D(11), D(100))]
    assert [t.side for t in trades] == [Side.SELL, Side.BUY]
    assert [t.id for t in trades] == ["e1/e2", "e2/e3"]


def test_an_open_position_is_no_trade(log):
    log.fill("100", "10")
    assert round_trips(log.entries) == ()


def test_commissions_are_shared_by_quantity_and_kept_by_currency(log):
    log.charge(log.fill("100", "10"), "2.00")
    log.charge(log.fill("-25", "11"), "0.30", "EUR")
    (trade,) = round_trips(log.entries)
    assert trade.commissions == {"USD": D("0.5"), "EUR": D("0.3")}


def test_a_correction_counts_in_the_place_of_the_first_report(log):
    first = log.fill("100", "10")
    log.fill("-100", "12")
    log.correct(first, "100", "11")
    assert pieces(log) == [(D(100), D(11), D(12), D(100))]


def test_the_multiplier_scales_the_result(log):
    log.fill("1", "5000", instrument="ES:20241220", multiplier="50")
    log.fill("-1", "5002", instrument="ES:20241220", multiplier="50")
    assert round_trips(log.entries)[0].gross == D(100)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(-20, 20).filter(bool), st.integers(1, 500)), max_size=12))
def test_at_flat_first_in_first_out_and_average_cost_earn_the_same(new_log, fills):
    log = new_log()
    for quantity, price in fills:
        log.fill(str(quantity), str(price))
    left = -sum(quantity for quantity, _ in fills)
    if left:
        log.fill(str(left), "100")
    if log.entries:
        book = log.books().get("DU1", "trend", "SPY")
        assert sum(t.gross for t in round_trips(log.entries)) == book.realized
