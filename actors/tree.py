"""The supervision tree: who is whose child, in which order they start, and what happens when one fails.

    root                rest_for_one   3 in 600 s, then the process ends with an error
    ├── store           one_for_one    writer                                  5 in 300 s each, then root
    ├── core            one_for_one    fill-log risk orders portfolio          3 in 60 s each, then root
    ├── brokers         one_for_one    [gateway] market-data pool ib-0 ib-99   again and again, ever more slowly
    │                                  ib-1 … ib-98 (started by the pool)
    ├── strategies      one_for_one    one child per strategy                  3 in 300 s each, then parked
    └── strategy-manager                                                       3 in 60 s, then root

Children start from top to bottom and stop from bottom to top: whoever has last news to tell stops before the one who
hears it, the connections before the order manager, and that before risk. The fill log makes `one_for_one` safe for the
core: a stage that comes back says where it stands and is sent the rest.
"""

from pathlib import Path

import msgspec

from actors.backtest_broker import BacktestBroker, VenueLine
from actors.base import ConnectionRefs, PortfolioRefs, Refs
from actors.fill_log import FillLog
from actors.gateway_process import GatewayCommand, GatewayProcess
from actors.ib_connection import IbConnection, Timing
from actors.ib_pool import DATA_CLIENT, MASTER_CLIENT, RECONNECT, Connector, IbPool, connection_spec
from actors.market_data import MarketData
from actors.order_manager import OrderManager
from actors.persistence_writer import PersistenceWriter
from actors.portfolio_manager import PortfolioManager
from actors.risk_manager import RiskManager
from actors.strategy import StrategyRefs
from actors.strategy_manager import StrategyManager
from mats.ledger.books import Matching
from mats.model import AccountId, StrategyRecord
from mats.risk import Limits
from mats.runtime import Actor, Backoff, ChildSpec, Limit, SupervisorSpec

CORE_LIMIT, CORE_BACKOFF = Limit(restarts=3, seconds=60.0), Backoff(min=0.05, max=1.0)
STORE_LIMIT, STORE_BACKOFF = Limit(restarts=5, seconds=300.0), Backoff(min=0.1, max=5.0)


class DaemonPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the tree is built from; amounts in `base_currency`, spans in seconds."""

    journal: Path
    rejects: Path
    store_uri: str
    timing: Timing | VenueLine
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


def build(plan: DaemonPlan, names: Refs) -> SupervisorSpec:
    """The tree as data."""
    return SupervisorSpec(
        name="root",
        strategy="rest_for_one",
        limit=Limit(restarts=3, seconds=600.0),
        children=(
            _store(plan, names),
            _core(plan, names),
            _brokers(plan, names),
            SupervisorSpec(name="strategies", over_limit="park"),
            _strategy_manager(plan, names),
        ),
    )


def _store(plan: DaemonPlan, names: Refs) -> SupervisorSpec:
    args = {
        "uri": plan.store_uri,
        "journal_path": plan.journal,
        "rejects": plan.rejects,
        "base_currency": plan.base_currency,
        "fill_log": names.fill_log,
        "sources": (names.orders, names.portfolio),
        "stages": tuple(names.stages),
        "keep_days": plan.keep_days,
        "matching": plan.matching,
    }
    writer = _child("writer", PersistenceWriter, args, STORE_LIMIT, STORE_BACKOFF)
    return SupervisorSpec(name="store", children=(writer,))


def _core(plan: DaemonPlan, names: Refs) -> SupervisorSpec:
    common: dict[str, object] = {"journal_path": plan.journal}
    fill_log = common | {
        "stages": names.stages,
        "gatekeeper": names.risk,
        "base_currency": plan.base_currency,
        "rate_stale_after": plan.limits.rate_stale_after,
    }
    stage = common | {"fill_log": names.fill_log}
    orders = stage | {"risk": names.risk, "store": names.store, "pool": names.pool}
    risk = stage | {
        "orders": names.orders,
        "broker": names.master,
        "informants": (names.portfolio, names.market_data, names.strategy_manager),
        "limits": plan.limits,
        "base_currency": plan.base_currency,
        "live_accounts": plan.live_accounts,
    }
    neighbours = PortfolioRefs(
        fill_log=names.fill_log,
        risk=names.risk,
        store=names.store,
        broker=names.master,
        market_data=names.market_data,
        strategy_manager=names.strategy_manager,
    )
    portfolio = common | {
        "neighbours": neighbours,
        "base_currency": plan.base_currency,
        "rate_stale_after": plan.limits.rate_stale_after,
        "every": plan.reconcile_every,
        "grace": plan.grace,
        "store_uri": plan.store_uri,
    }
    children = (
        _child("fill-log", FillLog, fill_log, CORE_LIMIT, CORE_BACKOFF),
        _child("risk", RiskManager, risk, CORE_LIMIT, CORE_BACKOFF),
        _child("orders", OrderManager, orders, CORE_LIMIT, CORE_BACKOFF),
        _child("portfolio", PortfolioManager, portfolio, CORE_LIMIT, CORE_BACKOFF),
    )
    return SupervisorSpec(name="core", children=children)


def _brokers(plan: DaemonPlan, names: Refs) -> SupervisorSpec:
    desks = ConnectionRefs(
        fill_log=names.fill_log,
        orders=names.orders,
        portfolio=names.portfolio,
        market_data=names.market_data,
        risk=names.risk,
    )
    connector = _connector(plan.timing, desks)
    market_data = MarketData.Args(
        connection=names.data,
        risk=names.risk,
        portfolio=names.portfolio,
        stale_after=plan.limits.stale_after,
    )
    pool = {
        "journal_path": plan.journal,
        "supervisor": names.brokers,
        "connector": connector,
        "listeners": (names.orders,),
    }
    gateway = [] if plan.gateway is None else [_child("gateway", GatewayProcess, {"command": plan.gateway})]
    return SupervisorSpec(
        name="brokers",
        backoff=RECONNECT,
        over_limit="keep",
        children=(
            *gateway,
            ChildSpec(name="market-data", actor=MarketData, args=market_data),
            _child("pool", IbPool, pool),
            connection_spec(MASTER_CLIENT, connector, (names.portfolio, names.risk)),
            connection_spec(DATA_CLIENT, connector, (names.market_data,)),
        ),
    )


def _connector(timing: Timing | VenueLine, desks: ConnectionRefs) -> Connector:
    """A line to a simulated broker makes simulated connections; everything else in the tree is the same."""
    actor = BacktestBroker if isinstance(timing, VenueLine) else IbConnection
    return Connector(actor, {"timing": timing, "desks": desks})


def _strategy_manager(plan: DaemonPlan, names: Refs) -> ChildSpec:
    services = StrategyRefs(
        market_data=names.market_data, risk=names.risk, orders=names.orders, portfolio=names.portfolio
    )
    args = {
        "seeds": plan.seeds,
        "folder": plan.strategy_folder,
        "intent_prefix": plan.intent_prefix,
        "allow_leverage": plan.allow_leverage,
        "supervisor": names.strategies,
        "services": services,
        "store": names.store,
        "pool": names.pool,
    }
    return _child("strategy-manager", StrategyManager, args, CORE_LIMIT, CORE_BACKOFF)


def _child(
    name: str,
    actor: type[Actor],
    args: dict[str, object],
    limit: Limit | None = None,
    backoff: Backoff | None = None,
) -> ChildSpec:
    return ChildSpec(name=name, actor=actor, args=args, limit=limit, backoff=backoff)
