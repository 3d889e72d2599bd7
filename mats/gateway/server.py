"""The paper gateway: it opens the port, greets clients and hands their requests to whoever answers them."""

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path
from types import TracebackType

import structlog

from mats.errors import UserError
from mats.gateway import unsupported
from mats.gateway.accounts import PULSE_SECONDS, AccountService, Advisors, Handler, PnlTracker
from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data import Contracts, Historical, HistoricalPacing, MarketDataService
from mats.gateway.faults import Faults, FaultTarget, Traffic
from mats.gateway.listener import Listener
from mats.gateway.market_driver import MarketDriver, Publisher, RandomMarketDriver, ReplayMarketDriver
from mats.gateway.orders import OrderQueries, OrderService, OrderStore, era_of
from mats.gateway.pacing import LENIENT, GatewayLimits, MessagePacing
from mats.gateway.pending_connections import MAX_CLIENTS, PendingConnections
from mats.gateway.persistence import GatewayState
from mats.gateway.protocol import ClientSession, Fields, responses
from mats.model import Nanos
from mats.venue import AlarmClock, DataClock, ShiftedClock, SystemClock
from mats.venue.markets import BarHistory, BarReplay, Hours, RandomMarket, default_universe, load_universe
from mats.venue.matching import Exchange
from mats.venue.models import VenueModels

FARMS = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)

REFRESH_SECONDS = 180.0
"""Between two rounds of account values without a trade. Source: IB's documentation of reqAccountUpdates."""

log = structlog.get_logger("mats.gateway")


class GatewayError(UserError):
    """The gateway cannot run as asked; the message says why and what to change."""


