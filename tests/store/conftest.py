"""Makers of log entries and orders, each with one changing number and readable defaults."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.executions import Commission, CommissionRecorded, Entry, Execution, FillCorrected, FillRecorded
from mats.model.orders import OrderIntent, OrderTicket, OrderView, Side, opening_view
from mats.model.timestamp import SECOND, Nanos
from mats.store.journal.journal import Journal
from mats.store.tables.connection import lmdb_uri

OPENING: Nanos = 1_700_000_000 * SECOND


class Make:
    """Entries and intents: number n is the execution `0000.n.01` of `account`, one second after number n - 1."""

    opening = OPENING

    def execution(self, n: int, revision: int = 1, *, account: str = "DU1", time: Nanos | None = None) -> Execution:
        return Execution(
            account=account,
            exec_id=f"0000.{n:06d}.{revision:02d}",
            instrument="SPY",
            side=Side.BUY,
            quantity=Decimal(100 + revision),
            price=Decimal("450.10"),
            time=OPENING + n * SECOND if time is None else time,
            order_ref=f"TREND:i{n}",
            perm_id=9000 + n,
            client_id=1,
            order_id=n,
            exchange="ARCA",
        )

    def fill(self, seq: int, execution: Execution, strategy: str = "TREND") -> FillRecorded:
        return FillRecorded(
            seq=seq, strategy=strategy, intent_id=f"i{execution.order_id}", execution=execution, recorded=OPENING + seq
        )

    def correction(self, seq: int, execution: Execution, previous: Execution) -> FillCorrected:
        return FillCorrected(
            seq=seq,
            strategy="TREND",
            intent_id=f"i{execution.order_id}",
            execution=execution,
            previous=previous,
            recorded=OPENING + seq,
        )

    def commission(self, seq: int, execution: Execution, amount: str = "1.25") -> CommissionRecorded:
        return CommissionRecorded(
            seq=seq,
            strategy="TREND",
            intent_id=f"i{execution.order_id}",
            execution=execution,
            commission=Commission(exec_id=execution.exec_id, amount=Decimal(amount), currency="USD"),
            recorded=OPENING + seq,
        )

    def long_log(self, length: int) -> list[Entry]:
        """Fills with ties and late ones among them, each followed by its commission, every tenth corrected later."""
        log: list[Entry] = []
        for n in count(1):
            if len(log) >= length:
                break
            time = self.opening + (n // 3 - 5 * (n % 7 == 0)) * SECOND
            execution = self.execution(n, time=time)
            log.append(self.fill(len(log) + 1, execution))
            log.append(self.commission(len(log) + 1, execution, f"{n}.25"))
            if n % 10 == 0:
                earlier = self.execution(n, time=time)
                log.append(self.correction(len(log) + 1, self.execution(n, 2, time=time), earlier))
        return log

    def sent(self, intent: OrderIntent, client_id: int, order_id: int) -> OrderView:
        return replace(opening_view(intent), client_id=client_id, order_id=order_id)

    def intent(self, n: int) -> OrderIntent:
        return OrderIntent(
            intent_id=f"i{n}",
            strategy="TREND",
            account="DU1",
            instrument=parse_instrument("SPY"),
            side=Side.BUY,
            quantity=Decimal("100.5"),
            ticket=OrderTicket(),
            time=OPENING + n * SECOND,
        )


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture
def open_journal(tmp_path: Path) -> Iterator[Callable[[], Journal]]:
    """Opens instances over one file, and closes them at the end."""
    opened: list[Journal] = []

    def opener() -> Journal:
        opened.append(Journal(tmp_path / "journal.sqlite"))
        return opened[-1]

    yield opener
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(open_journal: Callable[[], Journal]) -> Journal:
    return open_journal()


@pytest.fixture(scope="session")
def store_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store for many tests; each takes symbols of its own."""
    return lmdb_uri(tmp_path_factory.mktemp("arctic"))


@pytest.fixture
def account(request: pytest.FixtureRequest) -> str:
    """An account nobody else uses."""
    return request.node.name[:100].translate(str.maketrans("[]*<>", "()___"))
