"""Order queries: open orders, completed orders, executions."""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice

from mats.gateway.accounts import RequestHandler
from mats.gateway.client_registry import ClientRegistry
from mats.gateway.orders import order_messages
from mats.gateway.orders.order_service import MASTER
from mats.gateway.orders.order_store import OrderStore
from mats.gateway.protocol import (
    ClientSession,
    ExecutionFilter,
    Fields,
    Message,
    WireError,
    execution_filter,
    responses,
)
from mats.venue.markets import Universe
from mats.venue.matching import Exchange, VenueOrder

SLICE = 1_000
"""Messages of a long answer that are sent at once; other clients are served in between."""
MAX_UNREAD_BYTES = 1 << 20
PAUSE_SECONDS = 0.01
"""A client that has so much to read gets no more of a long answer for the moment."""


class OrderQueries:
    """Answers from the store and the exchange; read-only."""

    def __init__(self, clients: ClientRegistry, universe: Universe, exchange: Exchange, store: OrderStore) -> None:
        self._clients = clients
        self._universe, self._exchange, self._store = universe, exchange, store

    def requests(self) -> dict[int, RequestHandler]:
        return {
            5: self._own_open,
            7: self._executions,
            15: self._bind,
            16: self._all_open,
            99: self._completed_orders,
        }

    def _bind(self, session: ClientSession, fields: Fields) -> None:
        """Sends client 0 the ids of manual orders; they are bound to it already."""
        fields.skip(1)
        if fields.flag() and session.client_id == MASTER:
            for order in self._exchange.working():
                if order.order_id < 0:
                    session.send(order_messages.order_bound(order))

    def _own_open(self, session: ClientSession, fields: Fields) -> None:
        self._send_open(session, (o for o in self._exchange.working() if o.client_id == session.client_id))

    def _all_open(self, session: ClientSession, fields: Fields) -> None:
        self._send_open(session, self._exchange.working())

    def _send_open(self, session: ClientSession, orders: Iterable[VenueOrder]) -> None:
        for order in orders:
            session.send(order_messages.open_order(order, self._universe.instrument(order.instrument)))
            session.send(order_messages.order_status(order))
        session.send(responses.open_order_end())

    def _completed_orders(self, session: ClientSession, fields: Fields) -> None:
        for order in self._store.orders():
            if not order.working:
                session.send(order_messages.completed_order(order, self._universe.instrument(order.instrument)))
        session.send(responses.completed_orders_end())

    def _executions(self, session: ClientSession, fields: Fields) -> None:
        fields.skip(1)
        request_id = fields.integer()
        try:
            wanted = execution_filter(fields)
        except WireError as error:
            session.send(responses.error(request_id, 321, f"Error validating request.-'bN' : cause - {error}"))
            return
        self._send_slice(session, self._listed(session, request_id, wanted))

    def _send_slice(self, session: ClientSession, messages: Iterator[Message]) -> None:
        """Sends the next slice of a long answer, as the client reads it, and schedules the one after it."""
        loop, transport = asyncio.get_running_loop(), session.transport
        if transport is None:
            return
        if transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            loop.call_later(PAUSE_SECONDS, self._send_slice, session, messages)
            return
        sent = tuple(islice(messages, SLICE))
        session.send(*sent)
        self._clients.schedule_flush()
        if len(sent) == SLICE:
            loop.call_soon(self._send_slice, session, messages)

    def _listed(self, session: ClientSession, request_id: int, wanted: ExecutionFilter) -> Iterator[Message]:
        """Each execution that is wanted, with its commission, as of now; then their end."""
        owner = wanted.client_id if session.client_id == MASTER and wanted.client_id else session.client_id
        for fill in tuple(self._store.fills()):
            instrument = self._universe.instrument(fill.instrument)
            if (
                (owner in (MASTER, fill.client_id))
                and wanted.account in ("", fill.account)
                and fill.time >= wanted.since
                and wanted.symbol in ("", instrument.symbol)
                and wanted.sec_type in ("", instrument.sec_type.value)
                and wanted.side in ("", fill.side.value)
            ):
                yield order_messages.execution(request_id, fill, instrument)
                yield order_messages.commission_report(fill)
        yield responses.executions_end(request_id)
