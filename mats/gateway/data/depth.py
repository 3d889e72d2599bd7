"""Market depth: synthetic price levels behind the quote.

The first row is the quote itself; each further one is a tick away, with a size derived from its price. Orders never
trade beyond the first row: depth is for display only.
"""

from itertools import zip_longest
from typing import NamedTuple

import msgspec

from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data.contracts import ContractService
from mats.gateway.data.subscriptions import Subscriptions
from mats.gateway.protocol import ClientSession, Fields, Message, data_messages, responses
from mats.model import Quote, SecType, exact
from mats.venue.markets import Universe
from mats.venue.matching import Exchange

MAX_ROWS = 20
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


class MarketDepth:
    """Subscriptions to market depth, at most `limit` of them."""

    def __init__(
        self, clients: ClientRegistry, universe: Universe, contracts: ContractService, exchange: Exchange, limit: int
    ) -> None:
        self._clients, self._universe, self._contracts, self._exchange = clients, universe, contracts, exchange
        self._limit = limit
        self.subscriptions: Subscriptions[DepthSubscription] = Subscriptions()

    def request(self, session: ClientSession, fields: Fields) -> bool:
        """Returns whether there is a new subscription."""
        fields.skip(1)
        request_id = fields.integer()
        instrument = self._contracts.resolve(session, request_id, fields)
        if instrument is None:
            return False
        options = DepthSubscription(min(max(fields.integer(), 1), MAX_ROWS), smart=fields.flag())
        if instrument.sec_type is SecType.INDEX:
            text = "Deep market data is not supported for this combination of security type/exchange"
            session.send(responses.error(request_id, 10092, text))
            return False
        if len(self.subscriptions) >= self._limit:
            text = f"Max number ({self._limit}) of market depth requests has been reached"
            session.send(responses.error(request_id, 309, text))
            return False
        self.subscriptions.add((session.client_id, request_id), instrument.id, options)
        quote = self._exchange.quote(instrument.id)
        if quote:
            session.send(*self._changes(request_id, options, quote, None))
        return True

    def exchanges(self, session: ClientSession, fields: Fields) -> None:
        rows = DEPTH_EXCHANGES
        session.send((80, len(rows), *(field for row in rows for field in row)))

    def on_quote(self, quote: Quote, before: Quote | None) -> None:
        for (client_id, request_id), options in self.subscriptions.on(quote.instrument).items():
            self._clients.send(client_id, *self._changes(request_id, options, quote, before))

    def _changes(
        self, request_id: int, options: DepthSubscription, quote: Quote, before: Quote | None
    ) -> list[Message]:
        listing = self._universe.listing(quote.instrument)
        instrument = listing.instrument
        tick = float(instrument.tick_at(exact(quote.bid)) if quote.bid else instrument.tick_size)
        messages: list[Message] = []
        for side in (ASK, BID):
            new = depth_rows(quote, side, options.rows, tick, listing.lot)
            old = depth_rows(before, side, options.rows, tick, listing.lot) if before else []
            for position, (row, was) in enumerate(zip_longest(new, old)):
                if row is None or row == was:
                    continue
                operation = INSERT if was is None else UPDATE
                if options.smart:
                    maker = MARKET_MAKERS[position % len(MARKET_MAKERS)]
                    messages.append(data_messages.smart_depth(request_id, position, maker, operation, side, *row))
                else:
                    messages.append(data_messages.depth(request_id, position, operation, side, *row))
        return messages


def depth_rows(quote: Quote, side: int, rows: int, tick: float, lot: int) -> list[DepthRow]:
    """The rows of one side, best first; none if that side is not quoted."""
    best, size, step = (quote.ask, quote.ask_size, tick) if side == ASK else (quote.bid, quote.bid_size, -tick)
    if best <= 0:
        return []
    prices = [round(best + step * i, 8) for i in range(rows)]
    return [
        DepthRow(price, size if i == 0 else lot * (1 + round(price / tick) * 7919 % 40))
        for i, price in enumerate(prices)
        if price > 0
    ]
