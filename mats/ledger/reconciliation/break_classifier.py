"""What the broker's figures say that a difference may be. Pure: open breaks and books in, suspects by place out."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations

from mats.ledger.books import Books
from mats.ledger.reconciliation.breaks import Break, PositionKey
from mats.ledger.reconciliation.contract_terms import is_stock, terms_of
from mats.ledger.reconciliation.corporate_actions import (
    Action,
    ExerciseCause,
    ExpiryCause,
    SplitCause,
    SymbolChangeCause,
)
from mats.model import ZERO, AccountId, BrokerPosition, Nanos

RATIOS = (
    *((new, 1) for new in range(2, 101)),
    *((1, old) for old in range(2, 101)),
    (3, 2), (2, 3), (4, 3), (3, 4), (5, 2), (2, 5), (5, 3), (3, 5), (5, 4), (4, 5), (6, 5), (5, 6),
)  # fmt: skip
"""Splits that companies make: new units for old ones."""
COST_TOLERANCE = Decimal("0.02")
"""How far the broker's average cost may be from what the action makes of it: commissions are in it or not."""
FRACTION = Decimal(1)
"""A reverse split leaves fractions of a unit, which are paid out in cash."""
MOST_OPTIONS = 8
"""Among so many missing options of one underlying it is tried which ones explain what came in."""


class ReconciliationSnapshot:
    """What is known at one look."""

    def __init__(
        self,
        breaks: Mapping[PositionKey, Break],
        books: Books,
        positions: Mapping[PositionKey, BrokerPosition],
        now: Nanos,
    ) -> None:
        self.breaks, self.books, self.positions, self.now = breaks, books, positions, now

    def cost_before(self, found: Break) -> Decimal:
        """What one unit cost when both last agreed, by the broker; else by the books; 0 where nothing is known."""
        if found.agreed is not None and found.agreed.average_cost:
            return found.agreed.average_cost
        cost = sum((book.cost for book in self.books.of_instrument(*found.place)), ZERO)
        return cost / found.expected if found.expected else ZERO

    def cost_now(self, found: Break) -> Decimal:
        position = self.positions.get(found.place)
        return position.average_cost if position else ZERO


def recognise(scene: ReconciliationSnapshot) -> dict[PositionKey, tuple[Action, ...]]:
    """What each open break may be, the likeliest first; a break that is like nothing is left out.

    One that belongs to two places, such as a change of symbol, stands at both.
    """
    suspects: dict[PositionKey, list[Action]] = {}
    newcomers: dict[tuple[AccountId, Decimal], list[Break]] = {}
    for found in scene.breaks.values():
        if not found.expected and is_stock(found.instrument):
            newcomers.setdefault((found.account, found.broker), []).append(found)
    for found in scene.breaks.values():
        for action, places in _suspected(scene, found, newcomers):
            for place in places:
                suspects.setdefault(place, []).append(action)
    for exercise, places in _exercises(scene):
        for place in places:
            suspects[place] = [exercise]
    return {place: tuple(dict.fromkeys(actions)) for place, actions in suspects.items()}


def _suspected(
    scene: ReconciliationSnapshot, found: Break, newcomers: Mapping[tuple[AccountId, Decimal], Sequence[Break]]
) -> Iterator[tuple[Action, tuple[PositionKey, ...]]]:
    if found.expected and found.broker:
        if split := _split(found, scene.cost_before(found), scene.cost_now(found)):
            yield split, (found.place,)
    elif found.expected:
        terms = terms_of(found.instrument)
        if terms is not None and terms.ended(scene.now):
            yield ExpiryCause(found.instrument), (found.place,)
        same = newcomers.get((found.account, found.expected), ()) if is_stock(found.instrument) else ()
        for other in same:
            if _same_cost(scene, found, other):
                yield SymbolChangeCause(found.instrument, other.instrument), (found.place, other.place)


def _split(found: Break, before: Decimal, after: Decimal) -> SplitCause | None:
    """The split that explains quantity and cost best: the one must grow as the other shrinks."""
    if found.expected * found.broker < 0 or before * after <= 0:
        return None
    fits: list[tuple[Decimal, int, SplitCause]] = []
    for new, old in RATIOS:
        missing = abs(found.expected * new / old - found.broker)
        drift = abs(after * new / (before * old) - 1)
        if missing < FRACTION and drift <= COST_TOLERANCE:
            fits.append((missing + drift, new + old, SplitCause(found.instrument, new, old)))
    return min(fits, key=lambda fit: fit[:2])[2] if fits else None


def _same_cost(scene: ReconciliationSnapshot, gone: Break, other: Break) -> bool:
    """The same number of shares came in under a name that nobody held: did they cost the same?"""
    position = scene.positions[other.place]
    held = scene.books.of_instrument(*gone.place)
    if any((book.currency, book.multiplier) != (position.currency, position.multiplier) for book in held):
        return False
    before = scene.cost_before(gone)
    return bool(before) and abs(position.average_cost / before - 1) <= COST_TOLERANCE


def _exercises(scene: ReconciliationSnapshot) -> Iterator[tuple[ExerciseCause, tuple[PositionKey, ...]]]:
    """Missing options whose deliveries add up to what came in of their underlying."""
    delivered: dict[PositionKey, list[tuple[Break, ExerciseCause]]] = {}
    for found in scene.breaks.values():
        if exercise := _exercise(scene, found):
            delivered.setdefault((found.account, exercise.underlying), []).append((found, exercise))
    for place, options in delivered.items():
        underlying = scene.breaks.get(place)
        chosen = _adding_up(options[:MOST_OPTIONS], underlying.difference) if underlying else ()
        for found, exercise in chosen:
            yield exercise, (found.place, place)


def _exercise(scene: ReconciliationSnapshot, found: Break) -> ExerciseCause | None:
    """What the missing contracts would have delivered. Where some are left, only a sole holder can have lost them."""
    terms = terms_of(found.instrument)
    held = [book for book in scene.books.of_instrument(*found.place) if book.quantity]
    gone = -found.difference
    if terms is None or not terms.right or not held or gone * found.expected <= 0 or found.broker * found.expected < 0:
        return None
    if found.broker and len(held) > 1:
        return None
    units = terms.delivered(gone, held[0].multiplier)
    return ExerciseCause(found.instrument, terms.underlying, gone, units, terms.strike)


def _adding_up(options: list[tuple[Break, ExerciseCause]], units: Decimal) -> tuple[tuple[Break, ExerciseCause], ...]:
    """The most options whose deliveries come to `units`."""
    for size in range(len(options), 0, -1):
        for chosen in combinations(options, size):
            if sum(exercise.units for _, exercise in chosen) == units:
                return chosen
    return ()
