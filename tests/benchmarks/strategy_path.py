"""The strategy that the benchmark of the live path plays on."""

import time

from harness_path import EDGE

from mats.model.executions import FillRecorded
from mats.model.market_data import Quote
from mats.model.orders import OrderState, OrderTicket, OrderView
from mats.strategy import Strategy


class Prober(Strategy):
    """Does at each quote what the benchmark has laid out, and leaves stamps."""

    class Params(Strategy.Params, frozen=True, kw_only=True):
        instrument: str

    def on_tick(self, quote: Quote) -> None:
        if not EDGE.todo:
            return
        wish = EDGE.todo.pop()
        if isinstance(wish, tuple):
            side, quantity = wish
            self.broker.place_order(quote.instrument, OrderTicket(), side, quantity=quantity)
        else:
            EDGE.asked.append(time.perf_counter_ns())
            self.signal(quote.instrument, wish)

    def on_fill(self, fill: FillRecorded) -> None:
        EDGE.note(EDGE.told, fill.seq)

    def on_order_status(self, order: OrderView) -> None:
        if order.state is OrderState.REJECTED:
            EDGE.refuse(order.note)
