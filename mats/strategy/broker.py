"""The broker as a strategy sees it: its own orders, positions and equity."""

import math
from collections.abc import Mapping
from decimal import Decimal

from mats.errors import StrategyError
from mats.model import (
    CancelRequest,
    InstrumentId,
    IntentId,
    OrderModification,
    OrderRequest,
    OrderTicket,
    OrderView,
    Side,
    exact,
)
from mats.strategy.context import StrategyContext
from mats.strategy.host import Position
from mats.strategy.tickets import Price, order_price


class Broker:
    """A strategy's access to the market. Requests return at once; their outcome comes to `on_order_status`."""

    def __init__(self, context: StrategyContext) -> None:
        self._context = context

    def place_order(
        self,
        instrument: InstrumentId,
        ticket: OrderTicket,
        side: Side,
        *,
        size: float | None = None,
        quantity: Decimal | int | None = None,
        reason: str = "",
    ) -> IntentId:
        """Request an order of `quantity` units, or of `size` as a fraction of the strategy's equity (0.5 = half).

        The risk manager checks it, and rounds a size down to whole lots. Returns the id under which the order appears
        in `orders()`, `on_order_status` and `on_fill`. Raises StrategyError when not exactly one positive, finite
        amount is given, or the instrument is not one of the strategy's.
        """
        self._context.require(instrument)
        units = None if quantity is None else exact(quantity)
        amount = size if units is None else units
        if (size is None) == (units is None) or amount is None or not math.isfinite(amount) or amount <= 0:
            raise StrategyError(
                f"strategy {self._context.name}: an order for {instrument} with size={size} and quantity={quantity} "
                "is invalid; give exactly one of the two, greater than 0"
            )
        request = OrderRequest(
            intent_id=self._context.host.mint(),
            strategy=self._context.name,
            instrument=instrument,
            side=side,
            time=self._context.now,
            quantity=units,
            size=size,
            ticket=ticket,
            reason=reason,
        )
        self._context.host.place(request)
        return request.intent_id

    def cancel(self, intent_id: IntentId) -> None:
        """Request the cancel of one order; it may still fill before the cancel arrives."""
        name, now = self._context.name, self._context.now
        self._context.host.cancel(CancelRequest(intent_id=intent_id, strategy=name, time=now))

    def cancel_all(self, instrument: InstrumentId | None = None) -> None:
        """Request the cancel of all own working orders, or of those on one instrument."""
        for intent_id, order in list(self.orders().items()):
            if instrument is None or order.instrument == instrument:
                self.cancel(intent_id)

    def modify(
        self,
        intent_id: IntentId,
        *,
        quantity: Decimal | int | None = None,
        limit_price: Price | None = None,
        stop_price: Price | None = None,
    ) -> None:
        """Request another total quantity or other prices of a working order; what is not given stays as it is."""
        if quantity is None and limit_price is None and stop_price is None:
            raise StrategyError(
                f"strategy {self._context.name}: modify({intent_id!r}) changes nothing; "
                "give quantity, limit_price or stop_price"
            )
        modification = OrderModification(
            intent_id=intent_id,
            strategy=self._context.name,
            time=self._context.now,
            quantity=None if quantity is None else exact(quantity),
            limit_price=None if limit_price is None else order_price(limit_price),
            stop_price=None if stop_price is None else order_price(stop_price),
        )
        self._context.host.modify(modification)

    def equity(self) -> Decimal | None:
        """The strategy's equity in the account's base currency; None while it is not known."""
        return self._context.host.equity()

    def position(self, instrument: InstrumentId) -> Position:
        """The strategy's own position in one instrument; its quantity is 0 when flat."""
        return self._context.host.position(instrument)

    def positions(self) -> Mapping[InstrumentId, Position]:
        """The strategy's own positions that are not flat."""
        return self._context.host.positions()

    def orders(self) -> Mapping[IntentId, OrderView]:
        """The strategy's own orders that can still fill, by intent id, in the order of their creation."""
        return self._context.host.working_orders()
