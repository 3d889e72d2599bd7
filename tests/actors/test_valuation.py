"""What a strategy may work with: asked of the store, shared by weight, told to risk."""

from decimal import Decimal

import pytest

from actors.messages.broker import AccountChanged, SubscribeAccount
from actors.messages.persistence_writer import EquitiesRead, ReadEquities
from actors.messages.portfolio_manager import EquityChanged, RatesChanged, ReadAccount, ReadPortfolio, SetWeights
from actors.portfolio_manager import PortfolioManager
from mats.model.broker_reports import AccountValue
from mats.model.strategy_table import StrategyRecord


@pytest.fixture
def world(runtime, journal_path, a_ready):
    names = ("fill-log", "risk", "store", "ib-0", "manager", "market-data")
    log, risk, store, line, manager, market_data = map(runtime.probe, names)
    args = PortfolioManager.Args(
        journal_path=journal_path,
        base_currency="USD",
        rate_stale_after=86_400.0,
        reconcile_every=60.0,
        grace=1.0,
        fill_log=log.ref,
        risk=risk.ref,
        store=store.ref,
        broker=line.ref,
        strategy_manager=manager.ref,
        market_data=market_data.ref,
    )
    portfolio = runtime.spawn(PortfolioManager, args, name="portfolio")
    portfolio.tell(a_ready(line.ref))
    record = StrategyRecord(name="trend", file="x.py", class_name="X", target_weight=0.25)
    portfolio.tell(SetWeights((record,)))
    portfolio.tell(AccountChanged((AccountValue(account="DU1", tag="NetLiquidation", value="1000", currency="USD"),)))
    line.fish(lambda message: isinstance(message, SubscribeAccount))
    return portfolio, risk, store


def equities(risk, count):
    told = [risk.fish(lambda message: isinstance(message, EquityChanged)) for _ in range(count)]
    return [(message.strategy, message.equity) for message in told]


def test_a_weight_is_told_to_risk_when_the_total_is_known(world):
    _, risk, _ = world
    assert equities(risk, 2) == [("trend", None), ("trend", Decimal(250))]


def test_an_explicit_equity_of_the_store_wins_over_the_weight(world):
    portfolio, risk, store = world
    asked = store.fish(lambda message: isinstance(message, ReadEquities) and message.places)
    assert asked.places == (("DU1", "trend"),)
    assert equities(risk, 2)[-1] == ("trend", Decimal(250))
    asked.reply_to.tell(EquitiesRead({"trend": Decimal(777)}))
    assert equities(risk, 1) == [("trend", Decimal(777))]
    portfolio.tell(EquitiesRead({}))
    assert equities(risk, 1) == [("trend", Decimal(250))]


def test_equities_beyond_the_account_are_a_warning_that_ends_and_no_refusal(world, runtime):
    portfolio, risk, _ = world
    portfolio.tell(EquitiesRead({"trend": Decimal(1500)}))
    assert equities(risk, 3)[-1] == ("trend", Decimal(1500))
    (view,) = portfolio.ask(ReadAccount(), timeout=1.0)
    said = "the strategies of DU1 have equities of 1,500.00 in total and it is worth 1,000.00"
    assert view.overcommitted.startswith(said)
    assert portfolio.ask(ReadPortfolio(), timeout=1.0).overcommitted == {"DU1": view.overcommitted}
    portfolio.tell(EquitiesRead({}))
    assert portfolio.ask(ReadPortfolio(), timeout=1.0).overcommitted == {}


def test_rates_are_told_when_they_have_changed_and_not_with_every_value(world):
    portfolio, risk, _ = world
    equities(risk, 2)
    rate = AccountValue(account="DU1", tag="ExchangeRate", value="1.1", currency="EUR")
    base = AccountValue(account="DU1", tag="ExchangeRate", value="1", currency="USD")
    portfolio.tell(AccountChanged((rate, base)))
    assert ("EUR", "USD") in risk.expect(RatesChanged, 1.0).rates.pairs
    portfolio.tell(AccountChanged((AccountValue(account="DU1", tag="NetLiquidation", value="2000", currency="USD"),)))
    assert risk.expect(EquityChanged, 1.0).equity == Decimal(500), "and no rates before it"
