"""P&L of accounts and of single positions: daily, unrealized, realized.

A day is a UTC day. The P&L at its start is stored, so that the figures survive a restart.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from mats.gateway.accounts.account_service import AccountService, RequestHandler
from mats.gateway.client_registry import ClientRegistry
from mats.gateway.persistence import GatewayState
from mats.gateway.protocol import ClientSession, Fields, Message, responses
from mats.model import DAY, ZERO, AccountId, Clock, InstrumentId
from mats.venue.markets import Universe
from mats.venue.matching import BASE, Account, Mark, VenueHolding, fx_rate

PNL_INTERVAL_SECONDS = 1.0
"""Update interval. Source: IB's documentation of reqPnL: about once a second."""


class PositionPnl(NamedTuple):
    """P&L of a position since it was first opened, unrealized and realized, and its current value."""

    unrealized: Decimal
    realized: Decimal
    value: Decimal


class DayOpening(msgspec.Struct):
    """P&L at the start of a day, by instrument: the total, and its realized part."""

    day: int
    total: dict[InstrumentId, Decimal] = {}
    realized: dict[InstrumentId, Decimal] = {}


class PnlTracker:
    """Subscriptions to P&L; `publish_changes` sends what has changed."""

    def __init__(
        self,
        clients: ClientRegistry,
        state: GatewayState,
        clock: Clock,
        universe: Universe,
        account_service: AccountService,
        mark: Mark,
    ) -> None:
        self._clients, self._state, self._clock = clients, state, clock
        self._universe, self._account_service, self._mark = universe, account_service, mark
        self._openings = state.load("opening", DayOpening)
        self._subscriptions: dict[tuple[int, int], tuple[AccountId, int]] = {}
        self._last_sent: dict[tuple[int, int], Message] = {}

    def requests(self) -> dict[int, RequestHandler]:
        return {
            92: lambda session, fields: self._request(session, fields, lambda: 0),
            93: self._cancel,
            94: lambda session, fields: self._request(session, fields, fields.integer),
            95: self._cancel,
        }

    def remove_client(self, client_id: int) -> None:
        """Drops the subscriptions of a client that has disconnected."""
        for key in [key for key in self._subscriptions if key[0] == client_id]:
            self._unsubscribe(key)

    def publish_changes(self) -> None:
        """Sends each message that differs from the last one sent."""
        for key, (name, con_id) in self._subscriptions.items():
            message = self._message(key[1], self._account_service.accounts[name], con_id)
            if message and message != self._last_sent.get(key):
                self._last_sent[key] = message
                self._clients.send(key[0], message)

    def _request(self, session: ClientSession, fields: Fields, read_con_id: Callable[[], int]) -> None:
        """Subscribes to the whole account if the contract id is 0."""
        request_id, name = fields.integer(), fields.text()
        fields.skip(1)
        con_id = read_con_id()
        if name not in self._account_service.accounts:
            text = f"Error validating request.-'ci' : cause - Invalid account code {name!r}"
            session.send(responses.error(request_id, 321, text))
            return
        self._subscriptions[session.client_id, request_id] = (name, con_id)
        self.publish_changes()

    def _cancel(self, session: ClientSession, fields: Fields) -> None:
        self._unsubscribe((session.client_id, fields.integer()))

    def _unsubscribe(self, key: tuple[int, int]) -> None:
        self._subscriptions.pop(key, None)
        self._last_sent.pop(key, None)

    def _message(self, request_id: int, account: Account, con_id: int) -> Message | None:
        opening = self._opening(account)
        if not con_id:
            daily = unrealized = realized = ZERO
            for name, holding in account.holdings.items():
                figures, fx = self._position_pnl(name, holding), self._fx(name)
                daily += (figures.unrealized + figures.realized - opening.total.get(name, ZERO)) * fx
                unrealized += figures.unrealized * fx
                realized += (figures.realized - opening.realized.get(name, ZERO)) * fx
            in_base = self._account_service.in_base
            return responses.pnl(request_id, in_base(daily), in_base(unrealized), in_base(realized))
        instrument = self._universe.by_con_id(con_id)
        position = account.holdings.get(instrument.id) if instrument else None
        if instrument is None or position is None:
            return None
        name, figures = instrument.id, self._position_pnl(instrument.id, position)
        daily = figures.unrealized + figures.realized - opening.total.get(name, ZERO)
        realized = figures.realized - opening.realized.get(name, ZERO)
        return responses.pnl_single(request_id, position.quantity, daily, figures.unrealized, realized, figures.value)

    def _opening(self, account: Account) -> DayOpening:
        """The P&L at the start of the current day, taken at the first request or update of the day."""
        day = self._clock.now() // DAY
        opening = self._openings.get(account.id)
        if opening is None or opening.day != day:
            opening = self._openings[account.id] = DayOpening(day)
            for name, holding in account.holdings.items():
                figures = self._position_pnl(name, holding)
                opening.total[name] = figures.unrealized + figures.realized
                opening.realized[name] = figures.realized
            self._state.put("opening", account.id, opening)
        return opening

    def _position_pnl(self, name: InstrumentId, holding: VenueHolding) -> PositionPnl:
        unit = self._universe.instrument(name).unit_value
        price = self._mark(name) or holding.price
        gain = holding.quantity * (price - holding.price) * unit
        return PositionPnl(gain, holding.realized, holding.quantity * price * unit)

    def _fx(self, name: InstrumentId) -> Decimal:
        currency = self._universe.instrument(name).currency
        return Decimal(1) if currency == BASE else fx_rate(currency, self._universe, self._mark)
