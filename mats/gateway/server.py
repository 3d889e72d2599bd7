"""The paper gateway: it listens, completes handshakes and dispatches requests to their handlers."""

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path
from types import TracebackType

import structlog

from mats.errors import UserError
from mats.gateway import unsupported
from mats.gateway.accounts import (
    PNL_INTERVAL_SECONDS,
    AccountService,
    AdvisorService,
    PnlTracker,
    RequestHandler,
    UnlistedContracts,
)
from mats.gateway.client_registry import ClientRegistry
from mats.gateway.data import ContractService, HistoricalDataService, HistoricalPacing, MarketDataService
from mats.gateway.faults import FaultInjector, FaultTarget, Traffic
from mats.gateway.listener import Listener
from mats.gateway.market_driver import MarketDriver, Publisher, RandomMarketDriver
from mats.gateway.orders import OrderQueries, OrderService, OrderStore, new_era
from mats.gateway.pacing import STRICT, GatewayLimits, MessagePacing
from mats.gateway.pending_connections import MAX_CLIENTS, PendingConnections
from mats.gateway.persistence import GatewayState
from mats.gateway.protocol import ClientSession, Fields, responses
from mats.gateway.replay_driver import ReplayMarketDriver
from mats.model import Currency, Nanos
from mats.venue import AlarmClock, DataClock, ShiftedClock, SystemClock
from mats.venue.markets import BarHistory, BarReplay, Hours, RandomMarket, default_universe, load_universe
from mats.venue.matching import BASE, Exchange, has_rate
from mats.venue.models import VenueModels

FARMS = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)

ACCOUNT_REFRESH_SECONDS = 180.0
"""Interval of account values without a trade. Source: IB's documentation of reqAccountUpdates."""

log = structlog.get_logger("mats.gateway")


class GatewayError(UserError):
    """The gateway cannot run with these options; the message says why and what to change."""


