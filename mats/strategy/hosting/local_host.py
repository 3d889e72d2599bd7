"""The host of a live strategy: its positions, working orders and equity are kept locally, so that reads never wait."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from mats.model import CancelRequest, InstrumentId, IntentId, Nanos, OrderModification, OrderRequest, OrderView, Signal
from mats.strategy.host import LogLevel, Position

OrderCommand = Signal | OrderRequest | OrderModification | CancelRequest


class LocalHost:
    """The host of a strategy that runs in an actor: reads are local, commands go out through `send`."""

    def __init__(
        self,
        send: Callable[[OrderCommand], None],
        mint: Callable[[], IntentId],
        now: Callable[[], Nanos],
        log: Callable[[LogLevel, str], None],
    ) -> None:
        self.submit: Callable[[Signal], None] = send
        self.place: Callable[[OrderRequest], None] = send
        self.cancel: Callable[[CancelRequest], None] = send
        self.modify: Callable[[OrderModification], None] = send
        self.mint, self.now, self.log = mint, now, log
        self._positions: dict[InstrumentId, Position] = {}
        self._working: dict[IntentId, OrderView] = {}
        self._equity: Decimal | None = None
        self._booked = 0

    # Updates by its owner

    def take_book(self, positions: Iterable[Position], equity: Decimal | None, seq: int) -> bool:
        """The whole book after entry `seq` of the fill log; False if it is older than what is known here.

        Then its owner has restarted and will send later entries again: the positions stay.
        """
        self._equity = equity
        if seq < self._booked:
            return False
        self._positions = {position.instrument: position for position in positions if position.quantity}
        self._booked = seq
        return True

    def take_position(self, position: Position, seq: int) -> bool:
        """One position after entry `seq`; False, and nothing changes, if it is older than what is known here."""
        if seq <= self._booked:
            return False
        self._booked = seq
        self._positions.pop(position.instrument, None)
        if position.quantity:
            self._positions[position.instrument] = position
        return True

    def take_equity(self, equity: Decimal | None) -> None:
        self._equity = equity

    def take_orders(self, orders: Iterable[OrderView]) -> None:
        """All orders that can still fill."""
        self._working = {order.intent_id: order for order in orders}

    def take_order(self, order: OrderView) -> None:
        """One order as it is now."""
        if order.state.final:
            self._working.pop(order.intent_id, None)
        else:
            self._working[order.intent_id] = order

    # What the strategy reads

    def equity(self) -> Decimal | None:
        return self._equity

    def position(self, instrument: InstrumentId) -> Position:
        return self._positions.get(instrument) or Position(instrument=instrument)

    def positions(self) -> Mapping[InstrumentId, Position]:
        return self._positions

    def working_orders(self) -> Mapping[IntentId, OrderView]:
        return self._working
