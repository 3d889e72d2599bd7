"""The supervision tree: who is whose child, in which order they start, and what happens when one fails.

    root                rest_for_one   3 in 600 s, then the process ends with an error
    ├── store           one_for_one    writer                                  again and again, ever more slowly
    ├── core            one_for_one    fill-log risk orders portfolio          3 in 60 s each, then root
    ├── brokers         one_for_one    [gateway] market-data pool ib-0 ib-99   again and again, ever more slowly
    │                                  ib-1 … ib-98 (started by the pool)
    ├── strategies      one_for_one    one child per strategy                  3 in 300 s each, then parked
    └── strategy-manager                                                       3 in 60 s, then root

Children start from top to bottom and stop from bottom to top: a sender stops before its receivers, the connections
before the order manager, and that before risk. The fill log makes `one_for_one` safe for the core: a restarted stage
reports its cursor and is sent the rest.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from actors.base import Refs
from actors.fill_log import FillLog
from actors.gateway_process import GatewayCommand, GatewayProcess
from actors.ib_connection import IbConnection, Timing
from actors.ib_pool import IbPool
from actors.market_data import MarketData
from actors.messages.broker import Ready
from actors.messages.ib_pool import DATA_CLIENT, MASTER_CLIENT, connection_name
from actors.order_manager import OrderManager
from actors.persistence_writer import PersistenceWriter
from actors.portfolio_manager import PortfolioManager
from actors.risk_manager import RiskManager
from actors.strategy_manager import StrategyManager
from mats.ledger.books import Matching
from mats.model import AccountId, Host, StrategyRecord
from mats.orders import SettlementPolicy
from mats.risk import Limits
from mats.runtime import Backoff, ChildSpec, Limit, Ref, Spec, SupervisorSpec
from mats.sessions import StatedHours
from mats.store.outages import Patience
from mats.streams import TradingHours

CORE_LIMIT, CORE_BACKOFF = Limit(restarts=3, seconds=60.0), Backoff(min=0.05, max=1.0)
RECONNECT = Backoff(min=1.0, max=60.0, jitter=0.2, reset_after=30.0)
REOPEN = Backoff(min=0.1, max=60.0, jitter=0.2, reset_after=30.0)
"""Of the writer, which serves people: trading goes on without it."""


MakeConnection = Callable[[Refs, tuple[Ref[Ready], ...], int], Spec]
"""Makes the spec of a broker connection from the refs, the listeners of `Ready` and the client id."""


class DaemonPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the tree is built from; amounts in `base_currency`, spans in seconds."""

    journal: Path
    rejects: Path
    store_uri: str
    connection: MakeConnection
    gateway: GatewayCommand | None
    limits: Limits
    base_currency: str
    live_accounts: tuple[AccountId, ...]
    reconcile_every: float
    grace: float
    allow_leverage: bool
    seeds: tuple[StrategyRecord, ...]
    strategy_folder: Path
    intent_prefix: str
    keep_days: float = 30.0
    matching: Matching = "fifo"
    strategy_host: Host = "thread"
    store_patience: Patience = Patience()
    delayed_data: bool = False
    hours: TradingHours = StatedHours()
    settlement: SettlementPolicy = SettlementPolicy()
    keep_bars: bool = False


def build(plan: DaemonPlan, refs: Refs) -> SupervisorSpec:
    """The tree as data."""
    return SupervisorSpec(
        name="root",
        strategy="rest_for_one",
        limit=Limit(restarts=3, seconds=600.0),
        children=(
            _store(plan, refs),
            _core(plan, refs),
            _brokers(plan, refs),
            SupervisorSpec(name="strategies", over_limit="park", stop_together=True),
            _strategy_manager(plan, refs),
        ),
    )


def _store(plan: DaemonPlan, refs: Refs) -> SupervisorSpec:
    writer = PersistenceWriter.Args(
        uri=plan.store_uri,
        journal_path=plan.journal,
        rejects=plan.rejects,
        base_currency=plan.base_currency,
        keep_days=plan.keep_days,
        matching=plan.matching,
        stages=tuple(refs.stages),
        fill_log=refs.fill_log,
        publishers=(refs.orders, refs.portfolio),
    )
    child = ChildSpec(name="writer", actor=PersistenceWriter, args=writer)
    return SupervisorSpec(name="store", backoff=REOPEN, over_limit="keep", children=(child,))


