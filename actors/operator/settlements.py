"""Settling an order whose end the broker does not say: an operator's word, and the book that follows from it."""

from decimal import Decimal

from actors.base import Refs
from actors.messages.order_manager import SettlementRefused, SettleOrder
from actors.operator.operator import Operator
from actors.operator.queries import CommandRefused, NoAnswer, ask
from actors.operator.transfers import TransferOperation
from mats.ledger.reconciliation import TransferRequest
from mats.model import DISCRETIONARY, OrderState, OrderView
from mats.operator import protocol

SETTLE_SECONDS = 5.0


class SettlementOperation:
    """One command. The order ends first, because a book is not moved under an order that may still fill."""

    def __init__(self, refs: Refs, operator: Operator) -> None:
        self._refs, self._operator = refs, operator

    def settle(self, command: protocol.SettleOrderRequest, order: OrderView) -> protocol.BaseResponse:
        """End the order; where quantity or price are given, move what it filled from Discretionary to its strategy."""
        filled = self._filled(command, order)
        rest = order.remaining - filled
        state = OrderState.FILLED if not rest else OrderState.CANCELLED
        told = f"settled by an operator as {command.outcome}"
        told += f", {filled:f} of {order.quantity:f} without an execution" if filled else ""
        self._end(SettleOrder(intent_id=order.intent_id, state=state, reason=f"{told}: {command.reason}"))
        ended = f"order {order.intent_id} is {state}; {order.strategy} trades {order.instrument} again"
        if not filled:
            return protocol.Done(text=ended)
        return protocol.Done(text=f"{ended}; {self._moved(command, order, filled)}")

    def _filled(self, command: protocol.SettleOrderRequest, order: OrderView) -> Decimal:
        """What the operator says was filled beyond the executions in the books."""
        if command.outcome == "cancelled":
            if command.quantity is not None or command.price is not None:
                raise CommandRefused(
                    "a cancelled order has neither quantity nor price; settle it as filled, or omit them"
                )
            return Decimal(0)
        quantity = order.remaining if command.quantity is None else command.quantity
        if not quantity.is_finite() or not 0 < quantity <= order.remaining:
            raise CommandRefused(
                f"{quantity} units cannot have filled; give --quantity above 0 up to {order.remaining:f}, what is left"
            )
        if command.price is not None and not command.price.is_finite():
            raise CommandRefused(f"the price {command.price} is no number; give what one unit was traded at")
        return quantity

    def _end(self, question: SettleOrder) -> None:
        try:
            answer = ask(self._refs.orders, question, "the order manager", SETTLE_SECONDS)
        except NoAnswer:
            raise CommandRefused(
                "the order manager has not confirmed it and may still do it; `mats orders` shows whether it did"
            ) from None
        if isinstance(answer, SettlementRefused):
            raise CommandRefused(answer.reason)

    def _moved(self, command: protocol.SettleOrderRequest, order: OrderView, filled: Decimal) -> str:
        """Without an execution the broker's position shows the fill as Discretionary's."""
        later = (
            f"`mats books assign --from {DISCRETIONARY} --to {order.strategy} --instrument {order.instrument}"
            f" --quantity {filled:f}` moves it"
        )
        if command.quantity is None and command.price is None:
            return f"no book is changed; what the broker holds of it is {DISCRETIONARY}'s, and {later}"
        held = sum(
            book.quantity
            for book in self._operator.queries.portfolio().books
            if (book.strategy, book.account, book.instrument) == (DISCRETIONARY, order.account, order.instrument)
        )
        if held * order.side.sign < filled:
            return f"no book is changed, because {DISCRETIONARY} holds {held:f}; once it has the fill {later}"
        move = TransferRequest(
            giver=DISCRETIONARY,
            taker=order.strategy,
            instrument=order.instrument,
            quantity=filled,
            price=command.price,
            account=order.account,
            reason=f"order {order.intent_id} settled as filled: {command.reason}",
        )
        try:
            booked = TransferOperation(self._refs, self._operator).book(move, (order.strategy,))
        except CommandRefused as error:
            return f"no book is changed ({error}); later {later}"
        return protocol.outcome(booked)
