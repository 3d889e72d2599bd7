"""Five-second bars as they end."""

from collections.abc import Callable

from mats.gateway import data_messages, responses
from mats.gateway.contracts import Contracts
from mats.gateway.hub import Hub
from mats.gateway.session import Session
from mats.gateway.subscriptions import Subscriptions
from mats.gateway.wire import Fields
from mats.model.instrument import InstrumentId
from mats.model.market import Bar

KINDS = ("TRADES", "MIDPOINT", "BID", "ASK")


class RealTimeBars:
    """Subscriptions to five-second bars, by kind of price."""

    def __init__(self, hub: Hub, contracts: Contracts) -> None:
        self._hub, self._contracts = hub, contracts
        self.subscriptions: Subscriptions[str] = Subscriptions()

    def request(self, session: Session, fields: Fields, room: Callable[[InstrumentId], bool]) -> bool:
        """Returns whether there is a new subscription."""
        fields.skip(1)
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return False
        fields.skip(1)
        kind = fields.text()
        if kind not in KINDS:
            words = f"Error validating request.-'bO' : cause - Incorrect generic tick: {kind} bars are not offered"
            session.send(responses.error(request_id, 321, words))
            return False
        if not room(instrument.id):
            session.send(responses.error(request_id, 101, "Max number of tickers has been reached"))
            return False
        self.subscriptions.add((session.client_id, request_id), instrument.id, kind)
        return True

    def lines(self) -> dict[str, list[InstrumentId]]:
        """The instruments with bars open at some client, by kind of price."""
        lines: dict[str, dict[InstrumentId, None]] = {}
        for name in self.subscriptions.names:
            for kind in self.subscriptions.of(name).values():
                lines.setdefault(kind, {})[name] = None
        return {kind: list(names) for kind, names in lines.items()}

    def on_bar(self, kind: str, bar: Bar) -> None:
        for (client_id, request_id), wanted in self.subscriptions.of(bar.instrument).items():
            if wanted == kind:
                self._hub.tell(client_id, data_messages.realtime_bar(request_id, bar))
