"""The whole daemon in virtual time with facts that cannot be: in the journal of an earlier program, and on the wire."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.messages.portfolio_manager import ReadPortfolio
from actors.messages.quarantine import QuarantineResolved, ResolveQuarantine
from mats.ledger.books import Book
from mats.ledger.quarantine import QuarantineItem
from mats.model import (
    SECOND,
    Commission,
    CommissionRecorded,
    Execution,
    FillRecorded,
    Side,
)
from mats.orders import Rejected
from tests.simulation.faulty_broker import ACCOUNT
from tests.simulation.trading import Trading, way_in
from tests.simulation.world import START

D = Decimal


@pytest.fixture
def trading(folder: Path) -> Iterator[Trading]:
    made = Trading(folder)
    yield made
    made.world.close()


def execution(exec_id: str, **poison: object) -> Execution:
    fact = Execution(
        account=ACCOUNT, exec_id=exec_id, instrument="QQQ", side=Side.BUY, quantity=D(10), price=D(100), time=START,
        cumulative_quantity=D(10), average_price=D(100), exchange="ARCA",
    )  # fmt: skip
    return replace(fact, **poison)


JOURNALED = {
    "multiplier": execution("bad.mult.01", multiplier=D(0)),
    "account": execution("bad.acct.01", account=""),
    "path": execution("bad.path.01", account="日本"),
    "time": execution("bad.time.01", time=9_223_372_035 * SECOND),
    "negative time": execution("bad.past.01", time=-5 * SECOND),
    "price": execution("bad.tiny.01", price=D("1e-2100"), quantity=D("7")),
    "quantity": execution("bad.huge.01", quantity=D("1e1500"), price=D("1.1e1200")),
}


def plant(trading: Trading, *facts: Execution) -> None:
    """Entries as a program wrote them that checked nothing: each fill, and its commission."""
    entries, seq = [], trading.world.journal.last_seq()
    for fact in facts:
        common = {"strategy": "s1", "intent_id": "", "execution": fact, "recorded": START, "rate": D(1)}
        cost = Commission(exec_id=fact.exec_id, amount=D(1), currency="USD")
        entries.append(FillRecorded(seq=seq + 1, **common))
        entries.append(CommissionRecorded(seq=seq + 2, commission=cost, **common))
        seq += 2
    trading.world.journal.append(entries)


def items(trading: Trading) -> list[QuarantineItem]:
    return trading.world.journal.open_quarantine()


def assert_it_trades(trading: Trading) -> None:
    """Everybody is up, and fills go through all stages."""
    before = trading.world.journal.last_seq()
    trading.advance(80.0)
    assert trading.world.journal.last_seq() > before + 5
    assert not trading.world.parked
    assert not trading.world.runtime.escalated.is_set()
    states = {status.name: status.state for status in trading.world.runtime.status()}
    assert all(states[name] == "running" for name in ("core/orders", "core/risk", "core/portfolio", "store/writer"))


@pytest.mark.parametrize("poison", JOURNALED)
def test_a_journal_that_holds_a_poisonous_entry_starts_and_everything_else_trades(
    trading: Trading, poison: str
) -> None:
    plant(trading, JOURNALED[poison])
    trading.boot()
    assert_it_trades(trading)
    restarts = len(trading.restarted)
    assert_it_trades(trading)
    assert len(trading.restarted) == restarts, "once set aside it fails nobody"
    trading.lose_power()
    assert_it_trades(trading)


def test_many_poisonous_entries_cost_each_stage_one_restart(trading: Trading) -> None:
    plant(trading, *JOURNALED.values())
    trading.boot()
    assert_it_trades(trading)
    assert {"multiplier", "account"} <= {name for name in JOURNALED if any(
        item.fields.get("exec_id") == JOURNALED[name].exec_id for item in items(trading)
    )}  # fmt: skip
    assert max(map(trading.restarted.count, trading.restarted)) == 1


def test_its_strategy_takes_no_new_risk_until_an_operator_corrects_it(trading: Trading) -> None:
    plant(trading, JOURNALED["multiplier"])
    trading.boot()
    trading.advance(60.0)
    (item,) = [item for item in items(trading) if item.kind == "entry" and "quantity" in item.fields]
    held = next(book for book in _books(trading) if book.quantity and book.strategy == "s2")
    assert not isinstance(trading.order(held, way_in(held), D(1)), Rejected), "others trade"
    mine = replace(held, strategy="s1", quantity=D(0))
    refused = trading.order(mine, way_in(mine), D(1))
    assert isinstance(refused, Rejected)
    assert refused.rejection.code == "QUARANTINED"
    assert f"mats quarantine show {item.id}" in refused.rejection.text
    fixed = ResolveQuarantine(number=item.number, action="correct", corrections={"multiplier": "1"}, reason="a stock")
    answer = trading.world.names.fill_log.ask(fixed, timeout=5.0)
    assert isinstance(answer, QuarantineResolved), answer
    trading.advance(10.0)
    book = next(book for book in _books(trading) if book.instrument == "QQQ" and book.strategy == "s1")
    assert (book.quantity, book.cost, book.commissions) == (D(10), D(1000), {"USD": D(1)})
    assert not items(trading)
    assert_it_trades(trading)


def test_executions_at_their_extremes_on_the_wire_stop_nobody(trading: Trading) -> None:
    trading.boot()
    trading.advance(60.0)
    for number, (field, value) in enumerate(EXTREMES):
        fact = execution(f"wire{number}.01")
        trading.world.broker._tell_all(replace(fact, **{field: value}))
        trading.advance(1.0)
    assert_it_trades(trading)
    assert len(items(trading)) == len(EXTREMES)
    assert not trading.restarted


EXTREMES = [
    ("multiplier", D(0)), ("multiplier", D("nan")), ("account", ""), ("account", "\ud800"), ("price", D("inf")),
    ("price", D("1e308")), ("quantity", D(-1)), ("quantity", D("1e300")), ("time", 253_402_300_799 * SECOND),
    ("time", -(2**70)), ("exec_id", "1" * 20), ("exec_id", ""), ("order_ref", "\ud800"), ("instrument", "*<>"),
    ("currency", ""), ("perm_id", 2**64), ("cumulative_quantity", D("inf")), ("average_price", D("-inf")),
    ("exchange", "x" * 100_000),
]  # fmt: skip


def _books(trading: Trading) -> tuple[Book, ...]:
    return trading.world.names.portfolio.ask(ReadPortfolio(), timeout=5.0).books
