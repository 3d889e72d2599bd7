"""Flattening: cancel orders, close positions, and certify the outcome."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from actors.base import Refs
from actors.messages.ib_pool import LeaseConnection
from actors.messages.portfolio_manager import PortfolioSnapshot
from actors.messages.risk_manager import PlaceOrder
from actors.operator.operator import Operator
from actors.operator.queries import NoAnswer, answered, ask
from mats.ledger.books import Book
from mats.model import (
    DISCRETIONARY,
    ZERO,
    CancelRequest,
    IntentId,
    OrderRequest,
    OrderState,
    OrderView,
    PositionKey,
    Side,
    StrategyName,
)
from mats.operator import Certificate, HoldingRow, Remainder
from mats.orders import Rejected
from mats.runtime import Runtime
from mats.store.journal import Journal

CANCEL_SECONDS = 8.0
ORDER_SECONDS = 6.0
"""How long a round of closing orders may take before the books are looked at again."""
ROUNDS = 4
AGREE_SECONDS = 3.0
"""How long the broker's positions may take to show the last fills."""
NOT_COMPARED = Remainder(
    what="the broker's positions", why="the portfolio manager does not answer, so nothing compared the books with them"
)
AGAIN_SECONDS = 1.0
"""Delay before a rejected order is requested again: a connection may just be starting."""


class FlattenOperation:
    """One command; made for each."""

    def __init__(self, runtime: Runtime, refs: Refs, operator: Operator, journal: Path) -> None:
        self._runtime, self._refs, self._operator, self._path = runtime, refs, operator, journal
        self._placed: list[IntentId] = []
        self._rejected: dict[tuple[str, str, str], str] = {}

    def cancel(self, orders: Sequence[OrderView]) -> Certificate:
        """Cancel these orders and wait until each is final, or the time is over."""
        now = self._runtime.clock.now()
        for order in orders:
            self._refs.orders.tell(CancelRequest(intent_id=order.intent_id, strategy=order.strategy, time=now))
        ended = self._ended([order.intent_id for order in orders], CANCEL_SECONDS)
        return Certificate(
            cancelled=tuple(view for view in ended if view.state is OrderState.CANCELLED),
            remains=tuple(_not_cancelled(view) for view in ended if view.state is not OrderState.CANCELLED),
        )

    def flatten(self, strategies: Collection[StrategyName], orders: Sequence[OrderView], reason: str) -> Certificate:
        """Halt, cancel, then close with market orders until every book is flat or the rounds are over."""
        for strategy in strategies:
            self._operator.halt(strategy, f"flattened: {reason}" if reason else "flattened by an operator")
            self._refs.pool.tell(LeaseConnection(strategy))
        cancelled = self.cancel(orders)
        held = self._books(strategies)
        touched = [] if held is None else [book for book in held if book.quantity]
        for _ in range(ROUNDS):
            if self._close(strategies, reason):
                break
        left = self._books(strategies)
        closing_orders = self._views(self._placed)
        return Certificate(
            cancelled=cancelled.cancelled,
            closing=tuple(closing_orders),
            flat=tuple(_holding(book) for book in left or () if not book.quantity and _was(book, touched)),
            remains=(*cancelled.remains, *self._remains(left, touched)),
            halted=tuple(strategies),
        )

    # Closing

    def _close(self, strategies: Collection[StrategyName], reason: str) -> bool:
        """One round: an order for each open book, and the wait until they are final. True once all books are flat."""
        books = self._books(strategies)
        if books is None:
            return False
        self._rejected.clear()
        placed = [intent for book in books if book.quantity and (intent := self._order(book, reason))]
        self._placed += placed
        self._ended(placed, ORDER_SECONDS)
        self._operator.until(self._operator.caught_up, ORDER_SECONDS)
        return self._operator.until(lambda: self._flat(strategies), AGAIN_SECONDS)

    def _flat(self, strategies: Collection[StrategyName]) -> bool:
        books = self._books(strategies)
        return books is not None and not any(book.quantity for book in books)

    def _order(self, book: Book, reason: str) -> IntentId | None:
        """Request the order that closes a book; None, and the reason kept, where it is rejected."""
        if any(order.instrument == book.instrument for order in self._working(book.strategy)):
            self._rejected[book.key] = "an order for it is still working"
            return None
        request = OrderRequest(
            intent_id=self._mint(),
            strategy=book.strategy,
            instrument=book.instrument,
            side=Side.of(-book.quantity),
            quantity=abs(book.quantity),
            time=self._runtime.clock.now(),
            reason=f"flatten: {reason}",
            account=book.account,
            reduce_only=True,
        )
        try:
            decision = ask(self._refs.risk, PlaceOrder(request), "the risk manager")
        except NoAnswer as error:
            self._rejected[book.key] = str(error)
            return None
        if isinstance(decision, Rejected):
            self._rejected[book.key] = decision.order.note
            return None
        return None if decision is None else decision.intent_id

    def _mint(self) -> IntentId:
        with closing(Journal(self._path)) as journal:
            return f"{journal.branch()}-{self._runtime.next_id()}"

    # State

    def _books(self, strategies: Collection[StrategyName]) -> list[Book] | None:
        portfolio = answered(self._operator.queries.portfolio)
        return None if portfolio is None else [book for book in portfolio.books if book.strategy in strategies]

    def _working(self, strategy: StrategyName) -> list[OrderView]:
        return [order for order in answered(self._operator.queries.orders) or () if order.strategy == strategy]

    def _ended(self, intents: Sequence[IntentId], seconds: float) -> list[OrderView]:
        """The orders as they are once all are final in the journal, or the time is over."""
        self._operator.until(lambda: self._all_final(intents), seconds)
        return self._views(intents)

    def _all_final(self, intents: Sequence[IntentId]) -> bool:
        """An order that risk has just approved may not be in the journal yet: it is not final."""
        views = self._views(intents)
        return len(views) == len(intents) and all(view.state.final for view in views)

    def _views(self, intents: Sequence[IntentId]) -> list[OrderView]:
        with closing(Journal(self._path)) as journal:
            found = [journal.order(intent) for intent in intents]
        return [order.view for order in found if order is not None]

    def _remains(self, left: Sequence[Book] | None, touched: Sequence[Book]) -> list[Remainder]:
        if left is None:
            return [Remainder(what="the books", why="the portfolio manager does not answer; `mats status` shows why")]
        held = [
            Remainder(
                what=f"{book.strategy} holds {book.quantity:f} {book.instrument} in {book.account}",
                why=self._rejected.get(book.key) or self._unfilled(book),
            )
            for book in left
            if book.quantity
        ]
        return held + self._differences(touched)

    def _differences(self, touched: Sequence[Book]) -> list[Remainder]:
        """Where the broker's positions do not show what the books do; fills and positions may take a moment to meet."""
        places = {(book.account, book.instrument) for book in touched}
        found: list[Remainder] = []

        def agree() -> bool:
            portfolio = answered(self._operator.queries.portfolio)
            found[:] = [NOT_COMPARED] if portfolio is None else _differing(portfolio, places)
            return not found

        self._operator.until(agree, AGREE_SECONDS)
        return found

    def _unfilled(self, book: Book) -> str:
        """Why a closing order that was accepted has closed nothing yet, in the broker's words where it said any."""
        placed = [view for view in self._views(self._placed) if not view.state.final]
        said = next((v.note for v in placed if (v.account, v.strategy, v.instrument) == book.key), "")
        return f"its closing order has not filled in time{f' ({said})' if said else ''}; `mats status` shows it"


