"""Builders of the ledger's tests: fills with short arguments, and a history that is the log of a test."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec
import pytest

from mats.ledger.books.book import BookKey
from mats.ledger.books.books import Books
from mats.ledger.books.execution_order import book_key
from mats.ledger.reconciliation.adjustments import Adjustment
from mats.model.executions import (
    AdjustmentRecorded,
    Commission,
    CommissionRecorded,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
)
from mats.model.orders import DISCRETIONARY, Side

ACCOUNT = "DU1"

BOOKED = 10**18
"""When everything is booked, in nanoseconds: behind all executions."""


def an_execution(
    exec_id: str, quantity: str, price: str, *, instrument: str = "SPY", multiplier: str = "1", order_ref: str = ""
) -> Execution:
    """An execution of a signed quantity."""
    signed = Decimal(quantity)
    return Execution(
        account=ACCOUNT,
        exec_id=exec_id,
        instrument=instrument,
        side=Side.of(signed),
        quantity=abs(signed),
        price=Decimal(price),
        time=0,
        multiplier=Decimal(multiplier),
        order_ref=order_ref,
    )


class Log:
    """A fill log in memory: it books, and it serves the history of a book."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    @property
    def next(self) -> int:
        return len(self.entries) + 1

    def history(self, account: str, strategy: str, instrument: str, after: int = 0) -> list[Entry]:
        key = account, strategy, instrument
        return [entry for entry in self.entries if book_key(entry) == key and entry.seq > after]

    def fill(self, quantity: str, price: str, strategy: str = "trend", **more: str) -> FillRecorded:
        execution = an_execution(more.pop("exec_id", f"e{self.next}.01"), quantity, price, **more)
        entry = FillRecorded(seq=self.next, strategy=strategy, intent_id="", execution=execution, recorded=BOOKED)
        self.entries.append(entry)
        return entry

    def correct(self, fill: FillRecorded | FillCorrected, quantity: str, price: str) -> FillCorrected:
        old = fill.execution
        execution = an_execution(
            f"{old.family}.{old.revision + 1:02d}",
            quantity,
            price,
            instrument=old.instrument,
            multiplier=str(old.multiplier),
        )
        entry = FillCorrected(
            seq=self.next, strategy=fill.strategy, intent_id="", execution=execution, previous=old, recorded=BOOKED
        )
        self.entries.append(entry)
        return entry

    def charge(self, fill: FillRecorded | FillCorrected, amount: str, currency: str = "USD") -> CommissionRecorded:
        commission = Commission(exec_id=fill.execution.exec_id, amount=Decimal(amount), currency=currency)
        entry = CommissionRecorded(
            seq=self.next,
            strategy=fill.strategy,
            intent_id="",
            execution=fill.execution,
            commission=commission,
            recorded=BOOKED,
        )
        self.entries.append(entry)
        return entry

    def adjust(
        self, quantity: str, price: str, strategy: str = DISCRETIONARY, instrument: str = "SPY"
    ) -> AdjustmentRecorded:
        entry = AdjustmentRecorded(
            seq=self.next,
            strategy=strategy,
            account=ACCOUNT,
            instrument=instrument,
            quantity=Decimal(quantity),
            price=Decimal(price),
            currency="USD",
            multiplier=Decimal(1),
            reason="test",
            recorded=BOOKED,
        )
        self.entries.append(entry)
        return entry

    def settle(self, adjustments: Iterable[Adjustment]) -> None:
        """Book what a reconciliation asks for."""
        for wanted in adjustments:
            self.entries.append(AdjustmentRecorded(seq=self.next, recorded=BOOKED, **msgspec.structs.asdict(wanted)))

    def newest(self, key: BookKey, after: int) -> list[Entry]:
        """The entries of a book beyond a seq."""
        return self.history(*key, after)

    def books(self) -> Books:
        """The books of everything logged so far."""
        books = Books(self.history)
        for entry in self.entries:
            books.apply(entry)
        return books


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def execution() -> Callable[..., Execution]:
    return an_execution


@pytest.fixture(scope="session")
def new_log() -> type[Log]:
    """For property tests, which need a fresh log for every example."""
    return Log
