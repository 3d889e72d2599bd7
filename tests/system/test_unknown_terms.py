"""What is traded or held by hand in contracts that nobody has asked the broker for: its value is known, or waits."""

from decimal import Decimal
from pathlib import Path

import pytest

from mats.gateway.faults.fault_types import AnswerRequest, Hold
from mats.ledger.books import Book
from mats.model.orders import Side
from tests.patience import PATIENCE
from tests.system.harness import ACCOUNT, until
from tests.system.inside import GatewayThread, System, running_system, write_strategies

PENCE = Decimal("0.01")
CORN = Hold(symbol="ZC", sec_type="FUT", expiry="20261218", exchange="CBOT", trading_class="ZC", quantity=2, cost=21000)
"""Two futures that are quoted in cents at 420: 21,000 dollars each."""


def book(system: System, instrument: str) -> Book | None:
    books = {book.instrument: book for book in system.portfolio().books if book.quantity}
    return books.get(instrument)


def kept(system: System) -> int:
    """Items in quarantine."""
    return system.operator.queries.progress().quarantined


def buy_pence(gateway: GatewayThread) -> None:
    gateway.call(lambda gateway: gateway.universe.activate("VOD.GBP"))
    gateway.fault(lambda faults: faults.manual_order("VOD.GBP", Side.BUY, 1000))


def test_a_share_in_pence_and_a_future_in_cents_are_booked_at_their_value(tmp_path: Path) -> None:
    write_strategies(tmp_path, "")
    gateway = GatewayThread(seed=4)
    try:
        gateway.fault(lambda faults: faults.arm(CORN))
        with running_system(tmp_path, gateway) as system:
            buy_pence(gateway)
            until(lambda: book(system, "VOD.GBP") and book(system, "ZC:20261218"), PATIENCE, "both books")
            system.wait_until_booked()
            system.wait_for_agreement()
            shares, corn = book(system, "VOD.GBP"), book(system, "ZC:20261218")
            assert shares is not None
            assert corn is not None
            prices = {fill.price for fill in gateway.fault(lambda faults: faults.fills())}
            assert (shares.multiplier, corn.multiplier) == (PENCE, 50)
            assert min(prices) <= shares.average_price <= max(prices)
            assert shares.cost == shares.quantity * shares.average_price * PENCE
            assert (corn.average_price, corn.cost) == (420, 42_000)
            assert kept(system) == 0
            assert not system.lost(), system.lost()
    finally:
        gateway.stop()


def test_a_fill_whose_contract_the_gateway_does_not_describe_waits_in_quarantine_and_is_then_booked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.ib_connection.TERMS_RETRY_SECONDS", 0.5)
    write_strategies(tmp_path, "")
    gateway = GatewayThread(seed=4)
    try:
        with running_system(tmp_path, gateway) as system:
            gateway.fault(lambda faults: faults.arm(AnswerRequest(request=(9,), code=200)))
            buy_pence(gateway)
            until(lambda: kept(system), PATIENCE, "the quarantine")
            assert book(system, "VOD.GBP") is None
            gateway.fault(lambda faults: faults.disarm())
            system.wait_until_booked()
            until(lambda: not kept(system), PATIENCE, "the end of the quarantine")
            system.wait_for_agreement()
            booked = book(system, "VOD.GBP")
            assert booked is not None
            assert (booked.quantity, booked.multiplier, booked.account) == (1000, PENCE, ACCOUNT)
    finally:
        gateway.stop()