class PaperGateway:
    """The gateway: an async context manager. `port` is the port it listens on, `faults` the hooks for tests.

    `state` is the file that outlives it (None: memory). `replay` is a folder of minute bars, each played in
    `bar_seconds`, beginning `hold_seconds` after the last new market data subscription; without it the market is random
    and deterministic for `seed`. `cash` in USD is what a new account starts with. `clock` gives the random market its
    time of day, and everything that waits its seconds. `models` are fees, margin, hours and the like of the venue,
    `limits` what clients are granted. Raises GatewayError.
    """

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
        clock: AlarmClock | None = None,
        models: VenueModels | None = None,
        limits: GatewayLimits = LENIENT,
    ) -> None:
        models = models or VenueModels()
        clock = clock or SystemClock()
        self._traffic = Traffic(clock)
        self._pacing = MessagePacing(limits, self._answer, clock)
        self._lobby = PendingConnections(clock)
        self._listener = Listener(host, port, lambda: ClientSession(self, self._traffic, clock), clock)
        try:
            self.universe = load_universe(instruments) if instruments else default_universe()
            played = BarReplay(replay, self.universe) if replay else None
            self._state = GatewayState(state)
        except (ValueError, OSError, sqlite3.Error) as error:
            raise GatewayError(f"the gateway cannot start: {error}") from error
        self._hub = ClientRegistry(self._state)
        stored_time = self._state.load("clock", Nanos).get("now", 0)
        base = DataClock(stored_time or played.start, clock) if played else clock
        self.clock = ShiftedClock(base)
        self.exchange = Exchange(self.universe, hours=models.hours, slippage=models.slippage, latency=models.latency)
        self.portfolio = AccountService(
            self._hub, self._state, self.clock, self.universe, self.exchange.mark, models.margin
        )
        self.portfolio.open(accounts, cash)
        self._profits = PnlTracker(
            self._hub, self._state, self.clock, self.universe, self.portfolio, self.exchange.mark
        )
        blotter = OrderStore(self._state, era_of(clock.now()))
        self._desk = OrderService(self._hub, self.clock, self.universe, self.exchange, blotter, self.portfolio, models)
        for order in self.exchange.working():
            self.universe.wake(order.instrument)
        market = RandomMarket(self.universe, seed)
        self._data, on_data = self._new_data(played or market, models.hours, limits)
        self._feed = self._new_feed(base, played, market, bar_seconds, hold_seconds)
        parts = (self.exchange, self.portfolio, blotter, self._desk, self._data)
        house = FaultTarget(self._hub, self._listener, self._lobby, self.clock, *parts, [])
        self.faults = Faults(self._hub, self._desk, blotter, self.exchange, self._data, self._traffic, house)
        self._handlers: dict[int, Handler] = {
            **self._requests(),
            **self.portfolio.requests(),
            **self._desk.requests(),
            **OrderQueries(self.universe, self.exchange, blotter).requests(),
            **on_data,
            **self._profits.requests(),
            **Advisors(accounts).requests(),
            **unsupported.requests(),
        }
        self._tasks: list[asyncio.Task[None]] = []

    def _new_data(
        self, history: BarHistory, hours: Hours, limits: GatewayLimits
    ) -> tuple[MarketDataService, dict[int, Handler]]:
        """Live data, and the handlers of requests for data of any kind."""
        contracts = Contracts(self.clock, self.universe, hours)
        data = MarketDataService(
            self._hub, self.clock, self.universe, contracts, self.exchange, history, limits, self._subscribed
        )
        pacing = HistoricalPacing(self.clock) if limits.historical else None
        past = Historical(self.clock, contracts, history, hours, data.growing, pacing, self._subscribed)
        return data, {**contracts.requests(), **data.requests(), **past.requests()}

    def _new_feed(
        self, clock: AlarmClock, played: BarReplay | None, market: RandomMarket, bar_seconds: float, hold_seconds: float
    ) -> MarketDriver:
        publisher = Publisher(self.exchange, self._desk, self._data)
        if played and isinstance(clock, DataClock):
            return ReplayMarketDriver(played, clock, publisher, self._data, self._state, bar_seconds, hold_seconds)
        return RandomMarketDriver(market, self.clock, publisher, self._data)

    async def __aenter__(self) -> "PaperGateway":
        loop = asyncio.get_running_loop()
        try:
            await self._listener.open()
        except OSError as error:
            self._state.close()
            where = f"{self.host}:{self.port}"
            raise GatewayError(f"cannot listen on {where} ({error.strerror}); free it or choose another") from error
        self._tasks = [
            loop.create_task(self._feed.run()),
            loop.create_task(self._refresh()),
            loop.create_task(self._pulse()),
        ]
        for task in self._tasks:
            task.add_done_callback(_report)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shut()
        self._lobby.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._hub.end_turn()
        for session in self._hub:
            session.close()
        await self.clock.sleep(0)
        self.faults.stop_recording()
        self._state.close()

    @property
    def host(self) -> str:
        return self._listener.host

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def connected(self) -> frozenset[int]:
        """The client ids that are connected."""
        return frozenset(session.client_id for session in self._hub)

    async def _pulse(self) -> None:
        while True:
            await self.clock.sleep(PULSE_SECONDS)
            self._profits.pulse()

    async def _refresh(self) -> None:
        while True:
            await self.clock.sleep(REFRESH_SECONDS)
            self.portfolio.refresh()

    def _subscribed(self) -> None:
        self._feed.subscribed()

    def opened(self, session: ClientSession) -> None:
        self._lobby.enter(session)

    def start(self, session: ClientSession, client_id: int) -> None:
        """Greets a client that has said its id; a second one of the same id is refused with 326."""
        self._lobby.leave(session)
        if len(self.connected) >= MAX_CLIENTS:
            session.refuse(f"{MAX_CLIENTS} clients are connected, and that is all a gateway serves")
        elif client_id in self.faults.actions.reserved or not self._hub.join(session, client_id):
            text = "Unable to connect as the client id is already in use. Retry with a unique client id."
            session.send(responses.error(-1, 326, text))
            session.flush()
            session.close()
        else:
            session.send(
                responses.managed_accounts(tuple(self.portfolio.accounts)),
                self._desk.next_valid_id(client_id),
                *(responses.error(-1, code, text) for code, text in FARMS),
            )
            self._hub.wake()

    def request(self, session: ClientSession, number: int, fields: Fields) -> None:
        self._pacing.take(session, number, fields)

    def _answer(self, session: ClientSession, number: int, fields: Fields) -> None:
        handler = self._handlers.get(number)
        if handler is None:
            session.send(responses.error(-1, 321, f"Error validating request: request {number} is not supported"))
        else:
            handler(session, fields)
        self._hub.wake()

    def closed(self, session: ClientSession) -> None:
        self._lobby.leave(session)
        if self._hub.leave(session):
            self.portfolio.forget(session.client_id)
            self._profits.forget(session.client_id)
            self._pacing.forget(session)
            self._data.forget(session.client_id)
            self.faults.actions.left(session.client_id)

    def _requests(self) -> dict[int, Handler]:
        return {
            14: lambda session, fields: None,
            17: lambda session, fields: session.send(responses.managed_accounts(tuple(self.portfolio.accounts))),
            49: lambda session, fields: session.send(responses.current_time(self.clock.now())),
        }


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception():
        log.error("a task of the gateway failed", exc_info=task.exception())
