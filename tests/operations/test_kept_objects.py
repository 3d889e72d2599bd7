"""What an actor keeps does not grow with its fills: after four times as many it holds as much memory as before."""

import gc
import tracemalloc
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors import fill_log
from actors.fill_log import FillLog
from actors.messages.broker import OrderEvents, SubmitOrder
from actors.messages.fill_log import (
    Acknowledge,
    ApplyEntries,
    EpochOpened,
    OpenEpoch,
    ReportExecutions,
    StageCursor,
)
from actors.messages.order_manager import OrderChanged, SubmitIntent
from actors.order_manager import OrderManager
from mats.model import OrderState, opening_view
from mats.orders import registry
from mats.store.tables import schemas
from tests.operations.test_cost_of_an_event import ready, working

FILLS = 200
KEPT = 64
"""Of everything that is bounded by a number, so many are kept here."""

BYTES_A_FILL = 40
"""What tables that double their size now and then may seem to grow; one object more for each fill is above."""

CONNECTION = "brokers/ib-1"

ROOT = Path(__file__).parents[2]
OURS = [tracemalloc.Filter(True, f"{ROOT}/{folder}/*") for folder in ("actors", "mats", "tests/operations")]
"""What is made here: ArcticDB keeps some 60 bytes of its own for each call."""


@pytest.fixture(autouse=True)
def small_caches(monkeypatch):
    monkeypatch.setattr(fill_log, "TAIL_ENTRIES", KEPT)
    monkeypatch.setattr(fill_log, "RECENT_EXECUTIONS", KEPT)
    monkeypatch.setattr(registry, "CLOSED_ORDERS_KEPT", KEPT)
    for name in ("FILLS", "ORDERS", "TRADES"):
        monkeypatch.setattr(schemas, name, replace(getattr(schemas, name), cached=KEPT))


@pytest.fixture
def check_kept():
    """Checks what is held after `FILLS` fills and after four times as many; `play` takes the next one by its number."""

    def check(play):
        def held(first, last):
            for number in range(first, last):
                play(number)
            gc.collect()
            traces = tracemalloc.take_snapshot().filter_traces(OURS).traces
            return sum(trace.size for trace in traces)

        tracemalloc.start()
        try:
            before = held(0, FILLS)
            assert held(FILLS, 4 * FILLS) - before < 3 * FILLS * BYTES_A_FILL
        finally:
            tracemalloc.stop()

    return check


@pytest.mark.parametrize("stage", ["persistence_writer", "portfolio_manager"])
def test_a_stage_of_books(check_kept, history, worlds, request, tmp_path, stage):
    history.journal(tmp_path / "journal.db", 0)
    runtime = worlds()
    actor, probes = request.getfixturevalue(stage)(runtime, tmp_path)

    def play(number):
        actor.tell(ApplyEntries(history.pair(number)))
        if stage == "persistence_writer":
            actor.tell(OrderChanged(filled(history, number)))
        if number % 20 == 19:
            settle(runtime, probes)

    check_kept(play)


def test_the_fill_log(check_kept, history, worlds, tmp_path):
    history.journal(tmp_path / "journal.db", 0)
    runtime = worlds()
    stage, risk, connection = probes = tuple(map(runtime.probe, ("stage", "risk", CONNECTION)))
    args = FillLog.Args(
        journal_path=tmp_path / "journal.db", base_currency="USD", rate_stale_after=60.0, stages={"stage": stage.ref},
        risk=risk.ref,
    )  # fmt: skip
    log = runtime.spawn(FillLog, args, name="fill-log")
    log.tell(OpenEpoch(CONNECTION, connection.ref))
    epoch = connection.expect(EpochOpened).epoch
    log.tell(StageCursor("stage", 0))

    def play(number):
        executions, commissions = (history.execution(number),), (history.commission(number),)
        report = ReportExecutions(connection=CONNECTION, epoch=epoch, executions=executions, commissions=commissions)
        log.tell(report)
        log.tell(Acknowledge("stage", 2 * number + 2))
        settle(runtime, probes)

    check_kept(play)


def test_the_order_manager(check_kept, history, worlds, tmp_path):
    history.journal(tmp_path / "journal.db", 0)
    runtime = worlds()
    names = ("fill-log", "store", "pool", CONNECTION)
    log, store, pool, line = probes = tuple(map(runtime.probe, names))
    args = OrderManager.Args(journal_path=tmp_path / "journal.db", fill_log=log.ref, store=store.ref, pool=pool.ref)
    manager = runtime.spawn(OrderManager, args, name="orders")
    manager.tell(ready(line.ref))
    settle(runtime, probes)

    def play(number):
        intent = history.intent(number)
        manager.tell(SubmitIntent(intent))
        runtime.run_until_idle()
        sent = line.expect(SubmitOrder)
        manager.tell(OrderEvents(1, "1", (replace(working(intent, sent.order_id), perm_id=9_000 + number),)))
        manager.tell(ApplyEntries(history.pair(number)))
        settle(runtime, probes)

    check_kept(play)


# What the scenarios tell


def settle(runtime, probes):
    runtime.run_until_idle()
    runtime.advance(1.0)
    for probe in probes:
        while probe._take(0.0) is not None:
            pass
        probe._seen.clear()


def filled(history, number):
    view = opening_view(replace(history.intent(number), time=history.execution(number).time))
    return replace(view, state=OrderState.FILLED, filled=view.quantity)
