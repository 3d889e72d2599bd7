"""Moving quantity between books: proposed by the portfolio manager, booked by the fill log in one transaction."""

from collections.abc import Sequence

from actors.base import Refs
from actors.messages.fill_log import BookAdjustments, BookTransfer, TransferBooked, TransferStale
from actors.messages.portfolio_manager import AssignmentRefused, ProposeAssignment, ProposeNetted, ProposeReversal
from actors.operator.actor_queries import answer_of
from actors.operator.core import Operator
from actors.operator.queries import SILENT, CommandRefused, Queries
from mats.ledger.reconciliation import NettedAction, NettedChange, Transfer
from mats.model import DISCRETIONARY, AccountId, InstrumentId, StrategyName
from mats.operator import protocol

MOVE_SECONDS = 5.0
TRIES = 3
"""How often a move is made anew, because fills changed the books between its making and its booking."""

Wish = ProposeAssignment | ProposeReversal


class Netting:
    """One command's split or expiry in books that net to zero."""

    def __init__(self, names: Refs, operator: Operator, asking: Queries) -> None:
        self._names, self._operator, self._asking = names, operator, asking

    def proposed(self, wish: NettedAction) -> NettedChange:
        """What it would make of the books; refused while an order of a holder is at work there."""
        answer = answer_of(self._names.portfolio, ProposeNetted(wish), object)
        if isinstance(answer, AssignmentRefused):
            raise CommandRefused(answer.reason)
        if not isinstance(answer, NettedChange):
            raise CommandRefused(SILENT)
        first = answer.before[0]
        require_quiet(self._asking, [book.strategy for book in answer.before], first.account, first.instrument)
        return answer

    def book(self, wish: NettedAction) -> protocol.BaseResponse:
        """All entries in one transaction, or none where a fill came between: the books say which."""
        change = self.proposed(wish)
        self._names.fill_log.tell(BookAdjustments(change.adjustments, as_of=change.as_of))
        self._operator.until(self._operator.caught_up, MOVE_SECONDS)
        held = {book.key: book.quantity for book in self._asking.portfolio().books}
        if any(held.get(book.key) != book.quantity for book in change.after):
            raise CommandRefused("the books have changed meanwhile, or are not there yet; look at `mats books` first")
        return protocol.Done(
            text=f"{wish.action.text} is booked to {', '.join(book.strategy for book in change.after)}"
        )


def require_quiet(
    asking: Queries, strategies: Sequence[StrategyName], account: AccountId, instrument: InstrumentId
) -> None:
    """An order that was sized to a book must not find another one."""
    for order in asking.orders(strategies):
        if (order.account, order.instrument) == (account, instrument):
            raise CommandRefused(
                f"order {order.intent_id} of {order.strategy} in {order.instrument} is {order.state}; wait for its"
                f" end or cancel it with `mats cancel {order.intent_id}`"
            )


class TransferOperation:
    """One command's assignment, or the way back from one."""

    def __init__(self, names: Refs, operator: Operator, asking: Queries) -> None:
        self._names, self._operator, self._asking = names, operator, asking

    def _proposed(self, wish: Wish, strategies: Sequence[StrategyName]) -> Transfer:
        for name in strategies:
            if name != DISCRETIONARY:
                self._asking.named(name)
        answer = answer_of(self._names.portfolio, wish, object)
        if isinstance(answer, AssignmentRefused):
            raise CommandRefused(answer.reason)
        if not isinstance(answer, Transfer):
            raise CommandRefused(SILENT)
        require_quiet(self._asking, [leg.strategy for leg in answer.legs], answer.account, answer.instrument)
        return answer

    def preview(self, wish: Wish, strategies: Sequence[StrategyName]) -> protocol.Preview:
        """What it would make of both books."""
        assignment = self._proposed(wish, strategies)
        place = (assignment.account, assignment.instrument)
        held = {
            (position.account, position.instrument): position.quantity for position in self._asking.portfolio().broker
        }
        return protocol.Preview(assignment=assignment, broker=held.get(place))

    def move(self, wish: Wish, strategies: Sequence[StrategyName]) -> protocol.BaseResponse:
        """Both legs were made for the books of one moment; where a fill came between, they are made anew."""
        for _ in range(TRIES):
            assignment = self._proposed(wish, strategies)
            booked = self._booked(assignment)
            if isinstance(booked, TransferBooked):
                self._operator.until(self._operator.caught_up, MOVE_SECONDS)
                if assignment.reverses:
                    return protocol.Done(text=f"{booked.id} has taken {assignment.reverses} back")
                back = f"`mats books assign --reverse {booked.id} --reason …` takes it back"
                return protocol.Done(text=f"{booked.id} is booked; {back}")
            if not isinstance(booked, TransferStale):
                raise CommandRefused("the fill log has not confirmed it and may still book it; `mats books` shows")
        raise CommandRefused("fills change these books too fast; halt or stop the strategy first")

    def _booked(self, assignment: Transfer) -> object:
        return answer_of(self._names.fill_log, BookTransfer(assignment), object, MOVE_SECONDS)
