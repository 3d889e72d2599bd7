"""The snapshot: all that the broker knows, complete or not at all; but for what cannot be decoded, which is an event.

Positions, open orders and completed orders are requested at once; executions last, so that they cover every fill that
the others show. Commissions have no end marker: those that came by then are included, later ones are events.
"""

from collections.abc import Callable, Hashable
from contextlib import AsyncExitStack
from enum import StrEnum
from typing import Any, TypeVar

from ib_async.objects import ExecutionFilter

from mats.ib.callbacks import Callbacks
from mats.ib.errors import IncompleteSnapshot, RequestTimedOut
from mats.ib.pacing import SendLane
from mats.ib.pending_requests import PendingAnswer, PendingRequests, PendingSnapshot
from mats.ib.requests import BrokerRequests, while_progressing
from mats.model import BrokerOrder, BrokerOrderStatus, BrokerSnapshot

T = TypeVar("T")

MASTER = 0
"""The client id that sees the orders of every client."""

EXECUTIONS = "executions"
WITH_END = (PendingSnapshot.POSITIONS, PendingSnapshot.OPEN_ORDERS, PendingSnapshot.COMPLETED_ORDERS)
ENDING = (*WITH_END, EXECUTIONS, PendingSnapshot.SERVER_TIME)


class ExecutionsEnd(StrEnum):
    """What a missing end of the executions means: real gateways were seen to send none for an idle account.

    `REQUIRED`: the snapshot is incomplete. `SILENCE_IF_IDLE`: there are none, if everything else is complete, no
    execution came meanwhile, no order has a fill, and a request that was sent later was answered.
    """

    REQUIRED = "REQUIRED"
    SILENCE_IF_IDLE = "SILENCE_IF_IDLE"


class SnapshotRequests:
    """The requests that make up one snapshot."""

    def __init__(
        self, client: Any, client_id: int, requests: BrokerRequests, pending: PendingRequests, callbacks: Callbacks
    ) -> None:
        self._client, self._client_id = client, client_id
        self._requests, self._pending, self._callbacks = requests, pending, callbacks

    async def run(self, silence: float, policy: ExecutionsEnd) -> BrokerSnapshot:
        """Everything, or `IncompleteSnapshot` naming what is missing once nothing came of it for `silence` seconds."""
        answers: dict[str, PendingAnswer[Any]] = {}
        async with AsyncExitStack() as stack:
            try:
                async with while_progressing("snapshot", silence, lambda: _received(answers)):
                    await self._ask(stack, answers)
            except RequestTimedOut as error:
                if not (policy is ExecutionsEnd.SILENCE_IF_IDLE and _idle(answers)):
                    raise IncompleteSnapshot(self._missing(silence, answers)) from error
            if self._client_id != MASTER:
                # Each change of a position would be sent to every strategy's connection; client 0 reports them.
                self._requests.send_urgently(self._client.cancelPositions)
            return _collect(answers)

    async def _ask(self, stack: AsyncExitStack, answers: dict[str, PendingAnswer[Any]]) -> None:
        client, ask = self._client, self._requests.ask_without_id
        # Client 0 must not use reqOpenOrders: it binds manual orders, which cancels and resubmits them.
        open_orders = client.reqAllOpenOrders if self._client_id == MASTER else client.reqOpenOrders
        answers[PendingSnapshot.POSITIONS] = await stack.enter_async_context(
            ask(PendingSnapshot.POSITIONS, client.reqPositions)
        )
        for kind in (PendingSnapshot.INSTRUMENTS, PendingSnapshot.COMMISSIONS):
            answers[kind] = stack.enter_context(self._pending.collecting(kind))
        answers[PendingSnapshot.OPEN_ORDERS] = await stack.enter_async_context(
            ask(PendingSnapshot.OPEN_ORDERS, open_orders)
        )
        answers[PendingSnapshot.COMPLETED_ORDERS] = await stack.enter_async_context(
            ask(PendingSnapshot.COMPLETED_ORDERS, lambda: client.reqCompletedOrders(False))
        )
        for kind in WITH_END:
            await answers[kind]
        answers[EXECUTIONS] = await stack.enter_async_context(
            self._requests.ask_with_id(
                EXECUTIONS, lambda key: client.reqExecutions(key, ExecutionFilter()), lane=SendLane.LINK
            )
        )
        answers[PendingSnapshot.SERVER_TIME] = await stack.enter_async_context(
            ask(PendingSnapshot.SERVER_TIME, client.reqCurrentTime)
        )
        await answers[EXECUTIONS]
        await answers[PendingSnapshot.SERVER_TIME]

    def _missing(self, silence: float, answers: dict[str, PendingAnswer[Any]]) -> str:
        missing = [name for name in ENDING if name not in answers or not answers[name].ended]
        last = self._callbacks.notices.last
        notice = f"; the gateway's last notice: {last}" if last else ""
        came = len(answers[EXECUTIONS].items) if EXECUTIONS in answers else 0
        kept = f", {came:,} executions came before" if came else ""
        return (
            f"snapshot: no end of {', '.join(missing)} in {silence:g} s of silence{kept}; this does not mean that"
            f" there is none{notice}"
        )


def _received(answers: dict[str, PendingAnswer[Any]]) -> int:
    """How far the answers are that have an end: what comes after it, or beside them, is an update."""
    return sum(answers[name].received for name in ENDING if name in answers)


def _idle(answers: dict[str, PendingAnswer[Any]]) -> bool:
    """Whether all but the end of the executions came, and nothing that came shows an execution."""
    if (
        EXECUTIONS not in answers
        or PendingSnapshot.SERVER_TIME not in answers
        or not answers[PendingSnapshot.SERVER_TIME].ended
    ):
        return False
    orders: list[BrokerOrder] = (
        answers[PendingSnapshot.OPEN_ORDERS].items + answers[PendingSnapshot.COMPLETED_ORDERS].items
    )
    return not answers[EXECUTIONS].items and not any(
        order.filled or order.status is BrokerOrderStatus.FILLED for order in orders
    )


def _collect(answers: dict[str, PendingAnswer[Any]]) -> BrokerSnapshot:
    """The newest report of each position and order; every execution and commission, each once."""
    items = {name: answer.items for name, answer in answers.items()}
    return BrokerSnapshot(
        executions=_last(items[EXECUTIONS], lambda e: (e.account, e.exec_id)),
        commissions=_last(items[PendingSnapshot.COMMISSIONS], lambda c: c.exec_id),
        open_orders=_last(items[PendingSnapshot.OPEN_ORDERS], lambda o: (o.client_id, o.order_id, o.perm_id)),
        completed_orders=_last(items[PendingSnapshot.COMPLETED_ORDERS], lambda o: (o.perm_id, o.order_ref)),
        positions=_last(items[PendingSnapshot.POSITIONS], lambda p: (p.account, p.instrument)),
        instruments=_last(items[PendingSnapshot.INSTRUMENTS], lambda i: i.id),
    )


def _last(items: list[T], key: Callable[[T], Hashable]) -> tuple[T, ...]:
    return tuple({key(item): item for item in items}.values())
