"""Transfers between books: proposed by the portfolio manager, booked by the fill log in one transaction."""

from collections.abc import Sequence

from actors.base import Refs
from actors.messages.fill_log import BookAdjustments, BookTransfer, TransferBooked, TransferRefused, TransferStale
from actors.messages.portfolio_manager import AssignmentRefused, ProposeNetted, ProposeTransfer, ReversalRequest
from actors.operator.operator import Operator
from actors.operator.queries import CommandRefused, NoAnswer, Queries, ask
from mats.ledger.reconciliation import NettedAction, NettedChange, Transfer, TransferRequest
from mats.model import DISCRETIONARY, AccountId, InstrumentId, StrategyName
from mats.operator import protocol

BOOK_SECONDS = 5.0
TRIES = 3
"""How often a transfer is proposed again because fills changed the books before it was booked."""

Request = TransferRequest | ReversalRequest


class Netting:
    """One command's split or expiry in books that net to zero."""

    def __init__(self, refs: Refs, operator: Operator) -> None:
        self._refs, self._operator, self._queries = refs, operator, operator.queries

    def proposed(self, action: NettedAction) -> NettedChange:
        """The books before and after; refused while a holder has a working order in the instrument."""
        answer = ask(self._refs.portfolio, ProposeNetted(action), "the portfolio manager")
        if isinstance(answer, AssignmentRefused):
            raise CommandRefused(answer.reason)
        first = answer.before[0]
        require_quiet(self._queries, [book.strategy for book in answer.before], first.account, first.instrument)
        return answer

    def book(self, action: NettedAction) -> protocol.BaseResponse:
        """All entries in one transaction, or none where a fill came first: the books show which."""
        change = self.proposed(action)
        self._refs.fill_log.tell(BookAdjustments(change.adjustments, as_of=change.as_of))
        self._operator.until(self._operator.caught_up, BOOK_SECONDS)
        held = {book.key: book.quantity for book in self._queries.portfolio().books}
        if any(held.get(book.key) != book.quantity for book in change.after):
            raise CommandRefused("the books changed meanwhile, or the entries are not applied yet; check `mats books`")
        return protocol.Done(
            text=f"{action.action.text} is booked to {', '.join(book.strategy for book in change.after)}"
        )


def require_quiet(
    queries: Queries, strategies: Sequence[StrategyName], account: AccountId, instrument: InstrumentId
) -> None:
    """A book must not change under a working order that was sized to it."""
    for order in queries.orders():
        if order.strategy in strategies and (order.account, order.instrument) == (account, instrument):
            raise CommandRefused(
                f"order {order.intent_id} of {order.strategy} in {order.instrument} is {order.state}; wait until"
                f" it is final or cancel it with `mats cancel {order.intent_id}`"
            )


class TransferOperation:
    """One command's transfer, or the reversal of one."""

    def __init__(self, refs: Refs, operator: Operator) -> None:
        self._refs, self._operator, self._queries = refs, operator, operator.queries

    def _proposed(self, request: Request, strategies: Sequence[StrategyName]) -> Transfer:
        for name in strategies:
            if name != DISCRETIONARY:
                self._queries.strategies(name)
        answer = ask(self._refs.portfolio, ProposeTransfer(request), "the portfolio manager")
        if isinstance(answer, AssignmentRefused):
            raise CommandRefused(answer.reason)
        require_quiet(self._queries, [leg.strategy for leg in answer.legs], answer.account, answer.instrument)
        return answer

    def preview(self, request: Request, strategies: Sequence[StrategyName]) -> protocol.Preview:
        """Both books before and after."""
        assignment = self._proposed(request, strategies)
        place = (assignment.account, assignment.instrument)
        held = {
            (position.account, position.instrument): position.quantity for position in self._queries.portfolio().broker
        }
        return protocol.Preview(assignment=assignment, broker=held.get(place))

    def book(self, request: Request, strategies: Sequence[StrategyName]) -> protocol.BaseResponse:
        """Both legs are computed for the books of one moment; where a fill came first, they are computed again."""
        for _ in range(TRIES):
            assignment = self._proposed(request, strategies)
            booked = self._booked(assignment)
            if isinstance(booked, TransferBooked):
                self._operator.until(self._operator.caught_up, BOOK_SECONDS)
                if assignment.reverses:
                    return protocol.Done(text=f"{booked.id} has reversed {assignment.reverses}")
                back = f"`mats books assign --reverse {booked.id} --reason …` reverses it"
                return protocol.Done(text=f"{booked.id} is booked; {back}")
        raise CommandRefused("fills change these books too fast; halt or stop the strategy first")

    def _booked(self, assignment: Transfer) -> TransferBooked | TransferStale:
        try:
            answer = ask(self._refs.fill_log, BookTransfer(assignment), "the fill log", BOOK_SECONDS)
            if isinstance(answer, TransferRefused):
                raise CommandRefused(answer.reason)
            return answer
        except NoAnswer:
            raise CommandRefused(
                "the fill log has not confirmed it and may still book it; `mats books` shows whether it did"
            ) from None
