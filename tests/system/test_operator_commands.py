"""The operator's commands where the broker has its own mind: liquidations, splits, what nobody of us bought."""

import logging
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from actors.messages.risk_manager import PlaceOrder
from actors.operator.commands import Commands
from actors.operator.control_socket import ControlSocket
from mats.gateway.faults import fault_types
from mats.ledger.reconciliation.break_causes import SplitCause
from mats.ledger.reconciliation.breaks import BreakState
from mats.ledger.reconciliation.transfers import TransferRequest
from mats.model.orders import DISCRETIONARY, OrderRequest, OrderTicket, OrderType, OrderView, Side
from mats.operator import protocol
from mats.operator.client import OperatorError, ask
from mats.runtime import Crash
from mats.store.journal.journal import Journal
from mats.store.journal.journal_file import JournalFullError
from tests.patience import PATIENCE
from tests.system.harness import ACCOUNT, until, write_bars
from tests.system.inside import GatewayThread, System, running_system, write_strategies

HOLDER = '''
from mats.strategy import Bar, OrderTicket, Side, Strategy


class Holder(Strategy):
    """Takes its position once, and keeps it."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        quantity: int = 100
        bar_seconds: int = 5

    params: Params
    asked = False

    def on_bar(self, bar: Bar) -> None:
        if not self.asked and not self.broker.position(bar.instrument).quantity:
            self.asked = True
            self.broker.place_order(bar.instrument, OrderTicket(), Side.BUY, quantity=self.params.quantity)
'''
TABLE = '[[strategy]]\nname = "{0}"\nfile = "holder.py"\nclass_name = "Holder"\ntarget_weight = 0.2\n'


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayThread]:
    gateway = GatewayThread(replay=write_bars(tmp_path / "bars", 3), bar_seconds=1.5, hold_seconds=0.2)
    yield gateway
    gateway.stop()


@pytest.fixture
def system(tmp_path: Path, gateway: GatewayThread) -> Iterator[System]:
    """A strategy `one` that holds 100 SPY, and the control socket of the daemon."""
    write_strategies(tmp_path, TABLE.format("one"), holder=HOLDER)
    with running_system(tmp_path, gateway, grace=0.5) as system:
        commands = Commands(system.runtime, system.names, system.operator, system.data / "journal.db")
        with ControlSocket(system.data, commands.answer):
            until(lambda: held(system) == {"one": 100}, PATIENCE, "the position")
            system.wait_until_booked()
            yield system


def held(system: System) -> dict[str, Decimal]:
    return {book.strategy: book.quantity for book in system.portfolio().books if book.quantity}


def a_move(quantity: int, giver: str = DISCRETIONARY, taker: str = "one") -> TransferRequest:
    return TransferRequest(giver=giver, taker=taker, instrument="SPY", quantity=Decimal(quantity), reason="it was ours")


def test_a_liquidation_is_given_to_whom_it_hit_and_outlives_a_crash_of_the_books(system: System) -> None:
    system.gateway.fault(lambda hooks: hooks.arm(fault_types.Liquidate(instrument="SPY")))
    until(lambda: held(system) == {"one": 100, DISCRETIONARY: -100}, PATIENCE, "the liquidation in Discretionary")
    (short,) = (book for book in system.portfolio().books if book.strategy == DISCRETIONARY)
    (long,) = (book for book in system.portfolio().books if book.strategy == "one")
    seen = ask(system.data, protocol.PreviewTransferRequest(move=a_move(100)), protocol.Preview)
    assert [book.quantity for book in seen.assignment.after] == [0, 0] and seen.broker in (None, 0)
    ask(system.data, protocol.TransferQuantityRequest(move=a_move(100), reason="it was ours"), protocol.Done)
    for part in (system.names.fill_log, system.names.portfolio):
        part.signal(Crash())
    system.wait_until_booked()
    (one,) = (book for book in system.portfolio().books if book.strategy == "one")
    assert held(system) == {} and one.realized == short.cost * -1 - long.cost
    system.wait_for_agreement()


def test_a_split_is_answered_and_nothing_moves_while_it_is_a_question(system: System) -> None:
    system.gateway.fault(lambda hooks: hooks.arm(fault_types.StockSplit(instrument="SPY", new=2, old=1)))
    states = [BreakState.QUESTION]
    until(lambda: [b.state for b in opened(system).open] == states, PATIENCE, "the question")
    (found,) = opened(system).open
    with pytest.raises(OperatorError, match=f"books and broker differ on SPY in {ACCOUNT}"):
        ask(system.data, protocol.PreviewTransferRequest(move=a_move(10, "one", DISCRETIONARY)), protocol.Preview)
    with pytest.raises(OperatorError, match="no break nix is open"):
        ask(system.data, protocol.AnswerBreakRequest(id="nix", action=SplitCause("SPY", 2, 1)), protocol.Done)
    ask(system.data, protocol.AnswerBreakRequest(id=found.id, action=SplitCause("SPY", 2, 1)), protocol.Done)
    until(lambda: held(system) == {"one": 200}, PATIENCE, "the position after the split")
    until(lambda: not opened(system).open, PATIENCE, "agreement")
    assert opened(system).past[0].resolution == "booked as a 2:1 split of SPY"


def opened(system: System) -> protocol.BreakLines:
    return ask(system.data, protocol.ReadBreaksRequest(past=10), protocol.BreakLines)