def discretionary_remains(books: Sequence[Book]) -> tuple[Remainder, ...]:
    """What flattening every strategy leaves alone."""
    return tuple(
        Remainder(
            what=f"{DISCRETIONARY} holds {book.quantity:f} {book.instrument} in {book.account}",
            why="no strategy owns it; trade it at TWS, or give it to a strategy with `mats books assign`",
        )
        for book in books
        if book.strategy == DISCRETIONARY and book.quantity
    )


def _differing(portfolio: PortfolioSnapshot, places: Collection[PositionKey]) -> list[Remainder]:
    """The places where the broker's position is not the sum of the books."""
    at_broker = {(held.account, held.instrument): held.quantity for held in portfolio.broker}
    booked: defaultdict[PositionKey, Decimal] = defaultdict(Decimal)
    for book in portfolio.books:
        booked[book.account, book.instrument] += book.quantity
    return [
        Remainder(
            what=f"the broker holds {at_broker.get(key, ZERO):f} {key[1]} in {key[0]}, all books {booked[key]:f}",
            why="a report may still be missing, or something was traded elsewhere; `mats breaks` follows it up",
        )
        for key in sorted(places)
        if at_broker.get(key, ZERO) != booked[key]
    ]


def _not_cancelled(view: OrderView) -> Remainder:
    order = f"order {view.intent_id} of {view.strategy}, {view.side} {view.quantity:f} {view.instrument}"
    match view.state:
        case OrderState.FILLED:
            why = "it filled before the cancel arrived"
        case OrderState.REJECTED:
            why = f"it had been rejected: {view.note}"
        case _:
            why = f"it is {view.state} and the broker has not confirmed the cancel yet; it can still fill"
    return Remainder(what=order, why=why)


def _holding(book: Book) -> HoldingRow:
    return HoldingRow(account=book.account, strategy=book.strategy, instrument=book.instrument, quantity=book.quantity)


def _was(book: Book, before: Sequence[Book]) -> bool:
    return any(book.key == other.key for other in before)