def _core(plan: DaemonPlan, refs: Refs) -> SupervisorSpec:
    fill_log = FillLog.Args(
        journal_path=plan.journal,
        base_currency=plan.base_currency,
        rate_stale_after=plan.limits.max_rate_age_seconds,
        stages=refs.stages,
        risk=refs.risk,
        store_patience=plan.store_patience,
    )
    risk = RiskManager.Args(
        journal_path=plan.journal,
        limits=plan.limits,
        base_currency=plan.base_currency,
        live_accounts=plan.live_accounts,
        fill_log=refs.fill_log,
        orders=refs.orders,
        broker=refs.master,
        publishers=(refs.portfolio, refs.market_data, refs.strategy_manager),
    )
    orders = OrderManager.Args(
        journal_path=plan.journal, settlement=plan.settlement,
        fill_log=refs.fill_log, store=refs.store, pool=refs.pool
    )  # fmt: skip
    portfolio = PortfolioManager.Args(
        journal_path=plan.journal,
        base_currency=plan.base_currency,
        rate_stale_after=plan.limits.max_rate_age_seconds,
        reconcile_every=plan.reconcile_every,
        grace=plan.grace,
        fill_log=refs.fill_log,
        risk=refs.risk,
        store=refs.store,
        broker=refs.master,
        market_data=refs.market_data,
        strategy_manager=refs.strategy_manager,
    )
    return SupervisorSpec(
        name="core",
        children=(
            ChildSpec(name="fill-log", actor=FillLog, args=fill_log, limit=CORE_LIMIT, backoff=CORE_BACKOFF),
            ChildSpec(name="risk", actor=RiskManager, args=risk, limit=CORE_LIMIT, backoff=CORE_BACKOFF),
            ChildSpec(name="orders", actor=OrderManager, args=orders, limit=CORE_LIMIT, backoff=CORE_BACKOFF),
            ChildSpec(name="portfolio", actor=PortfolioManager, args=portfolio, limit=CORE_LIMIT, backoff=CORE_BACKOFF),
        ),
    )


def _brokers(plan: DaemonPlan, refs: Refs) -> SupervisorSpec:
    market_data = MarketData.Args(
        stale_after=plan.limits.max_price_age_seconds,
        delayed=plan.delayed_data,
        hours=plan.hours,
        connection=refs.data,
        risk=refs.risk,
        portfolio=refs.portfolio,
        store=refs.store if plan.keep_bars else None,
    )
    pool = IbPool.Args(
        journal_path=plan.journal,
        supervisor=refs.connections,
        connection=partial(plan.connection, refs, (refs.orders,)),
    )
    return SupervisorSpec(
        name="brokers",
        backoff=RECONNECT,
        over_limit="keep",
        children=(
            *_gateway(plan.gateway),
            ChildSpec(name="market-data", actor=MarketData, args=market_data),
            ChildSpec(name="pool", actor=IbPool, args=pool),
            plan.connection(refs, (refs.portfolio, refs.risk), MASTER_CLIENT),
            plan.connection(refs, (refs.market_data,), DATA_CLIENT),
        ),
    )


def _gateway(command: GatewayCommand | None) -> tuple[Spec, ...]:
    if command is None:
        return ()
    return (ChildSpec(name="gateway", actor=GatewayProcess, args=GatewayProcess.Args(command)),)


def ib_connection(
    timing: Timing,
    refs: Refs,
    listeners: tuple[Ref[Ready], ...],
    client_id: int,
    *,
    registry: Path | None = None,
    fractional: bool = False,
) -> Spec:
    """A connection to IB that is always restarted, ever more slowly; with `timing` bound it is a `MakeConnection`.

    `registry` is the journal that names contracts; without it names end with the connection.
    """
    args = IbConnection.Args(
        timing=timing,
        registry=registry,
        fractional=fractional,
        client_id=client_id,
        listeners=listeners,
        fill_log=refs.fill_log,
        orders=refs.orders,
        portfolio=refs.portfolio,
        market_data=refs.market_data,
        risk=refs.risk,
    )
    return ChildSpec(
        name=connection_name(client_id), actor=IbConnection, args=args, backoff=RECONNECT, over_limit="keep"
    )


def _strategy_manager(plan: DaemonPlan, refs: Refs) -> Spec:
    args = StrategyManager.Args(
        seeds=plan.seeds,
        folder=plan.strategy_folder,
        intent_prefix=plan.intent_prefix,
        allow_leverage=plan.allow_leverage,
        host=plan.strategy_host,
        supervisor=refs.strategies,
        store=refs.store,
        pool=refs.pool,
        market_data=refs.market_data,
        risk=refs.risk,
        orders=refs.orders,
        portfolio=refs.portfolio,
    )
    return ChildSpec(name="strategy-manager", actor=StrategyManager, args=args, limit=CORE_LIMIT, backoff=CORE_BACKOFF)