class PaperGateway:
    """The gateway: an async context manager. `port` is the port it listens on, `faults` are the hooks for tests.

    `state` is the file that outlives it (None: memory). `replay` is a folder of minute bars, each bar_replay in
    `bar_seconds`, beginning `hold_seconds` after the last new market data subscription; without it the market is random
    and deterministic for `seed`. `base` is the currency in which the accounts are kept, and `cash` in it what a new one
    starts with. `clock` gives the random market its time of day, and everything that waits its seconds. `models` are
    fees, margin, hours and the like of the venue, `limits` what clients are granted. `fractions` allows orders for
    parts of a share. Raises GatewayError.
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
        limits: GatewayLimits = STRICT,
        fractions: bool = False,
        base: Currency = BASE,
    ) -> None:
        models = models or VenueModels()
        clock = clock or SystemClock()
        self._traffic = Traffic(clock)
        self._pacing = MessagePacing(limits, self._answer, clock)
        self._pending = PendingConnections(clock)
        self._listener = Listener(host, port, lambda: ClientSession(self, self._traffic, clock), clock)
        bar_replay = self._load(instruments, replay, state)
        if not has_rate(base, self.universe):
            raise GatewayError(f"no pair of {base} and {BASE} is listed; choose another base currency for the accounts")
        self._clients = ClientRegistry(self._state)
        stored_time = self._state.load("clock", Nanos).get("now", 0)
        market_clock = DataClock(stored_time or bar_replay.start, clock) if bar_replay else clock
        self.clock = ShiftedClock(market_clock)
        self.exchange = Exchange(self.universe, hours=models.hours, slippage=models.slippage, latency=models.latency)
        self.account_service = AccountService(
            self._clients, self._state, self.clock, self.universe, self.exchange.mark, models.margin, base
        )
        unlisted = UnlistedContracts(self.universe, self._state)
        self.account_service.load(accounts, cash)
        self._pnl = PnlTracker(
            self._clients, self._state, self.clock, self.universe, self.account_service, self.exchange.mark
        )
        store = OrderStore(self._state, new_era(clock.now()))
        self._orders = self._new_orders(store, models, fractions)
        market = RandomMarket(self.universe, seed)
        self._data, data_handlers = self._new_data(bar_replay or market, models.hours, limits)
        self._driver = self._new_driver(market_clock, bar_replay, market, bar_seconds, hold_seconds)
        parts = (self.exchange, self.account_service, unlisted, store, self._orders, self._data)
        target = FaultTarget(self._clients, self._listener, self._pending, self.clock, *parts, [])
        self.faults = FaultInjector(
            self._clients, self._orders, store, self.exchange, self._data, self._traffic, target
        )
        queries = OrderQueries(self._clients, self.universe, self.exchange, store)
        self._handlers = self._new_handlers(queries, AdvisorService(accounts)) | data_handlers
        self._tasks: list[asyncio.Task[None]] = []

    def _load(self, instruments: Path | None, replay: Path | None, state: Path | None) -> BarReplay | None:
        """The instruments, what is known of an earlier life, and the bars that are replayed; raises GatewayError."""
        try:
            self.universe = load_universe(instruments) if instruments else default_universe()
            bar_replay = BarReplay(replay, self.universe) if replay else None
            self._state = GatewayState(state)
        except (ValueError, OSError, sqlite3.Error) as error:
            raise GatewayError(f"the gateway cannot start: {error}") from error
        return bar_replay

    def _new_orders(self, store: OrderStore, models: VenueModels, fractions: bool) -> OrderService:
        """The orders, those of an earlier life among them; what they are about is quoted."""
        orders = OrderService(
            self._clients,
            self.clock,
            self.universe,
            self.exchange,
            store,
            self.account_service,
            models,
            fractions=fractions,
        )
        for order in self.exchange.working():
            self.universe.activate(order.instrument)
        return orders

    def _new_handlers(self, queries: OrderQueries, advisor: AdvisorService) -> dict[int, RequestHandler]:
        """Who answers which request, but for those of data."""
        return {
            **self._requests(),
            **self.account_service.requests(),
            **self._orders.requests(),
            **queries.requests(),
            **self._pnl.requests(),
            **advisor.requests(),
            **unsupported.requests(),
        }

    def _new_data(
        self, history: BarHistory, hours: Hours, limits: GatewayLimits
    ) -> tuple[MarketDataService, dict[int, RequestHandler]]:
        """The market data service, and the handlers of all data requests."""
        contracts = ContractService(self.clock, self.universe, hours)
        data = MarketDataService(
            self._clients, self.clock, self.universe, contracts, self.exchange, history, limits, self._on_subscribe
        )
        pacing = HistoricalPacing(self.clock) if limits.historical else None
        historical = HistoricalDataService(
            self.clock, contracts, history, hours, data.live_bars, pacing, limits.historical_open, self._on_subscribe
        )
        return data, {**contracts.requests(), **data.requests(), **historical.requests()}

    def _new_driver(
        self,
        clock: AlarmClock,
        bar_replay: BarReplay | None,
        market: RandomMarket,
        bar_seconds: float,
        hold_seconds: float,
    ) -> MarketDriver:
        publisher = Publisher(self.exchange, self._orders, self._data)
        if bar_replay and isinstance(clock, DataClock):
            return ReplayMarketDriver(bar_replay, clock, publisher, self._data, self._state, bar_seconds, hold_seconds)
        return RandomMarketDriver(market, self.clock, publisher, self._data)

    async def __aenter__(self) -> "PaperGateway":
        loop = asyncio.get_running_loop()
        try:
            await self._listener.open()
        except OSError as error:
            self._state.close()
            where = f"{self.host}:{self.port}"
            raise GatewayError(f"cannot listen on {where} ({error.strerror}); choose another port") from error
        self._tasks = [
            loop.create_task(self._driver.run()),
            loop.create_task(self._refresh_accounts()),
            loop.create_task(self._publish_pnl()),
        ]
        for task in self._tasks:
            task.add_done_callback(_report)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self._pending.close_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._clients.commit_and_flush()
        for session in self._clients:
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
        return frozenset(session.client_id for session in self._clients)

    async def _publish_pnl(self) -> None:
        while True:
            await self.clock.sleep(PNL_INTERVAL_SECONDS)
            self._pnl.publish_changes()

    async def _refresh_accounts(self) -> None:
        while True:
            await self.clock.sleep(ACCOUNT_REFRESH_SECONDS)
            self.account_service.publish_all()

    def _on_subscribe(self) -> None:
        self._driver.on_subscribe()

    def on_connect(self, session: ClientSession) -> None:
        self._pending.add(session)

    def on_start(self, session: ClientSession, client_id: int) -> None:
        """Completes the handshake of a client; a second connection with the same client id gets error 326."""
        self._pending.remove(session)
        if len(self.connected) >= MAX_CLIENTS:
            session.drop(f"{MAX_CLIENTS} clients are already connected, the maximum of a gateway")
        elif client_id in self.faults.actions.reserved or not self._clients.add(session, client_id):
            text = "Unable to connect as the client id is already in use. Retry with a unique client id."
            session.send(responses.error(-1, 326, text))
            session.flush()
            session.close()
        else:
            session.send(
                responses.managed_accounts(tuple(self.account_service.accounts)),
                self._orders.next_valid_id(client_id),
                *(responses.error(-1, code, text) for code, text in FARMS),
            )
            self._clients.schedule_flush()

    def on_request(self, session: ClientSession, number: int, fields: Fields) -> None:
        self._pacing.submit(session, number, fields)

    def _answer(self, session: ClientSession, number: int, fields: Fields) -> None:
        handler = self._handlers.get(number)
        if handler is None:
            session.send(responses.error(-1, 321, f"Error validating request: request {number} is not supported"))
        else:
            handler(session, fields)
        self._clients.schedule_flush()

    def on_disconnect(self, session: ClientSession) -> None:
        self._pending.remove(session)
        if self._clients.remove(session):
            self.account_service.remove_client(session.client_id)
            self._pnl.remove_client(session.client_id)
            self._pacing.remove_client(session)
            self._data.remove_client(session.client_id)
            self.faults.actions.on_disconnect(session.client_id)

    def _requests(self) -> dict[int, RequestHandler]:
        return {
            14: lambda session, fields: None,
            17: lambda session, fields: session.send(responses.managed_accounts(tuple(self.account_service.accounts))),
            49: lambda session, fields: session.send(responses.current_time(self.clock.now())),
        }


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception():
        log.error("a task of the gateway failed", exc_info=task.exception())
