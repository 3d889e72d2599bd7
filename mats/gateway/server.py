"""The paper gateway: it opens the port, greets clients and hands their requests to whoever answers them."""

import asyncio
from decimal import Decimal
from pathlib import Path
from types import TracebackType

from mats.gateway import responses
from mats.gateway.hub import Hub
from mats.gateway.portfolio import Handler, Portfolio
from mats.gateway.session import Session
from mats.gateway.state import State
from mats.gateway.wire import Fields
from mats.model.instrument import InstrumentId
from mats.model.timestamp import SECOND
from mats.venue.clock import SystemClock
from mats.venue.universe import ContractQuery, default_universe, load_universe

FARMS = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)


class GatewayError(Exception):
    """The gateway cannot run as asked; the message says why and what to change."""


class PaperGateway:
    """The gateway. Use it as an async context manager; `port` is the port it listens on."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 1,
        state: Path | None = None,
        replay: Path | None = None,
        bar_seconds: float = 1.0,
        hold_seconds: float = 0.5,
        accounts: tuple[str, ...] = ("DU1000001",),
        cash: Decimal = Decimal(1_000_000),
        instruments: Path | None = None,
    ) -> None:
        self.host, self.port = host, port
        self._universe = load_universe(instruments) if instruments else default_universe()
        self._state = State(state)
        self._hub = Hub(self._state)
        self._clock = SystemClock()
        self._portfolio = Portfolio(self._hub, self._state, self._clock, self._universe, self._mark)
        self._portfolio.open(accounts, cash)
        self._server: asyncio.Server | None = None
        self._handlers: dict[int, Handler] = {**self._requests(), **self._portfolio.requests()}

    async def __aenter__(self) -> "PaperGateway":
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._session, self.host, self.port)
        except OSError as error:
            raise GatewayError(
                f"cannot listen on {self.host}:{self.port} ({error.strerror}); free it or choose another"
            )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        self._hub.end_turn()
        for session in self._hub:
            session.close()
        await asyncio.sleep(0)
        self._state.close()

    def _mark(self, name: InstrumentId) -> Decimal:
        return Decimal(0)

    def _session(self) -> Session:
        return Session(self._start, self._request, self._leave)

    def _start(self, session: Session, client_id: int) -> None:
        if not self._hub.join(session, client_id):
            text = "Unable to connect as the client id is already in use. Retry with a unique client id."
            session.send(responses.error(-1, 326, text))
            session.flush()
            session.close()
            return
        session.send(
            responses.managed_accounts(tuple(self._portfolio.accounts)),
            responses.next_valid_id(1),
            *(responses.error(-1, code, text) for code, text in FARMS),
        )
        self._hub.wake()

    def _request(self, session: Session, request: int, fields: Fields) -> None:
        handler = self._handlers.get(request)
        if handler is None:
            session.send(responses.error(-1, 321, f"Error validating request: request {request} is not supported"))
        else:
            handler(session, fields)
        self._hub.wake()

    def _leave(self, session: Session) -> None:
        if self._hub.leave(session):
            self._portfolio.forget(session.client_id)

    def _requests(self) -> dict[int, Handler]:
        return {
            5: lambda session, fields: session.send(responses.open_order_end()),
            7: lambda session, fields: (fields.skip(1), session.send(responses.executions_end(fields.integer())))[1],
            9: self._contract_details,
            14: lambda session, fields: None,
            15: lambda session, fields: None,
            16: lambda session, fields: session.send(responses.open_order_end()),
            17: lambda session, fields: session.send(responses.managed_accounts(tuple(self._portfolio.accounts))),
            49: lambda session, fields: session.send(responses.current_time(self._clock.now())),
            99: lambda session, fields: session.send(responses.completed_orders_end()),
        }

    def _contract_details(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        request_id = fields.integer()
        found = self._universe.find(contract_query(fields))
        if not found:
            text = "No security definition has been found for the request"
            session.send(responses.error(request_id, 200, text))
            return
        session.send(*(responses.contract_details(request_id, instrument) for instrument in found))
        session.send(responses.contract_details_end(request_id))


def contract_query(fields: Fields) -> ContractQuery:
    """Reads the twelve contract fields of a request."""
    con_id, symbol, sec_type, expiry = fields.integer(), fields.text(), fields.text(), fields.text()
    fields.skip(3)
    exchange = fields.text()
    fields.skip(1)
    currency, local_symbol = fields.text(), fields.text()
    fields.skip(1)
    return ContractQuery(
        con_id=con_id,
        symbol=symbol,
        sec_type=sec_type,
        expiry=expiry,
        exchange=exchange,
        currency=currency,
        local_symbol=local_symbol,
    )
