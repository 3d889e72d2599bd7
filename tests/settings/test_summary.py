"""What a run came to: every place that anybody knows, and whether the figures agree."""

from decimal import Decimal

import msgspec
import pytest

from mats.ledger.books.book import Book
from mats.ledger.valuation.account_views import AccountView, StrategyView
from mats.ledger.valuation.trading_results import TradingResult
from mats.model.broker_reports import BrokerPosition
from mats.model.unknown import Unknown
from mats.operator.run_summary import PositionResult, RunSummary, StrategyResult, position_results, strategy_results


def book(strategy, quantity, instrument="SPY", account="DU1"):
    return Book(account=account, strategy=strategy, instrument=instrument, currency="USD", quantity=Decimal(quantity))


def held(quantity, instrument="SPY", account="DU1"):
    return BrokerPosition(account=account, instrument=instrument, quantity=Decimal(quantity), average_cost=Decimal(1))


def test_a_line_shows_who_holds_what_and_what_the_broker_says():
    (line,) = position_results([book("trend", 10), book("Discretionary", -3), book("alpha", 5)], [held(12)])
    assert line == PositionResult(
        account="DU1", symbol="SPY", strategies={"alpha": 5, "trend": 10}, discretionary=-3, broker=12
    )
    assert line.agrees


def test_places_of_books_and_broker_are_all_there_in_order():
    lines = position_results([book("a", 1, "QQQ"), book("a", 1, "SPY", "DU0")], [held(4, "IBM")])
    assert [(line.account, line.symbol, line.broker, line.agrees) for line in lines] == [
        ("DU0", "SPY", 0, False),
        ("DU1", "IBM", 4, False),
        ("DU1", "QQQ", 0, False),
    ]


def test_a_broker_that_did_not_answer_agrees_with_nothing():
    (line,) = position_results([book("trend", 0)], None)
    assert line.broker is None
    assert not line.agrees


@pytest.mark.parametrize(
    ("one", "other", "broker"), [("0.1", "0.2", "0.3"), ("1.1", "-1.1", "0"), ("0.7", "0.1", "0.8")]
)
def test_fractions_agree_exactly(one, other, broker):
    (line,) = position_results([book("a", one), book("b", other)], [held(broker)])
    assert line.agrees
    (line,) = position_results([book("a", one), book("b", other)], [held(Decimal(broker) + Decimal("0.0001"))])
    assert not line.agrees


def test_whole_numbers_are_written_as_such_and_unknown_figures_as_null():
    summary = RunSummary(
        orders=1, fills=2, fills_stored=None, gateway_executions=2,
        positions=position_results([book("a", "10.00"), book("b", "0.5")], [held("10.5")]),
        breaks=0, dead_letters=0, restarts=0, parked={}, abandoned=(),
    )  # fmt: skip
    text = msgspec.json.encode(summary).decode()
    assert '"strategies":{"a":10,"b":0.5},"discretionary":0,"broker":10.5' in text
    assert '"fills_stored":null' in text


def test_a_strategy_has_a_line_with_its_figures_and_null_for_what_is_unknown():
    missing = Unknown("no price of SPY is known")
    result = TradingResult(
        gross=missing, net=missing, realized=Decimal("12.50"), unrealized=missing, commissions=Decimal(2)
    )
    view = AccountView(
        account="DU1",
        base="USD",
        cash={},
        unexplained={},
        equity=missing,
        own_equity=missing,
        result=result,
        strategies=(StrategyView(strategy="trend", equity=Decimal(5000), result=result),),
    )
    assert strategy_results([view]) == (
        StrategyResult(
            account="DU1", strategy="trend", equity=5000, gross=None, net=None, realized=12.5, unrealized=None,
            commissions=2,
        ),
    )  # fmt: skip
