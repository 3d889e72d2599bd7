"""Bars that keep up to date: the unfinished bar of a request, sent anew whenever five seconds were added to it."""

import msgspec

from mats.gateway import historical_messages, responses
from mats.gateway.historical_requests import PRICES, SERVICE_ERROR, BarRequest
from mats.gateway.hub import Hub
from mats.gateway.session import Session
from mats.gateway.subscriptions import Subscriptions
from mats.model.instrument import InstrumentId
from mats.model.market import Bar
from mats.model.timestamp import SECOND, Nanos
from mats.venue.history import History, join_bars


class Growing(msgspec.Struct):
    """A request and its unfinished bar, None between two bars."""

    request: BarRequest
    bar: Bar | None

    @property
    def kind(self) -> str:
        return PRICES[self.request.what]

    def add(self, piece: Bar) -> Bar:
        """The bar with five more seconds in it."""
        span = self.request.seconds * SECOND
        same = self.bar and self.bar.start == piece.start // span * span
        self.bar = join_bars([self.bar, piece] if self.bar and same else [piece], self.request.seconds)
        return self.bar


class GrowingBars:
    """Subscriptions to unfinished bars."""

    def __init__(self, hub: Hub, history: History) -> None:
        self._hub, self._history = hub, history
        self.subscriptions: Subscriptions[Growing] = Subscriptions()

    def open(self, session: Session, request: BarRequest, now: Nanos) -> None:
        """Begins with what there is of the present bar."""
        name, span = request.instrument.id, request.seconds * SECOND
        pieces = self._history.bars(name, now // span * span, now, 5, PRICES[request.what])
        bar = join_bars(pieces, request.seconds) if pieces else None
        self.subscriptions.add((session.client_id, request.request_id), name, Growing(request, bar))

    def cancel(self, session: Session, request_id: int) -> None:
        if self.subscriptions.remove((session.client_id, request_id)):
            words = f"{SERVICE_ERROR}API historical data query cancelled: {request_id}"
            session.send(responses.error(request_id, 162, words))
        else:
            words = f"No historical data query found for ticker id:{request_id}"
            session.send(responses.error(request_id, 366, words))

    def lines(self) -> dict[str, list[InstrumentId]]:
        """The instruments with a growing bar, by kind of price."""
        lines: dict[str, dict[InstrumentId, None]] = {}
        for name in self.subscriptions.names:
            for growing in self.subscriptions.of(name).values():
                lines.setdefault(growing.kind, {})[name] = None
        return {kind: list(names) for kind, names in lines.items()}

    def on_bar(self, kind: str, piece: Bar) -> None:
        for (client_id, request_id), growing in self.subscriptions.of(piece.instrument).items():
            if growing.kind == kind:
                bar = growing.add(piece)
                message = historical_messages.historical_update(request_id, bar, growing.request.date_format)
                self._hub.tell(client_id, message)
