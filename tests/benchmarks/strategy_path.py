"""The strategy that the benchmark of the live path plays on: quotes tell it what to do, and it notes in a file when.

It needs nothing of the benchmark, so it runs on a thread as well as in a process of its own.
"""

import os
import time

from mats.model.executions import FillRecorded
from mats.model.market_data import Quote
from mats.model.orders import OrderState, OrderTicket, OrderView, Side
from mats.strategy import Strategy


class Prober(Strategy):
    """At a quote with a size, an order of that size (asked: sell); without, a signal of the strength `last`."""

    class Params(Strategy.Params, frozen=True, kw_only=True):
        instrument: str
        notes: str

    params: Params

    def on_start(self) -> None:
        self._notes = os.open(self.params.notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def on_tick(self, quote: Quote) -> None:
        if quote.bid_size or quote.ask_size:
            side, quantity = (Side.BUY, quote.bid_size) if quote.bid_size else (Side.SELL, quote.ask_size)
            self.broker.place_order(quote.instrument, OrderTicket(), side, quantity=int(quantity))
        elif quote.last:
            asked = time.perf_counter_ns()
            self.signal(quote.instrument, quote.last)
            self._note(f"asked {asked} 0")

    def on_fill(self, fill: FillRecorded) -> None:
        self._note(f"told {time.perf_counter_ns()} {fill.seq}")

    def on_order_status(self, order: OrderView) -> None:
        if order.state is OrderState.REJECTED:
            self._note(f"refused {time.perf_counter_ns()} {order.note}")

    def _note(self, line: str) -> None:
        os.write(self._notes, f"{line}\n".encode())
