"""Tick-by-tick data: every trade, every change of the quote, or every change of its middle."""

from mats.gateway import data_messages, responses
from mats.gateway.contracts import Contracts
from mats.gateway.hub import Hub
from mats.gateway.session import Session
from mats.gateway.subscriptions import Subscriptions
from mats.gateway.wire import Fields
from mats.model.market import Quote


class TickByTick:
    """Subscriptions to single ticks, at most `most` of them."""

    def __init__(self, hub: Hub, contracts: Contracts, most: int) -> None:
        self._hub, self._contracts, self._most = hub, contracts, most
        self.subscriptions: Subscriptions[str] = Subscriptions()

    def request(self, session: Session, fields: Fields) -> bool:
        """Returns whether there is a new subscription."""
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return False
        kind = fields.text()
        if kind not in data_messages.TICK_KINDS:
            words = f"Error validating request.-'cu' : cause - tick type {kind} is not offered"
            session.send(responses.error(request_id, 321, words))
            return False
        if len(self.subscriptions) >= self._most:
            session.send(responses.error(request_id, 10190, "Max number of tick-by-tick requests has been reached"))
            return False
        self.subscriptions.add((session.client_id, request_id), instrument.id, kind)
        return True

    def on_quote(self, quote: Quote, before: Quote | None) -> None:
        for (client_id, request_id), kind in self.subscriptions.of(quote.instrument).items():
            message = data_messages.tick_by_tick(request_id, kind, quote, before)
            if message:
                self._hub.tell(client_id, message)
