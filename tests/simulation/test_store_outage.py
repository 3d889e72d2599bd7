"""The whole daemon in virtual time while its store does not answer: trading goes on, and nothing is lost."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from actors.messages.portfolio_manager import ReadPortfolio
from actors.messages.strategy_manager import ReadStrategies
from mats.model import (
    OrderIntent,
    OrderState,
)
from mats.orders import Rejected
from mats.risk import RejectionCode
from tests.simulation.trading import Trading, way_in, way_out
from tests.store_trouble import KINDS, Trouble, store_trouble

BOUND = 30.0


@pytest.fixture
def trouble() -> Iterator[Trouble]:
    with store_trouble() as made:
        yield made


@pytest.fixture
def trading(folder: Path, trouble: Trouble) -> Iterator[Trading]:
    made = Trading(folder)
    yield made
    made.world.close()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_store_that_is_away_for_two_minutes_stops_new_risk_and_nothing_else(
    trading: Trading, trouble: Trouble, kind: str
) -> None:
    """G6, G7"""
    trading.boot()
    trading.advance(40.0)
    assert trading.health == ""
    trouble.begin(kind)
    trading.advance(15.0)
    assert "away since 2023-11-15 14:" in trading.health, "the operator sees it at once"
    book = trading.held()
    resting = trading.order(book, way_in(book), Decimal(1), trading.far(book))
    assert isinstance(resting, OrderIntent), "a moment without the store does not stop new risk"
    trading.advance(BOUND)
    book = trading.held()
    refused = trading.order(book, way_in(book), Decimal(1))
    assert isinstance(refused, Rejected)
    assert refused.rejection.code is RejectionCode.NOT_READY
    assert refused.rejection.text.startswith("the store is away since 2023-11-15 14:")
    assert refused.rejection.text.endswith("orders that reduce pass")
    trading.cancel(resting)
    exit_order = trading.order(book, way_out(book), Decimal(1))
    assert isinstance(exit_order, OrderIntent)
    trading.advance(5.0)
    assert trading.state(resting) is OrderState.CANCELLED
    assert trading.state(exit_order) in (OrderState.WORKING, OrderState.FILLED), "the broker has it"
    trading.advance(70.0)
    assert trading.state(exit_order) is OrderState.FILLED, "behind what others have at its price"
    assert trouble.calls > 0
    trouble.end()
    trading.advance(20.0)
    assert trading.health == ""
    book = trading.held()
    assert isinstance(trading.order(book, way_in(book), Decimal(1)), OrderIntent), "new risk again"
    trading.settle_and_prove()
    assert (trading.restarted, trading.world.failures) == ([], [])


def test_a_start_while_the_store_is_away_trades_on_from_the_journal_and_the_last_known_table(
    trading: Trading, trouble: Trouble
) -> None:
    """G1, G6"""
    trading.boot()
    trading.advance(40.0)
    trouble.begin("away")
    trading.lose_power()
    trading.advance(10.0)
    table = trading.world.names.strategy_manager.ask(ReadStrategies(), timeout=5.0)
    assert (table.loaded, sorted(table.running)) == (True, ["s1", "s2"])
    assert table.away.startswith("the store is away since")
    book = trading.held()
    refused = trading.order(book, way_in(book), Decimal(1))
    assert isinstance(refused, Rejected), "the equities that operators set are not known"
    exit_order = trading.order(book, way_out(book), Decimal(1))
    assert isinstance(exit_order, OrderIntent)
    trading.advance(5.0)
    assert trading.state(exit_order) in (OrderState.WORKING, OrderState.FILLED), "the broker has it"
    trading.advance(105.0)
    trouble.end()
    trading.advance(20.0)
    assert trading.world.names.strategy_manager.ask(ReadStrategies(), timeout=5.0).away == ""
    trading.settle_and_prove()
    assert (trading.restarted, trading.world.failures) == ([], [])


def test_a_first_start_while_the_store_is_away_says_what_strategies_wait_for_and_begins_when_it_is_back(
    trading: Trading, trouble: Trouble
) -> None:
    trouble.begin("away")
    trading.boot()
    trading.advance(60.0)
    table = trading.world.names.strategy_manager.ask(ReadStrategies(), timeout=5.0)
    assert (table.loaded, table.records) == (False, ())
    assert table.away.startswith("the store is away since")
    assert trading.world.names.portfolio.ask(ReadPortfolio(), timeout=5.0).reconciled_seconds_ago is not None
    trouble.end()
    trading.advance(20.0)
    table = trading.world.names.strategy_manager.ask(ReadStrategies(), timeout=5.0)
    assert (table.loaded, sorted(table.running), table.away) == (True, ["s1", "s2"], "")
    trading.settle_and_prove()
    assert trading.world.broker.executions
    assert (trading.restarted, trading.world.failures) == ([], [])
