"""Books against two naive oracles over random histories: exact fractions, and the list of trades."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from mats.ledger.book import COST_QUANTUM
from mats.ledger.books import Books, refold

QUANTITIES = st.integers(-300, 300).filter(bool).map(lambda n: Decimal(n) / 4)
PRICES = st.integers(1, 10_000_000).map(lambda n: Decimal(n) / 10_000)
KINDS = st.sampled_from(["fill"] * 6 + ["correct", "bust", "adjust", "charge", "again"])
STEPS = st.lists(
    st.tuples(KINDS, QUANTITIES, PRICES, st.integers(0, 99), st.sampled_from(["trend", "revert"])), max_size=18
)


class Exact:
    """Average cost in fractions: nothing is ever rounded."""

    def __init__(self):
        self.quantity = self.cost = self.realized = self.adjusted = Fraction(0)
        self.reductions = 0

    def trade(self, quantity, price, realises=True):
        quantity, price = Fraction(quantity), Fraction(price)
        closing = Fraction(0)
        if self.quantity * quantity < 0:
            closing = max(-abs(self.quantity), -abs(quantity)) * (1 if self.quantity > 0 else -1)
            average = self.cost / self.quantity
            if realises:
                self.realized += -closing * (price - average)
            self.cost += closing * average
            self.reductions += 1
        self.quantity += quantity
        self.cost += (quantity - closing) * price
        if self.quantity == 0:
            self.reductions = 0


def latest(entries):
    """(quantity, price, realises) of each fill in its final form, and of each adjustment, in the log's order."""
    revisions = {e.execution.family: e.execution for e in entries if hasattr(e, "execution") and not is_charge(e)}
    steps, seen = [], set()
    for entry in entries:
        if is_charge(entry):
            continue
        if not hasattr(entry, "execution"):
            steps.append((entry.quantity, entry.price, False))
        elif entry.execution.family not in seen:
            seen.add(entry.execution.family)
            final = revisions[entry.execution.family]
            steps.append((final.signed_quantity, final.price, True))
    return steps


def is_charge(entry):
    return hasattr(entry, "commission")


def play(log, steps):
    """The books of a random history, fed one entry at a time, with repeated and outdated entries in between."""
    books, fills = Books(log.history), []
    for kind, quantity, price, pick, strategy in steps:
        chosen = fills[pick % len(fills)] if fills else None
        if kind == "fill":
            fills.append(log.fill(str(quantity), str(price), strategy))
        elif kind == "adjust":
            log.adjust(str(quantity), str(price), strategy)
        elif chosen is None:
            continue
        elif kind == "again":
            assert books.apply(chosen) == ()
            continue
        elif kind == "charge":
            if any(is_charge(e) and e.execution.exec_id == chosen.execution.exec_id for e in log.entries):
                continue
            log.charge(chosen, str(price))
        else:
            fixed = log.correct(chosen, str(quantity if kind == "correct" else 0), str(price))
            fills[pick % len(fills)] = fixed
        books.apply(log.entries[-1])
    return books


@settings(derandomize=True, max_examples=5_000, deadline=None)
@given(STEPS)
def test_quantity_cost_and_result_equal_exact_fractions(new_log, steps):
    log = new_log()
    books = play(log, steps)
    for book in books:
        entries = log.history(*book.key)
        exact = Exact()
        cash = Decimal(0)
        for quantity, price, realises in latest(entries):
            exact.trade(quantity, price, realises)
            cash += quantity * price
        tolerance = len(entries) * Fraction(COST_QUANTUM)
        assert book.quantity == exact.quantity
        assert abs(Fraction(book.cost) - exact.cost) <= tolerance
        assert abs(Fraction(book.realized) - exact.realized) <= tolerance
        if all(realises for *_, realises in latest(entries)):
            assert book.cost - book.realized == cash
            if book.quantity == 0:
                assert Fraction(book.realized) == exact.realized
        if book.quantity == 0:
            assert book.cost == 0
        assert book.entries == len(entries)
        assert refold(entries) == book
    net = sum((book.quantity for book in books), Decimal(0))
    assert books.net("DU1", "SPY") == net


@settings(derandomize=True, max_examples=500, deadline=None)
@given(STEPS)
def test_without_any_history_corrections_still_keep_quantity_and_total_result(new_log, steps):
    log = new_log()
    play(log, [step for step in steps if step[0] != "adjust"])
    books = Books(lambda *_: [])
    for entry in log.entries:
        books.apply(entry)
    for book in books:
        final = latest(log.history(*book.key))
        assert book.quantity == sum(quantity for quantity, *_ in final)
        assert book.cost - book.realized == sum(quantity * price for quantity, price, _ in final)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(STEPS, st.integers(0, 24))
def test_a_snapshot_in_the_middle_changes_nothing(new_log, steps, cut):
    log = new_log()
    whole = play(log, steps)
    half = Books(log.history)
    for entry in log.entries[:cut]:
        half.apply(entry)
    resumed = Books.load(half.dump(), log.history)
    for entry in log.entries:
        resumed.apply(entry)
    assert list(resumed) == list(whole)
