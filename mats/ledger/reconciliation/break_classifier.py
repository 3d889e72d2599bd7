"""Finds the possible causes of open breaks from the broker's figures and the books. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations

from mats.ledger.books import Books
from mats.ledger.reconciliation.break_causes import (
    BreakCause,
    ExerciseCause,
    ExpiryCause,
    SplitCause,
    SymbolChangeCause,
)
from mats.ledger.reconciliation.breaks import Break
from mats.ledger.reconciliation.contract_terms import is_stock, terms_of
from mats.model import ZERO, AccountId, BrokerPosition, Nanos, PositionKey

RATIOS = (
    *((new, 1) for new in range(2, 101)),
    *((1, old) for old in range(2, 101)),
    (3, 2), (2, 3), (4, 3), (3, 4), (5, 2), (2, 5), (5, 3), (3, 5), (5, 4), (4, 5), (6, 5), (5, 6),
)  # fmt: skip
"""Splits that companies make: new units for old ones."""
COST_TOLERANCE = Decimal("0.02")
"""Accepted deviation of the broker's average cost from the expected one: it may include commissions or not."""
FRACTION = Decimal(1)
"""A reverse split leaves fractions of a unit, which are paid out in cash."""
MAX_OPTIONS = 8
"""Combinations are tried among at most this many missing options of one underlying."""


class ReconciliationSnapshot:
    """Open breaks, books and the broker's positions at one comparison."""

    def __init__(
        self,
        breaks: Mapping[PositionKey, Break],
        books: Books,
        positions: Mapping[PositionKey, BrokerPosition],
        now: Nanos,
    ) -> None:
        self.breaks, self.books, self.positions, self.now = breaks, books, positions, now

    def cost_before(self, found: Break) -> Decimal:
        """The cost of one unit when both last agreed, by the broker, else by the books; 0 where neither knows it."""
        if found.agreed is not None and found.agreed.average_cost:
            return found.agreed.average_cost
        cost = sum((book.cost for book in self.books.of_instrument(*found.key)), ZERO)
        return cost / found.expected if found.expected else ZERO

    def cost_now(self, found: Break) -> Decimal:
        position = self.positions.get(found.key)
        return position.average_cost if position else ZERO


def classify_breaks(snapshot: ReconciliationSnapshot) -> dict[PositionKey, tuple[BreakCause, ...]]:
    """The possible causes of each open break, the likeliest first; a break without any is left out.

    A cause that concerns two positions, such as a change of symbol, is listed for both.
    """
    suspects: dict[PositionKey, list[BreakCause]] = {}
    newcomers: dict[tuple[AccountId, Decimal], list[Break]] = {}
    for found in snapshot.breaks.values():
        if not found.expected and is_stock(found.instrument):
            newcomers.setdefault((found.account, found.broker), []).append(found)
    for found in snapshot.breaks.values():
        for action, keys in _causes_of(snapshot, found, newcomers):
            for key in keys:
                suspects.setdefault(key, []).append(action)
    for exercise, keys in _exercises(snapshot):
        for key in keys:
            suspects[key] = [exercise]
    return {key: tuple(dict.fromkeys(actions)) for key, actions in suspects.items()}


def _causes_of(
    snapshot: ReconciliationSnapshot, found: Break, newcomers: Mapping[tuple[AccountId, Decimal], Sequence[Break]]
) -> Iterator[tuple[BreakCause, tuple[PositionKey, ...]]]:
    if found.expected and found.broker:
        if split := _split(found, snapshot.cost_before(found), snapshot.cost_now(found)):
            yield split, (found.key,)
    elif found.expected:
        terms = terms_of(found.instrument)
        if terms is not None and terms.has_expired(snapshot.now):
            yield ExpiryCause(found.instrument), (found.key,)
        same = newcomers.get((found.account, found.expected), ()) if is_stock(found.instrument) else ()
        for other in same:
            if _same_cost(snapshot, found, other):
                yield SymbolChangeCause(found.instrument, other.instrument), (found.key, other.key)


def _split(found: Break, before: Decimal, after: Decimal) -> SplitCause | None:
    """The split that explains quantity and cost best: one grows as the other shrinks."""
    if found.expected * found.broker < 0 or before * after <= 0:
        return None
    fits: list[tuple[Decimal, int, SplitCause]] = []
    for new, old in RATIOS:
        missing = abs(found.expected * new / old - found.broker)
        drift = abs(after * new / (before * old) - 1)
        if missing < FRACTION and drift <= COST_TOLERANCE:
            fits.append((missing + drift, new + old, SplitCause(found.instrument, new, old)))
    return min(fits, key=lambda fit: fit[:2])[2] if fits else None


def _same_cost(snapshot: ReconciliationSnapshot, gone: Break, other: Break) -> bool:
    """Whether as many shares that came in under a new name cost the same."""
    position = snapshot.positions[other.key]
    held = snapshot.books.of_instrument(*gone.key)
    if any((book.currency, book.multiplier) != (position.currency, position.multiplier) for book in held):
        return False
    before = snapshot.cost_before(gone)
    return bool(before) and abs(position.average_cost / before - 1) <= COST_TOLERANCE


def _exercises(snapshot: ReconciliationSnapshot) -> Iterator[tuple[ExerciseCause, tuple[PositionKey, ...]]]:
    """Missing options whose deliveries add up to the change of their underlying."""
    delivered: dict[PositionKey, list[tuple[Break, ExerciseCause]]] = {}
    for found in snapshot.breaks.values():
        if exercise := _exercise(snapshot, found):
            delivered.setdefault((found.account, exercise.underlying), []).append((found, exercise))
    for key, options in delivered.items():
        underlying = snapshot.breaks.get(key)
        chosen = _adding_up(options[:MAX_OPTIONS], underlying.difference) if underlying else ()
        for found, exercise in chosen:
            yield exercise, (found.key, key)


def _exercise(snapshot: ReconciliationSnapshot, found: Break) -> ExerciseCause | None:
    """The exercise of the missing contracts. Where some are left, only a sole holder can have lost them."""
    terms = terms_of(found.instrument)
    held = [book for book in snapshot.books.of_instrument(*found.key) if book.quantity]
    gone = -found.difference
    if terms is None or not terms.right or not held or gone * found.expected <= 0 or found.broker * found.expected < 0:
        return None
    if found.broker and len(held) > 1:
        return None
    units = terms.units_delivered(gone, held[0].multiplier)
    return ExerciseCause(found.instrument, terms.underlying, gone, units, terms.strike)


def _adding_up(options: list[tuple[Break, ExerciseCause]], units: Decimal) -> tuple[tuple[Break, ExerciseCause], ...]:
    """The largest set of options whose deliveries add up to `units`."""
    for size in range(len(options), 0, -1):
        for chosen in combinations(options, size):
            if sum(exercise.units for _, exercise in chosen) == units:
                return chosen
    return ()
