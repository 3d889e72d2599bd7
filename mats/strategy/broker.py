"""The broker as a strategy sees it: its own orders, positions and equity."""

import math
from collections import deque
from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import replace

from mats.errors import StrategyError
from mats.model import (
    SECOND,
    CancelRequest,
    InstrumentId,
    IntentId,
    Nanos,
    OrderModification,
    OrderRequest,
    OrderTicket,
    OrderView,
    Side,
    exact,
)
from mats.strategy.brackets import Bracket, bracket_of, check_bracket, protection
from mats.strategy.context import StrategyContext
from mats.strategy.host import Position
from mats.strategy.tickets import Price, market, order_price

ON_ITS_WAY = 10 * SECOND
"""An order that was placed longer ago is known, or never came to be."""


class Broker:
    """A strategy's access to the market. Requests return at once; their outcome comes to `on_order_status`."""

    def __init__(self, context: StrategyContext) -> None:
        self._context = context
        self._placed: deque[tuple[Nanos, IntentId, InstrumentId]] = deque()

    def place_order(
        self,
        instrument: InstrumentId,
        ticket: OrderTicket,
        side: Side,
        *,
        size: float | None = None,
        quantity: Decimal | int | None = None,
        reason: str = "",
        reduce_only: bool = False,
    ) -> IntentId:
        """Request an order of `quantity` units, or of `size` as a fraction of the strategy's equity (0.5 = half).

        The risk manager checks it, and rounds a size down to whole lots. With `reduce_only` it is cut to what the
        position and the orders that may close it already leave to be closed, rejected as `REDUCE_ONLY` where that is
        nothing, and cancelled when the position is gone by other orders. Returns the id under which the order appears
        in `orders()`, `on_order_status` and `on_fill`. Raises StrategyError when not exactly one positive, finite
        amount is given, or the instrument is not one of the strategy's.
        """
        request = self._request(instrument, ticket, side, quantity, size, reason)
        return self._place(replace(request, reduce_only=True) if reduce_only else request)

    def bracket(
        self,
        instrument: InstrumentId,
        quantity: Decimal | int | None = None,
        *,
        size: float | None = None,
        entry: OrderTicket | None = None,
        stop_loss: Price | None = None,
        take_profit: Price | None = None,
        reason: str = "",
    ) -> Bracket:
        """Request an entry and what protects it, in one: a stop, a limit, or both, each for the whole quantity.

        A positive `quantity` or `size` buys, a negative one sells short. The broker knows all of it at once, holds the
        two back until the entry (a market order unless given) is filled, and ends one when the other fills. Raises
        StrategyError as `place_order` does, and where no price is given or the two would end each other at once.
        """
        side = Side.SELL if (quantity or size or 0) < 0 else Side.BUY
        check_bracket(self._context.name, instrument, side, stop_loss, take_profit)
        units = None if quantity is None else abs(exact(quantity))
        share = None if size is None else abs(size)
        request = self._request(instrument, entry or market(), side, units, share, reason)
        children = protection(request.intent_id, side, stop_loss, take_profit)
        self._place(replace(request, children=children))
        return bracket_of(request.intent_id, children)

    def _request(
        self,
        instrument: InstrumentId,
        ticket: OrderTicket,
        side: Side,
        quantity: Decimal | int | None,
        size: float | None,
        reason: str,
    ) -> OrderRequest:
        self._context.require(instrument)
        units = None if quantity is None else exact(quantity)
        amount = size if units is None else units
        if (size is None) == (units is None) or amount is None or not math.isfinite(amount) or amount <= 0:
            raise StrategyError(
                f"strategy {self._context.name}: an order for {instrument} with size={size} and quantity={quantity} "
                "is invalid; give exactly one of the two, greater than 0"
            )
        return OrderRequest(
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

    def _place(self, request: OrderRequest) -> IntentId:
        self._context.host.place(request)
        while self._placed and self._placed[0][0] < request.time - ON_ITS_WAY:
            self._placed.popleft()
        for intent_id in (request.intent_id, *(child.intent_id for child in request.children)):
            self._placed.append((request.time, intent_id, request.instrument))
        return request.intent_id

    def cancel(self, intent_id: IntentId) -> None:
        """Request the cancel of one order; it may still fill before the cancel arrives."""
        name, now = self._context.name, self._context.now
        self._context.host.cancel(CancelRequest(intent_id=intent_id, strategy=name, time=now))

    def cancel_all(self, instrument: InstrumentId | None = None) -> None:
        """Request the cancel of all own working orders, or of those on one instrument.

        Orders that were placed just now, and are not in `orders()` yet, are among them.
        """
        placed = {intent_id: name for _, intent_id, name in self._placed}
        known = {intent_id: order.instrument for intent_id, order in self.orders().items()}
        for intent_id, name in (placed | known).items():
            if instrument in (None, name):
                self.cancel(intent_id)
        self._placed = deque(order for order in self._placed if instrument not in (None, order[2]))

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
