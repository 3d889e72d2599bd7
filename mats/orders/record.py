"""An order while it changes: one object that the state table works on; views of it are made when somebody looks."""

from dataclasses import KW_ONLY, dataclass
from decimal import Decimal

from msgspec.structs import replace

from mats.model import (
    ZERO,
    IntentId,
    Nanos,
    OrderDoubt,
    OrderIntent,
    OrderState,
    OrderTicket,
    OrderView,
    Side,
    StrategyName,
)


@dataclass(slots=True, eq=False)
class OrderRecord:
    """What can change of an order, besides the intent or view that it began with; the fields are those of a view."""

    origin: OrderIntent | OrderView
    quantity: Decimal
    ticket: OrderTicket
    updated: Nanos
    _: KW_ONLY
    state: OrderState = OrderState.PENDING
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    acknowledged: bool = False
    applied: int = 0
    client_id: int = -1
    order_id: int = 0
    perm_id: int = 0
    note: str = ""
    said: str = ""
    doubt: OrderDoubt = OrderDoubt.NONE

    @property
    def strategy(self) -> StrategyName:
        return self.origin.strategy

    @property
    def side(self) -> Side:
        return self.origin.side

    @property
    def of_target(self) -> bool:
        return self.origin.of_target

    @property
    def reduce_only(self) -> bool:
        return self.origin.reduce_only

    @property
    def parent(self) -> IntentId:
        return self.origin.parent

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def average_price(self) -> Decimal:
        return self.notional / self.filled if self.filled > 0 else ZERO

    def view(self) -> OrderView:
        """The order as it stands."""
        origin = self.origin
        if isinstance(origin, OrderView):
            return self._changed(origin)
        return OrderView(
            intent_id=origin.intent_id,
            strategy=origin.strategy,
            account=origin.account,
            instrument=origin.instrument.id,
            side=origin.side,
            quantity=self.quantity,
            ticket=self.ticket,
            state=self.state,
            filled=self.filled,
            notional=self.notional,
            average_price=self.average_price,
            acknowledged=self.acknowledged,
            applied=self.applied,
            created=origin.time,
            updated=self.updated,
            client_id=self.client_id,
            order_id=self.order_id,
            perm_id=self.perm_id,
            note=self.note,
            said=self.said,
            doubt=self.doubt,
            of_target=origin.of_target,
            reduce_only=origin.reduce_only,
            parent=origin.parent,
        )

    def _changed(self, view: OrderView) -> OrderView:
        traded = (self.filled, self.notional) != (view.filled, view.notional)
        return replace(
            view,
            quantity=self.quantity,
            ticket=self.ticket,
            state=self.state,
            filled=self.filled,
            notional=self.notional,
            average_price=self.average_price if traded else view.average_price,
            acknowledged=self.acknowledged,
            applied=self.applied,
            updated=self.updated,
            client_id=self.client_id,
            order_id=self.order_id,
            perm_id=self.perm_id,
            note=self.note,
            said=self.said,
            doubt=self.doubt,
        )


def record_of(view: OrderView) -> OrderRecord:
    """The record of an order that a view shows."""
    return OrderRecord(
        origin=view,
        quantity=view.quantity,
        ticket=view.ticket,
        state=view.state,
        filled=view.filled,
        notional=view.notional,
        acknowledged=view.acknowledged,
        applied=view.applied,
        updated=view.updated,
        client_id=view.client_id,
        order_id=view.order_id,
        perm_id=view.perm_id,
        note=view.note,
        said=view.said,
        doubt=view.doubt,
    )
