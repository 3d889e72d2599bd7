"""An event costs the same after ten entries and after ten thousand: in statements, commits, rows, entries, messages."""

from decimal import Decimal

from msgspec.structs import replace

from actors.fill_log import FillLog
from actors.messages.broker import OrderEvents, Ready, SubmitOrder
from actors.messages.fill_log import (
    Acknowledge,
    ApplyEntries,
    EpochOpened,
    OpenEpoch,
    ReportExecutions,
    StageCursor,
    StagesBehind,
)
from actors.messages.market_data import InstrumentCompleted, PriceMarked
from actors.messages.order_manager import ALL, AllOrders, OrderChanged, SubmitIntent, SubscribeAllOrders
from actors.messages.portfolio_manager import EquityChanged
from actors.order_manager import OrderManager
from actors.risk_manager import RiskManager
from mats.model import BrokerOrder, BrokerOrderStatus, BrokerSnapshot, OrderRequest, OrderState, opening_view
from mats.risk import Limits
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.store import Store
from tests.actors.samples import Published

CONNECTION = "brokers/ib-1"


def test_a_report_of_an_execution_and_its_cost(costs, operations, history, worlds):
    def scenario(folder, length):
        history.journal(folder / "journal.db", length, orders=length // 2 + 2)
        runtime, number, cost = worlds(), length // 2, []
        first, second, gatekeeper, connection = map(runtime.probe, ("first", "second", "risk", CONNECTION))
        stages = {"first": first.ref, "second": second.ref}
        args = FillLog.Args(
            journal_path=folder / "journal.db", base_currency="USD", rate_stale_after=60.0, stages=stages,
            risk=gatekeeper.ref,
        )  # fmt: skip
        log = runtime.spawn(FillLog, args, name="fill-log")
        log.tell(OpenEpoch(CONNECTION, connection.ref))
        epoch = connection.expect(EpochOpened).epoch
        for stage in stages:
            log.tell(StageCursor(stage, length))

        def counted(*messages):
            runtime.run_until_idle()
            operations.count_messages(first, second, gatekeeper)
            operations.begin()
            for message in messages:
                log.tell(message)
            runtime.run_until_idle()
            operations.count_messages(first, second)
            cost.append(operations.taken())

        report = ReportExecutions(connection=CONNECTION, epoch=epoch, executions=(), commissions=())
        for at in (number, number + 1):
            seq = 2 * at + 1
            counted(replace(report, executions=(history.execution(at),)))
            counted(Acknowledge("first", seq))
            counted(Acknowledge("second", seq))
            counted(replace(report, commissions=(history.commission(at),)))
            counted(Acknowledge("first", seq + 1), Acknowledge("second", seq + 1))
        counted(replace(report, executions=(history.execution(number),)))
        return cost

    costs(scenario)


def test_an_entry_an_order_and_a_decision_of_risk(costs, operations, history, worlds):
    def scenario(folder, length):
        history.journal(folder / "journal.db", length)
        runtime, number, cost = worlds(), length // 2, []
        log, orders, broker, strategy = map(runtime.probe, ("fill-log", "orders", "broker", "strategies/trend"))
        args = RiskManager.Args(
            journal_path=folder / "journal.db", limits=Limits(), base_currency="USD", live_accounts=(),
            fill_log=log.ref, orders=orders.ref, broker=broker.ref, publishers=(),
        )  # fmt: skip
        risk = runtime.spawn(RiskManager, args, name="risk")
        risk.tell(ApplyEntries(history.entries(0, length)))
        published = Published("orders", AllOrders, OrderChanged)
        risk.tell(published(AllOrders((), frozenset({1}))))
        for past in range(number):
            risk.tell(published(OrderChanged(filled(history.intent(past)))))
        for news in (StagesBehind(()), InstrumentCompleted(history.intent(0).instrument)):
            risk.tell(news)
        risk.tell(EquityChanged("trend", Decimal(100_000)))
        risk.tell(PriceMarked("SPY", 100.0))

        def counted(message):
            runtime.run_until_idle()
            operations.count_messages(log, orders, broker, strategy)
            operations.begin()
            risk.tell(message)
            runtime.run_until_idle()
            operations.count_messages(log, orders, broker, strategy)
            cost.append(operations.taken())

        fill, commission = history.pair(number)
        counted(ApplyEntries((fill,)))
        counted(ApplyEntries((commission,)))
        counted(published(OrderChanged(opening_view(history.intent(number)))))
        counted(order(history, number))
        return cost

    costs(scenario)


def test_an_intent_a_status_and_an_entry_of_an_order(costs, operations, history, worlds):
    def scenario(folder, length):
        history.journal(folder / "journal.db", length, orders=length // 2)
        runtime, number, cost = worlds(), length // 2, []
        names = ("fill-log", "risk", "store", "pool", CONNECTION)
        log, risk, store, pool, line = probes = tuple(map(runtime.probe, names))
        args = OrderManager.Args(journal_path=folder / "journal.db", fill_log=log.ref, store=store.ref, pool=pool.ref)
        manager = runtime.spawn(OrderManager, args, name="orders")
        manager.tell(SubscribeAllOrders(ALL, risk.ref))
        manager.tell(ApplyEntries(history.entries(0, length)))
        manager.tell(ready(line.ref))
        runtime.advance(10.0)

        def counted(message, seconds=0.0):
            operations.count_messages(*probes)
            operations.begin()
            if message:
                manager.tell(message)
            runtime.run_until_idle()
            runtime.advance(seconds)
            got = operations.count_messages(*probes)
            cost.append(operations.taken())
            return [message for message in got if isinstance(message, SubmitOrder)]

        (sent,) = counted(SubmitIntent(history.intent(number)))
        counted(OrderEvents(1, "1", (working(history.intent(number), sent.order_id),)))
        fill, commission = history.pair(number)
        counted(ApplyEntries((fill,)))
        counted(ApplyEntries((commission,)))
        counted(None, seconds=5.0)
        return cost

    costs(scenario)


def test_an_entry_of_the_books(costs, operations, history, worlds, portfolio_manager):
    def scenario(folder, length):
        history.journal(folder / "journal.db", length)
        runtime, number, cost = worlds(), length // 2, []
        portfolio, probes = portfolio_manager(runtime, folder)
        portfolio.tell(ApplyEntries(history.entries(0, length)))
        runtime.run_until_idle()
        runtime.advance(10.0)

        def counted(*messages, seconds=0.0):
            operations.count_messages(*probes)
            operations.begin()
            for message in messages:
                portfolio.tell(message)
            runtime.run_until_idle()
            runtime.advance(seconds)
            operations.count_messages(*probes)
            cost.append(operations.taken())

        fill, commission = history.pair(number)
        counted(ApplyEntries((fill,)))
        counted(ApplyEntries((commission,)))
        counted(seconds=0.25)
        counted(*(ApplyEntries((entry,)) for entry in history.pair(number + 1)), seconds=5.0)
        return cost

    costs(scenario)


def test_a_commit_of_the_store(costs, operations, history, worlds, persistence_writer):
    def scenario(folder, length):
        history.journal(folder / "journal.db", length)
        runtime, number, cost = worlds(), length // 2, []
        writer, probes = persistence_writer(runtime, folder)
        writer.tell(ApplyEntries(history.entries(0, length)))
        runtime.run_until_idle()
        runtime.advance(10.0)

        def counted(*messages, seconds=0.0):
            operations.count_messages(*probes)
            operations.begin()
            for message in messages:
                writer.tell(message)
            runtime.run_until_idle()
            runtime.advance(seconds)
            operations.count_messages(*probes)
            cost.append(operations.taken())

        for at in (number, number + 1):
            fill, commission = history.pair(at)
            counted(ApplyEntries((fill,)))
            counted(ApplyEntries((commission,)))
            counted(seconds=1.0)
        counted(ApplyEntries(history.entries(number + 2, 100)), seconds=1.0)
        return cost

    costs(scenario)


def test_a_row_of_a_second_that_holds_many_others(costs, operations, history):
    """Of the store that wrote them, and of one that finds them there."""

    def scenario(folder, length):
        uri, cost = lmdb_uri(folder / "arctic"), []
        first = Store(uri)
        first.append_positions("trend", [history.position(seq) for seq in range(length)])
        count_rows(first, cost, length)
        first.close()
        second = Store(uri)
        second.append_positions("trend", [history.position(0)])
        count_rows(second, cost, length + 2)
        second.close()
        return cost

    def count_rows(store, cost, stored):
        for seqs in ((stored,), (stored - 1, stored + 1), (0,)):
            operations.begin()
            assert not store.append_positions("trend", [history.position(seq) for seq in seqs])
            cost.append(operations.taken())

    costs(scenario)


# What the scenarios tell


def filled(intent):
    view = opening_view(intent)
    return replace(view, state=OrderState.FILLED, filled=view.quantity)


def order(history, number):
    intent = history.intent(number)
    return OrderRequest(
        intent_id="new",
        strategy="trend",
        account="DU1",
        instrument="SPY",
        side=intent.side,
        quantity=intent.quantity,
        time=intent.time,
    )


def ready(line):
    nothing = BrokerSnapshot(executions=(), commissions=(), open_orders=(), completed_orders=(), positions=())
    return Ready(
        connection=CONNECTION, ref=line, client_id=1, session="1", accounts=("DU1",), next_order_id=1,
        replay=nothing, through=0, asked_at=0.0,
    )  # fmt: skip


def working(intent, order_id):
    return BrokerOrder(
        order_ref=f"trend:{intent.intent_id}", client_id=1, order_id=order_id, perm_id=7, account="DU1",
        instrument="SPY", side=intent.side, quantity=intent.quantity, order_type="MKT",
        status=BrokerOrderStatus.WORKING,
    )  # fmt: skip
