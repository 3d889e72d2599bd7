"""Profit and loss of accounts and of single positions: of the day, unrealised, realised.

The day is one of UTC. What it began with is stored, so that the figures survive a restart.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from mats.gateway.accounts.account_service import AccountService, Handler
from mats.gateway.client_registry import ClientRegistry
from mats.gateway.persistence import GatewayState
from mats.gateway.protocol import ClientSession, Fields, Message, responses
from mats.model import DAY, ZERO, AccountId, Clock, InstrumentId
from mats.venue.markets import Universe
from mats.venue.matching import BASE, Account, Mark, VenueHolding, rate

PULSE_SECONDS = 1.0
"""Between two looks. Source: IB's documentation of reqPnL: about once a second."""


class Figures(NamedTuple):
    """Profit of a position since it exists: unrealised and realised, and its present value."""

    unrealized: Decimal
    realized: Decimal
    value: Decimal


class Opening(msgspec.Struct):
    """What a day began with, by instrument: the profit up to then, and the realised part of it."""

    day: int
    total: dict[InstrumentId, Decimal] = {}
    realized: dict[InstrumentId, Decimal] = {}


class PnlTracker:
    """Subscriptions to profit and loss; `pulse` sends what has changed."""

    def __init__(
        self,
        hub: ClientRegistry,
        state: GatewayState,
        clock: Clock,
        universe: Universe,
        portfolio: AccountService,
        mark: Mark,
    ) -> None:
        self._hub, self._state, self._clock = hub, state, clock
        self._universe, self._portfolio, self._mark = universe, portfolio, mark
        self._openings = state.load("opening", Opening)
        self._wishes: dict[tuple[int, int], tuple[AccountId, int]] = {}
        self._said: dict[tuple[int, int], Message] = {}

    def requests(self) -> dict[int, Handler]:
        return {
            92: lambda session, fields: self._request(session, fields, lambda: 0),
            93: self._cancel,
            94: lambda session, fields: self._request(session, fields, fields.integer),
            95: self._cancel,
        }

    def forget(self, client_id: int) -> None:
        """Drops the subscriptions of a client that has left."""
        for line in [line for line in self._wishes if line[0] == client_id]:
            self._end(line)

    def pulse(self) -> None:
        """Sends each figure that is not what was said last."""
        for line, (name, con_id) in self._wishes.items():
            message = self._message(line[1], self._portfolio.accounts[name], con_id)
            if message and message != self._said.get(line):
                self._said[line] = message
                self._hub.tell(line[0], message)

    def _request(self, session: ClientSession, fields: Fields, read_con_id: Callable[[], int]) -> None:
        """For the whole account where the contract id is 0."""
        request_id, name = fields.integer(), fields.text()
        fields.skip(1)
        con_id = read_con_id()
        if name not in self._portfolio.accounts:
            words = f"Error validating request.-'ci' : cause - Invalid account code {name!r}"
            session.send(responses.error(request_id, 321, words))
            return
        self._wishes[session.client_id, request_id] = (name, con_id)
        self.pulse()

    def _cancel(self, session: ClientSession, fields: Fields) -> None:
        self._end((session.client_id, fields.integer()))

    def _end(self, line: tuple[int, int]) -> None:
        self._wishes.pop(line, None)
        self._said.pop(line, None)

    def _message(self, request_id: int, account: Account, con_id: int) -> Message | None:
        opening = self._opening(account)
        if not con_id:
            daily = unrealized = realized = ZERO
            for name, holding in account.holdings.items():
                figures, fx = self._figures(name, holding), self._fx(name)
                daily += (figures.unrealized + figures.realized - opening.total.get(name, ZERO)) * fx
                unrealized += figures.unrealized * fx
                realized += (figures.realized - opening.realized.get(name, ZERO)) * fx
            return responses.profit(request_id, daily, unrealized, realized)
        instrument = self._universe.with_con_id(con_id)
        position = account.holdings.get(instrument.id) if instrument else None
        if instrument is None or position is None:
            return None
        name, figures = instrument.id, self._figures(instrument.id, position)
        daily = figures.unrealized + figures.realized - opening.total.get(name, ZERO)
        realized = figures.realized - opening.realized.get(name, ZERO)
        return responses.profit_single(
            request_id, position.quantity, daily, figures.unrealized, realized, figures.value
        )

    def _opening(self, account: Account) -> Opening:
        """What the present day began with; the first look of a day decides it."""
        day = self._clock.now() // DAY
        opening = self._openings.get(account.id)
        if opening is None or opening.day != day:
            opening = self._openings[account.id] = Opening(day)
            for name, holding in account.holdings.items():
                figures = self._figures(name, holding)
                opening.total[name] = figures.unrealized + figures.realized
                opening.realized[name] = figures.realized
            self._state.put("opening", account.id, opening)
        return opening

    def _figures(self, name: InstrumentId, holding: VenueHolding) -> Figures:
        multiplier = self._universe.instrument(name).multiplier
        price = self._mark(name) or holding.price
        gain = holding.quantity * (price - holding.price) * multiplier
        return Figures(gain, holding.realized, holding.quantity * price * multiplier)

    def _fx(self, name: InstrumentId) -> Decimal:
        currency = self._universe.instrument(name).currency
        return Decimal(1) if currency == BASE else rate(currency, self._universe, self._mark)
