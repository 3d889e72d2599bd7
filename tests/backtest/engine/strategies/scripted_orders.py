"""Does what it is told, at the bars that it is told."""

from decimal import Decimal

import msgspec

from mats.model.orders import OrderTicket, OrderType, TimeInForce
from mats.strategy import Bar, OrderView, Side, Strategy


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """At bar `bar` (from 0): an order, or what `do` says."""

    bar: int
    do: str = "order"
    side: Side = Side.BUY
    quantity: int = 100
    kind: OrderType = OrderType.MARKET
    limit: str = ""
    stop: str = ""
    tif: TimeInForce = TimeInForce.GTC
    outside_rth: bool = False


class ScriptedOrders(Strategy):
    class Params(Strategy.Params, frozen=True):
        acts: tuple[Act, ...] = ()
        instrument: str = "SYN"
        bar_seconds: int = 60
        session: str = "regular"

    params: Params

    def on_start(self) -> None:
        self.count = -1
        self.heard: list[tuple] = []
        self.ids: list[str] = []

    def on_bar(self, bar: Bar) -> None:
        self.count += 1
        for act in self.params.acts:
            if act.bar == self.count:
                self.act(act, bar.instrument)

    def on_order_status(self, order: OrderView) -> None:
        self.heard.append((str(order.state), order.quantity, order.filled, order.note))

    def act(self, act: Act, instrument: str) -> None:
        price = {"limit_price": act.limit, "stop_price": act.stop}
        prices = {name: Decimal(text) for name, text in price.items() if text}
        match act.do:
            case "order":
                ticket = OrderTicket(order_type=act.kind, tif=act.tif, outside_rth=act.outside_rth, **prices)
                self.ids.append(self.broker.place_order(instrument, ticket, act.side, quantity=act.quantity))
            case "cancel":
                self.broker.cancel(self.ids[-1])
            case "modify":
                self.broker.modify(self.ids[-1], quantity=act.quantity, **prices)
            case "raise":
                raise RuntimeError("out of ideas")
