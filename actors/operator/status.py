"""The answer to `mats status`."""

from actors.screen import SystemSnapshot
from mats.model import Nanos
from mats.operator import protocol, strategy_lines
from mats.runtime import MessageStats
from mats.streams import faults_by_strategy


def status_of(
    view: SystemSnapshot, messages: tuple[MessageStats, ...], history: str | None, now: Nanos
) -> protocol.DaemonStatus:
    """The snapshot as it goes over the control socket."""
    portfolio, table, progress = view.portfolio, view.strategies, view.progress
    equities = None if portfolio is None else portfolio.equity
    data_faults = faults_by_strategy(view.streams or ())
    return protocol.DaemonStatus(
        time=now,
        actors=view.actors,
        messages=messages,
        strategies=None
        if table is None
        else strategy_lines(
            table.records, table.running, table.faults, table.waiting, view.halts, equities, data_faults
        ),
        halts=view.halts,
        equity=None if portfolio is None else portfolio.totals,
        overcommitted=None if portfolio is None else portfolio.overcommitted,
        orders=view.orders,
        breaks=None if portfolio is None else len(portfolio.breaks),
        compared_seconds_ago=None if portfolio is None else portfolio.reconciled_seconds_ago,
        entries=None if progress is None else progress.last_seq,
        store=None if progress is None else progress.store,
        clock="" if progress is None else progress.clock,
        dead_letters=view.dead_letters,
        quarantined=None if progress is None else progress.quarantined,
        starting=str(view.start),
        streams=view.streams,
        history=history or "",
    )
