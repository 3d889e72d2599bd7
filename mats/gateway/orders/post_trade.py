"""Fills become executions: booked to the account, given an id and stored."""

from mats.gateway.accounts import AccountService
from mats.gateway.orders.order_store import OrderFill, OrderStore
from mats.model import Clock
from mats.venue.markets import Universe
from mats.venue.matching import Clearing, VenueTrade


class PostTrade:
    """What is done after a trade."""

    def __init__(
        self, clock: Clock, universe: Universe, clearing: Clearing, blotter: OrderStore, portfolio: AccountService
    ) -> None:
        self._clock, self._universe, self._clearing = clock, universe, clearing
        self._blotter, self._portfolio = blotter, portfolio

    def record(self, trade: VenueTrade) -> OrderFill:
        """Books and stores a fill."""
        order, now = trade.order, self._clock.now()
        account = self._portfolio.accounts[order.account]
        settlement = self._clearing.settle(account, trade, now)
        self._portfolio.changed(account, self._universe.instrument(order.instrument))
        if not order.working:
            order.completed = now
        fill = OrderFill(
            exec_id=self._blotter.new_exec_id(),
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
        self._blotter.keep_order(order)
        self._blotter.keep_fill(fill)
        return fill

    def replace(self, fill: OrderFill, corrected: OrderFill) -> None:
        """Books the difference between an execution and its correction."""
        instrument = self._universe.instrument(fill.instrument)
        account = self._portfolio.accounts[fill.account]
        account.book(instrument, -fill.quantity * fill.side.sign, fill.price)
        if corrected.quantity:
            account.book(instrument, corrected.quantity * fill.side.sign, corrected.price)
        self._portfolio.changed(account, instrument)
        self._blotter.keep_fill(corrected)
