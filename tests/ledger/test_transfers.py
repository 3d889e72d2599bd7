"""Moving quantity between two books: with its cost, at a price, against the other side; and taking it back exactly."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.ledger.reconciliation.reconcile import Break
from mats.ledger.reconciliation.transfers import TransferError, TransferRequest, propose, propose_reversal
from mats.model.money import ZERO
from mats.model.orders import DISCRETIONARY

D = Decimal


def a_move(quantity="100", giver=DISCRETIONARY, taker="trend", **more):
    return TransferRequest(giver=giver, taker=taker, instrument="SPY", quantity=D(quantity), reason="mine", **more)


def proposed(log, quantity="100", **more):
    return propose(a_move(quantity, **more), log.books(), ())


def book_it(log, assignment):
    """Both legs in the log, under the id that they share."""
    legs = assignment.entries(log.next, 0, None)
    log.entries.extend(legs)
    return legs[0].assignment


class Past:
    """What the journal would know."""

    def __init__(self, log):
        self.log = log
        self.entries_of = log.history

    def transfer_legs(self, name):
        legs = [entry for entry in self.log.entries if getattr(entry, "assignment", "") == name]
        return tuple(legs) if legs else None

    def reversal_of(self, name):
        return next((e.assignment for e in self.log.entries if getattr(e, "reverses", "") == name), None)


def taken_back(log, name):
    return propose_reversal(name, "a slip", log.books(), (), Past(log))


def figures(log, strategy):
    book = log.books().get("DU1", strategy, "SPY")
    return book.quantity, book.cost, book.realized


def test_the_example_of_the_page_at_a_price(log):
    log.fill("150", "10", strategy=DISCRETIONARY)
    log.fill("50", "16")
    book_it(log, proposed(log, price=D("12.50")))
    assert figures(log, DISCRETIONARY) == (D(50), D(500), D(250))
    assert figures(log, "trend") == (D(150), D(2050), ZERO)


def test_quantity_moves_with_its_cost_and_nobody_earns_anything(log):
    log.fill("150", "10", strategy=DISCRETIONARY)
    log.fill("50", "16")
    book_it(log, proposed(log))
    assert figures(log, DISCRETIONARY) == (D(50), D(500), ZERO)
    assert figures(log, "trend") == (D(150), D(1800), ZERO)


def test_a_short_position_moves_as_well_with_what_it_brought_in(log):
    log.fill("-150", "10", strategy=DISCRETIONARY)
    book_it(log, proposed(log))
    assert figures(log, DISCRETIONARY) == (D(-50), D(-500), ZERO)
    assert figures(log, "trend") == (D(-100), D(-1000), ZERO)


def test_an_average_without_an_end_moves_exactly(log):
    log.fill("1", "10", strategy=DISCRETIONARY)
    log.fill("2", "10.05", strategy=DISCRETIONARY)
    book_it(log, proposed(log, "1"))
    left, moved = figures(log, DISCRETIONARY), figures(log, "trend")
    assert left[1] + moved[1] == D("30.10") and moved[1] == D("10.033333333333")


def test_at_a_price_the_giver_realizes_the_difference(log):
    log.fill("100", "10", strategy=DISCRETIONARY)
    book_it(log, proposed(log, price=D("12.50")))
    assert figures(log, DISCRETIONARY) == (ZERO, ZERO, D(250))
    assert figures(log, "trend") == (D(100), D(1250), ZERO)


def test_what_meets_the_other_side_closes_it_and_the_rest_opens(log):
    log.fill("100", "10", strategy=DISCRETIONARY)
    log.fill("-40", "13")
    book_it(log, proposed(log))
    assert figures(log, DISCRETIONARY) == (ZERO, ZERO, ZERO)
    assert figures(log, "trend") == (D(60), D(600), D(120))


def test_the_preview_is_what_the_books_become(log):
    log.fill("100", "10", strategy=DISCRETIONARY)
    log.fill("-40", "13")
    assignment = proposed(log)
    after = {book.strategy: (book.quantity, book.cost, book.realized) for book in assignment.after}
    book_it(log, assignment)
    assert after == {name: figures(log, name) for name in (DISCRETIONARY, "trend")}


@pytest.mark.parametrize(
    ("move", "sentence"),
    [
        (a_move("101"), "Discretionary holds 100 SPY and not 101; move that or less"),
        (a_move("0"), "quantity 0 cannot be moved"),
        (a_move("-5"), "quantity -5 cannot be moved"),
        (a_move("NaN"), "quantity NaN cannot be moved"),
        (a_move(price=D("Infinity")), "price Infinity is not a number"),
        (a_move(giver="calm"), "calm holds no SPY; `mats books` lists the holders"),
        (a_move(account="DU9"), "Discretionary holds no SPY in DU9"),
        (a_move(taker=DISCRETIONARY), "giver and taker are both Discretionary"),
    ],
)
def test_an_impossible_transfer_is_refused_with_a_sentence(log, move, sentence):
    log.fill("100", "10", strategy=DISCRETIONARY)
    with pytest.raises(TransferError, match=sentence):
        propose(move, log.books(), ())


def test_an_instrument_with_an_open_break_is_left_alone(log):
    log.fill("100", "10", strategy=DISCRETIONARY)
    found = Break(account="DU1", instrument="SPY", expected=D(100), broker=D(90), first_seen=0, first_seq=1, seq=1)
    with pytest.raises(TransferError, match=r"books and broker differ on SPY in DU1 \(100 and 90\)"):
        propose(a_move(), log.books(), (found,))


def test_a_reversal_restores_both_books_and_happens_once(log):
    log.fill("100", "10", strategy=DISCRETIONARY)
    log.fill("-40", "13")
    before = figures(log, DISCRETIONARY), figures(log, "trend")
    name = book_it(log, proposed(log, price=D("11.11")))
    book_it(log, taken_back(log, name))
    assert (figures(log, DISCRETIONARY), figures(log, "trend")) == before
    with pytest.raises(TransferError, match="A3 has already been reversed by A5"):
        taken_back(log, name)
    with pytest.raises(TransferError, match="A5 is itself the reversal of A3"):
        taken_back(log, "A5")
    with pytest.raises(TransferError, match="the journal has no transfer A9"):
        taken_back(log, "A9")


def test_taking_it_back_leaves_later_fills_as_if_it_had_never_been(log):
    log.fill("100", "10", strategy=DISCRETIONARY)
    log.fill("50", "12")
    name = book_it(log, proposed(log))
    bought = log.fill("20", "15")
    log.charge(bought, "1")
    book_it(log, taken_back(log, name))
    assert figures(log, "trend") == (D(70), D(900), ZERO)
    assert figures(log, DISCRETIONARY) == (D(100), D(1000), ZERO)


def test_units_used_meanwhile_cannot_be_reversed(log):
    log.fill("100", "10", strategy=DISCRETIONARY)
    name = book_it(log, proposed(log))
    log.fill("-30", "15")
    with pytest.raises(TransferError, match=r"A2 cannot be reversed: trend has sold 30 SPY since then \(entry 4\)"):
        taken_back(log, name)


def test_what_was_passed_on_comes_back_in_reverse_order_only(log):
    log.fill("100", "10", strategy=DISCRETIONARY)
    first = book_it(log, proposed(log))
    second = book_it(log, proposed(log, giver="trend", taker="calm"))
    with pytest.raises(TransferError, match=r"trend has been adjusted by -100 SPY since then"):
        taken_back(log, first)
    book_it(log, taken_back(log, second))
    book_it(log, taken_back(log, first))
    assert [figures(log, name) for name in (DISCRETIONARY, "trend", "calm")] == [
        (D(100), D(1000), ZERO),
        (ZERO, ZERO, ZERO),
        (ZERO, ZERO, ZERO),
    ]


def test_a_correction_of_what_was_moved_stays_with_the_giver(log):
    """The taker keeps the cost it was given; the giver, who bought at another price than was thought, bears it."""
    bought = log.fill("100", "10", strategy=DISCRETIONARY)
    book_it(log, proposed(log))
    log.correct(bought, "100", "11")
    assert figures(log, DISCRETIONARY) == (ZERO, ZERO, D(-100))
    assert figures(log, "trend") == (D(100), D(1000), ZERO)


QUANTITIES = st.decimals("0.1", "500", places=1).map(lambda q: q or D(1))
PRICES = st.decimals("0.01", "900", places=2)
FILLS = st.lists(st.tuples(QUANTITIES, st.sampled_from((1, -1)), PRICES, st.booleans()), min_size=1, max_size=8)


@settings(max_examples=200)
@given(fills=FILLS, part=st.decimals("0.01", "1", places=2), price=st.none() | PRICES)
def test_no_quantity_and_no_money_appears_or_vanishes_and_the_way_back_is_exact(new_log, fills, part, price):
    log = new_log()
    for quantity, sign, paid, own in fills:
        log.fill(str(quantity * sign), str(paid), strategy=DISCRETIONARY if own else "trend")
    log.fill("0.5", "7")
    log.fill("0.5", "7", strategy=DISCRETIONARY)
    before = figures(log, DISCRETIONARY), figures(log, "trend")
    if not before[0][0]:
        return
    name = book_it(log, proposed(log, str(abs(before[0][0]) * part), price=price))
    after = figures(log, DISCRETIONARY), figures(log, "trend")
    assert sum(b[0] for b in after) == sum(b[0] for b in before)
    assert sum(b[1] - b[2] for b in after) == sum(b[1] - b[2] for b in before)
    if price is None:
        assert after[0][2] == before[0][2]
    book_it(log, taken_back(log, name))
    assert (figures(log, DISCRETIONARY), figures(log, "trend")) == before


def test_the_way_back_is_taken_at_the_rate_of_the_way_there(log):
    log.fill("100", "10", strategy=DISCRETIONARY)
    made = proposed(log, price=D("12.50"))
    log.entries.extend(made.entries(log.next, 0, D("1.25")))
    assert log.books().get("DU1", DISCRETIONARY, "SPY").realized_base == D("312.5")
    log.entries.extend(taken_back(log, "A2").entries(log.next, 0, D("1.5")))
    assert log.books().get("DU1", DISCRETIONARY, "SPY").realized_base == 0
