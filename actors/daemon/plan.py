"""From the settings to the plan that the tree is built from."""

import os
import socket
from functools import partial

import structlog

from actors.gateway_process import GatewayCommand
from actors.ib_connection import Timing
from actors.tree import DaemonPlan, ib_connection
from mats.model import StrategyRecord
from mats.orders import SettlementPolicy
from mats.settings import Settings
from mats.store.journal import Journal
from mats.store.outages import Patience
from mats.store.tables import store_uri


def make_plan(settings: Settings, seeds: tuple[StrategyRecord, ...]) -> DaemonPlan:
    """The plan of this start, which is counted in the journal."""
    data_dir = settings.data_dir
    journal = Journal(data_dir / "journal.db")
    boot = journal.open_boot()
    journal.close()
    if boot.dropped:
        structlog.get_logger(name="journal").warning(
            "saved states that are damaged, not of this log, or ahead of it are dropped and made anew",
            stages=boot.dropped,
        )
    port = settings.gateway.port if settings.gateway.host else free_port()
    return DaemonPlan(
        journal=data_dir / "journal.db",
        rejects=data_dir / "rejects.jsonl",
        store_uri=store_uri(settings.store.uri, settings.data_dir),
        connection=partial(
            ib_connection,
            timing(settings, port),
            registry=data_dir / "journal.db",
            fractional=settings.orders.fractional_shares,
        ),
        gateway=None if settings.gateway.host else gateway_command(settings, port),
        delayed_data=settings.market_data.delayed,
        limits=settings.risk.limits(),
        base_currency=settings.portfolio.base_currency,
        live_accounts=settings.gateway.live_accounts,
        reconcile_every=settings.portfolio.reconcile_interval_seconds,
        grace=settings.portfolio.break_confirmation_seconds,
        allow_leverage=settings.portfolio.allow_leverage,
        seeds=seeds,
        strategy_folder=settings.strategies.folder,
        strategy_host=settings.strategies.host,
        keep_days=settings.store.journal_retention_days,
        keep_bars=settings.store.keep_bars,
        matching=settings.portfolio.matching,
        store_patience=Patience(settings.store.outage_tolerance_seconds, settings.store.outage_tolerance_entries),
        settlement=SettlementPolicy(**settings.orders.model_dump(exclude={"fractional_shares"})),
        intent_prefix=boot.branch,
    )


def timing(settings: Settings, port: int) -> Timing:
    """Where the gateway is and how long it may take."""
    gateway = settings.gateway
    return Timing(
        host=gateway.host or "127.0.0.1",
        port=port,
        connect_timeout=gateway.connect_timeout_seconds,
        replay_timeout=gateway.snapshot_timeout_seconds,
        heartbeat=gateway.heartbeat_interval_seconds,
        time_zone=gateway.time_zone,
        delayed=settings.market_data.delayed,
    )


def gateway_command(settings: Settings, port: int) -> GatewayCommand:
    """This program again, as the paper gateway."""
    paper = settings.paper_gateway
    arguments = ["gateway", "--port", str(port), "--seed", str(paper.seed), "--with-parent", str(os.getpid())]
    arguments += ["--state", str(settings.data_dir / "gateway.db"), "--accounts", ",".join(paper.accounts)]
    if paper.replay:
        arguments += ["--replay", str(paper.replay), "--bar-seconds", str(paper.bar_seconds)]
    if paper.instruments:
        arguments += ["--instruments", str(paper.instruments)]
    return GatewayCommand(arguments=("-m", "actors.cli", *arguments), log=settings.data_dir / "logs" / "gateway.log")


def free_port() -> int:
    """A port on this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
