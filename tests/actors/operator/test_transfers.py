"""A command books a split in books that net to zero: proposed, booked by the log in one go, and seen in the books."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from actors.fill_log import FillLog
from actors.messages.fill_log import EpochOpened, OpenEpoch, ReportExecutions
from actors.operator.queries import CommandRefused, Queries
from actors.operator.transfers import Netting
from actors.portfolio_manager import PortfolioManager
from mats.instruments import parse_instrument
from mats.ledger.reconciliation.break_causes import SplitCause
from mats.ledger.reconciliation.netted_actions import NettedAction
from mats.model.orders import OrderIntent, OrderTicket, Side, opening_view
from mats.runtime import Actor
from mats.store.journal.journal import Journal

WISH = NettedAction(action=SplitCause("SPY", 2, 1), reason="2 for 1 today")


class Orders(Actor):
    """Answers with the working orders that it was given."""

    def __init__(self, working):
        self._working = working

    def on_receive(self, message):
        return tuple(self._working)


@pytest.fixture
def desk(runtime, journal_path, an_execution):
    """Two strategies hold ten and minus ten; what a command needs of the daemon, and the list of working orders."""
    risk, store, line, manager, market = map(runtime.probe, ("risk", "store", "ib-0", "manager", "market"))
    portfolio, working = runtime.ref("portfolio"), []
    log_args = FillLog.Args(
        journal_path=journal_path, base_currency="USD", rate_stale_after=60.0, stages={"portfolio": portfolio},
        risk=risk.ref,
    )  # fmt: skip
    log = runtime.spawn(FillLog, log_args, name="log")
    args = PortfolioManager.Args(
        journal_path=journal_path, base_currency="USD", rate_stale_after=86_400.0, reconcile_every=60.0,
        grace=1.0, fill_log=log, risk=risk.ref, store=store.ref, broker=line.ref, strategy_manager=manager.ref,
        market_data=market.ref,
    )  # fmt: skip
    runtime.spawn(PortfolioManager, args, name="portfolio")
    orders = runtime.spawn(Orders, working, name="orders")
    journal = Journal(journal_path)
    for number, strategy in enumerate(("trend", "revert"), 1):
        intent = an_intent(f"i{number}", strategy)
        journal.record_intent(intent, replace(opening_view(intent), client_id=number, order_id=1), "1")
    journal.close()
    log.tell(OpenEpoch("ib-0", line.ref))
    epoch = line.fish(lambda message: isinstance(message, EpochOpened)).epoch
    executions = (an_execution(), replace(an_execution("b.01", order_ref="revert:i2"), side=Side.SELL))
    log.tell(ReportExecutions(connection="ib-0", epoch=epoch, executions=executions, commissions=()))
    runtime.run_until_idle()
    refs = SimpleNamespace(portfolio=portfolio, fill_log=log, orders=orders)
    operator = SimpleNamespace(
        queries=Queries(refs), caught_up=lambda: True, until=lambda condition, seconds: runtime.advance(seconds)
    )
    return Netting(refs, operator), portfolio, working


def an_intent(name, strategy):
    return OrderIntent(
        intent_id=name, strategy=strategy, account="DU1", instrument=parse_instrument("SPY"), side=Side.BUY,
        quantity=10, ticket=OrderTicket(), time=0,
    )  # fmt: skip


def quantities(netting):
    return {book.strategy: int(book.quantity) for book in netting._queries.portfolio().books}


def test_a_split_is_shown_first_and_then_booked_to_every_holder(desk):
    netting, _, _ = desk
    assert [int(book.quantity) for book in netting.proposed(WISH).after] == [-20, 20]
    assert quantities(netting) == {"trend": 10, "revert": -10}
    assert netting.book(WISH).text == "a 2:1 split of SPY is booked to revert, trend"
    assert quantities(netting) == {"trend": 20, "revert": -20}


def test_it_is_refused_while_an_order_of_a_holder_is_at_work_there(desk):
    netting, _, working = desk
    working.append(opening_view(an_intent("i9", "trend")))
    with pytest.raises(
        CommandRefused, match="order i9 of trend in SPY is PENDING; wait until it is final or cancel it"
    ):
        netting.book(WISH)
    assert quantities(netting) == {"trend": 10, "revert": -10}