def test_an_actor_is_traced_while_it_runs_and_its_messages_are_in_the_status(system: System) -> None:
    directory = system.data
    with pytest.raises(OperatorError, match="there is no actor core/nobody; `mats status` lists them"):
        ask(directory, protocol.TraceRequest(actor="core/nobody", switch="on"), protocol.Done)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with capture_logs() as logs:
        traced = ask(directory, protocol.TraceRequest(actor="core/risk", switch="on", reason="slow"), protocol.Done)
        ask(directory, protocol.HaltRequest(strategy="one", reason="lunch"), protocol.Done)
        ask(directory, protocol.TraceRequest(actor="core/risk", switch="off"), protocol.Done)
    assert traced.text == "each message of core/risk is logged until `mats trace core/risk off`"
    assert "Halt" in {line["message"] for line in logs if line["event"] == "trace"}
    assert {line["name"] for line in logs if line["event"] == "trace"} == {"core/risk"}
    with pytest.raises(OperatorError, match="core/risk is not traced; traced: none"):
        ask(directory, protocol.TraceRequest(actor="core/risk", switch="off"), protocol.Done)
    status = ask(directory, protocol.StatusRequest(), protocol.DaemonStatus)
    (halt,) = (line for line in status.messages if (line.name, line.message) == ("core/risk", "Halt"))
    assert (halt.count, halt.depth) == (1, 0)
    with closing(Journal(directory / "journal.db")) as journal:
        audited = {(line.what, line.why) for line in journal.audit(50)}
    assert ("trace core/risk on", "slow") in audited


def test_flattening_all_leaves_what_no_strategy_owns_and_says_so(system: System) -> None:
    order = fault_types.ManualOrder(instrument="SPY", side=Side.BUY, quantity=30)
    system.gateway.fault(lambda hooks: hooks.arm(order))
    until(lambda: held(system) == {"one": 100, DISCRETIONARY: 30}, PATIENCE, "the trade by hand")
    certificate = ask(system.data, protocol.FlattenRequest(reason="the end"), protocol.Certificate)
    assert [(one.strategy, one.instrument) for one in certificate.flat] == [("one", "SPY")]
    assert [(one.what, one.why.partition(";")[0]) for one in certificate.remains] == [
        (f"{DISCRETIONARY} holds 30 SPY in {ACCOUNT}", "no strategy owns it")
    ]
    assert held(system) == {DISCRETIONARY: 30}
    system.wait_for_agreement()


def test_the_books_are_left_alone_while_an_order_is_at_work_on_them(system: System) -> None:
    system.gateway.fault(lambda hooks: hooks.arm(fault_types.ManualOrder(instrument="SPY", side=Side.BUY, quantity=30)))
    until(lambda: held(system) == {"one": 100, DISCRETIONARY: 30}, PATIENCE, "the trade by hand")
    resting = OrderRequest(
        intent_id="by-hand-1",
        strategy="one",
        instrument="SPY",
        side=Side.SELL,
        time=system.runtime.clock.now(),
        quantity=Decimal(10),
        ticket=OrderTicket(order_type=OrderType.LIMIT, limit_price=Decimal(9000)),
    )
    system.names.risk.ask(PlaceOrder(resting), timeout=5.0)
    until(lambda: [order.state for order in working(system)] == ["WORKING"], 20, "the order at work")
    move = protocol.TransferQuantityRequest(move=a_move(30), reason="it was ours")
    with pytest.raises(
        OperatorError, match="order by-hand-1 of one in SPY is WORKING; wait until it is final or cancel it"
    ):
        ask(system.data, move, protocol.Done)
    certificate = ask(system.data, protocol.CancelOrderRequest(intent="by-hand-1"), protocol.Certificate)
    assert [order.intent_id for order in certificate.cancelled] == ["by-hand-1"] and not certificate.remains
    ask(system.data, move, protocol.Done)
    assert held(system) == {"one": 130}


def working(system: System) -> tuple[OrderView, ...]:
    return ask(system.data, protocol.StatusRequest(), protocol.DaemonStatus).orders or ()


def test_what_cannot_be_moved_is_refused_by_the_running_books(system: System) -> None:
    with pytest.raises(OperatorError, match="one holds 100 SPY and not 101; move that or less"):
        ask(
            system.data,
            protocol.TransferQuantityRequest(move=a_move(101, "one", DISCRETIONARY), reason="too many"),
            protocol.Done,
        )
    with pytest.raises(OperatorError, match="there is no strategy nix; there are one"):
        ask(system.data, protocol.TransferQuantityRequest(move=a_move(1, "one", "nix"), reason="a slip"), protocol.Done)
    with pytest.raises(OperatorError, match="Discretionary holds no SPY"):
        ask(system.data, protocol.PreviewTransferRequest(move=a_move(1)), protocol.Preview)
    assert held(system) == {"one": 100}


def test_a_journal_that_cannot_be_written_refuses_what_it_must_record_and_no_way_out(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(journal: Journal, *_: object) -> int:
        raise JournalFullError(journal.path)

    monkeypatch.setattr(Journal, "begin_audit", full)
    with pytest.raises(OperatorError, match="is full; nothing is sent or acknowledged"):
        ask(system.data, protocol.SetEquityRequest(strategy="one", amount=Decimal(5)), protocol.Done)
    ask(system.data, protocol.HaltRequest(strategy="one", reason="out"), protocol.Done)
    ask(system.data, protocol.CancelOrdersRequest(reason="out"), protocol.Certificate)
    assert ask(system.data, protocol.StatusRequest(), protocol.DaemonStatus).halts == {"one": "out"}
