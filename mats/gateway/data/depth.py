"""Market depth: a ladder of prices under the quote.

The first row is the quote itself; each further one is a tick away, with a size drawn from its price. A trade never
reaches beyond the first row: depth is for looking at.
"""

from itertools import zip_longest
from typing import NamedTuple

import msgspec

from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data.contracts import Contracts
from mats.gateway.data.subscriptions import Subscriptions
from mats.gateway.protocol import ClientSession, Fields, Message, data_messages, responses
from mats.model import Quote, SecType
from mats.venue.markets import Universe
from mats.venue.matching import Exchange

MOST_ROWS = 20
INSERT, UPDATE = 0, 1
ASK, BID = 0, 1
MARKET_MAKERS = ("ARCA", "NASDAQ", "BATS", "NYSE", "IEX")
"""Who quotes the rows of a book over all exchanges, in turn."""

DEPTH_EXCHANGES = (
    ("NASDAQ", SecType.STOCK.value, "NASDAQ", "Deep2", 0),
    ("ARCA", SecType.STOCK.value, "ARCA", "Deep", 0),
    ("NYSE", SecType.STOCK.value, "NYSE", "Deep", 0),
    ("CME", SecType.FUTURE.value, "", "Deep", 0),
    ("IDEALPRO", SecType.CASH.value, "", "Deep", 0),
)
"""Exchange, security type, listing exchange, service, aggregated group."""


class DepthRow(NamedTuple):
    price: float
    size: float


class DepthSubscription(msgspec.Struct, frozen=True):
    rows: int
    smart: bool


class Depth:
    """Subscriptions to ladders, at most `most` of them."""

    def __init__(
        self, hub: ClientRegistry, universe: Universe, contracts: Contracts, exchange: Exchange, most: int
    ) -> None:
        self._hub, self._universe, self._contracts, self._exchange = hub, universe, contracts, exchange
        self._most = most
        self.subscriptions: Subscriptions[DepthSubscription] = Subscriptions()

    def request(self, session: ClientSession, fields: Fields) -> bool:
        """Returns whether there is a new subscription."""
        fields.skip(1)
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return False
        wish = DepthSubscription(min(max(fields.integer(), 1), MOST_ROWS), smart=fields.flag())
        if instrument.sec_type is SecType.INDEX:
            words = "Deep market data is not supported for this combination of security type/exchange"
            session.send(responses.error(request_id, 10092, words))
            return False
        if len(self.subscriptions) >= self._most:
            words = f"Max number ({self._most}) of market depth requests has been reached"
            session.send(responses.error(request_id, 309, words))
            return False
        self.subscriptions.add((session.client_id, request_id), instrument.id, wish)
        quote = self._exchange.quote(instrument.id)
        if quote:
            session.send(*self._changes(request_id, wish, quote, None))
        return True

    def exchanges(self, session: ClientSession, fields: Fields) -> None:
        rows = DEPTH_EXCHANGES
        session.send((80, len(rows), *(field for row in rows for field in row)))

    def on_quote(self, quote: Quote, before: Quote | None) -> None:
        for (client_id, request_id), wish in self.subscriptions.of(quote.instrument).items():
            self._hub.tell(client_id, *self._changes(request_id, wish, quote, before))

    def _changes(self, request_id: int, wish: DepthSubscription, quote: Quote, before: Quote | None) -> list[Message]:
        listing = self._universe.listing(quote.instrument)
        tick = float(listing.instrument.tick_size)
        messages: list[Message] = []
        for side in (ASK, BID):
            new = ladder(quote, side, wish.rows, tick, listing.lot)
            old = ladder(before, side, wish.rows, tick, listing.lot) if before else []
            for position, (row, was) in enumerate(zip_longest(new, old)):
                if row is None or row == was:
                    continue
                operation = INSERT if was is None else UPDATE
                if wish.smart:
                    maker = MARKET_MAKERS[position % len(MARKET_MAKERS)]
                    messages.append(data_messages.smart_depth(request_id, position, maker, operation, side, *row))
                else:
                    messages.append(data_messages.depth(request_id, position, operation, side, *row))
        return messages


def ladder(quote: Quote, side: int, rows: int, tick: float, lot: int) -> list[DepthRow]:
    """The rows of one side, best first; none where that side is not quoted."""
    best, size, step = (quote.ask, quote.ask_size, tick) if side == ASK else (quote.bid, quote.bid_size, -tick)
    if best <= 0:
        return []
    prices = [round(best + step * i, 8) for i in range(rows)]
    return [
        DepthRow(price, size if i == 0 else lot * (1 + round(price / tick) * 7919 % 40))
        for i, price in enumerate(prices)
        if price > 0
    ]
