"""Turns fills into executions: booked to the account, numbered and stored."""

from mats.gateway.accounts import AccountService
from mats.gateway.orders.order_store import OrderFill, OrderStore
from mats.model import Clock
from mats.venue.markets import Universe
from mats.venue.matching import Clearing, VenueTrade


class PostTrade:
    """Books and stores trades and corrections."""

    def __init__(
        self, clock: Clock, universe: Universe, clearing: Clearing, store: OrderStore, account_service: AccountService
    ) -> None:
        self._clock, self._universe, self._clearing = clock, universe, clearing
        self._store, self._account_service = store, account_service

    def record(self, trade: VenueTrade) -> OrderFill:
        """Books and stores a fill."""
        order, now = trade.order, self._clock.now()
        account = self._account_service.accounts[order.account]
        settlement = self._clearing.settle(account, trade, now)
        self._account_service.queue_change(account, self._universe.instrument(order.instrument))
        if not order.working:
            order.completed = now
        fill = OrderFill(
            exec_id=self._store.new_exec_id(),
            perm_id=order.perm_id,
            client_id=order.client_id,
            order_id=order.order_id,
            account=order.account,
            instrument=order.instrument,
            side=order.side,
            quantity=trade.quantity,
            price=trade.price,
            time=now,
            cumulative=trade.filled,
            average=trade.value / trade.filled,
            order_ref=order.order_ref,
            commission=settlement.fee,
            realized=settlement.realized,
        )
        self._store.save_order(order)
        self._store.save_fill(fill)
        return fill

    def replace(self, fill: OrderFill, corrected: OrderFill) -> None:
        """Books the difference between an execution and its correction."""
        instrument = self._universe.instrument(fill.instrument)
        account = self._account_service.accounts[fill.account]
        account.book(instrument, -fill.quantity * fill.side.sign, fill.price)
        if corrected.quantity:
            account.book(instrument, corrected.quantity * fill.side.sign, corrected.price)
        self._account_service.queue_change(account, instrument)
        self._store.save_fill(corrected)
