"""What an account is worth and risks: exact over currencies, futures, options, pairs; unknown where it must be."""

from decimal import Decimal

import pytest

from mats.ledger.books.book import Book
from mats.ledger.valuation.account_views import AccountView, account_view, results_of
from mats.ledger.valuation.broker_figures import AccountFigures
from mats.ledger.valuation.cash_flows import Payment, cash_flow, payment
from mats.ledger.valuation.fx import FxRates
from mats.ledger.valuation.trading_results import Marks, TradingResult, result
from mats.model.broker_reports import AccountValue
from mats.model.orders import DISCRETIONARY
from mats.model.timestamp import SECOND
from mats.model.unknown import Unknown

D = Decimal
NOW = 100 * SECOND
NO_GBP = "no rate from GBP to USD is known"


def book(strategy: str, instrument: str, quantity: str, cost: str, realized: str = "0", **more: object) -> Book:
    """Euros were booked at 1.2 dollars; now they are at 1.1."""
    terms: dict[str, object] = {"currency": "USD", "multiplier": D(1), "commissions": {}} | more
    rates = {"USD": D(1), "EUR": D("1.2")}
    if (rate := rates.get(str(terms["currency"]))) is None:
        terms["unrated"] = {str(terms["currency"]): D(realized)} if D(realized) else {}
    else:
        terms["realized_base"] = D(realized) * rate
        terms["commissions_base"] = sum((terms["commissions"].values()), D(0)) * rate  # type: ignore[attr-defined]
    return Book(
        account="DU1",
        strategy=strategy,
        instrument=instrument,
        quantity=D(quantity),
        cost=D(cost),
        realized=D(realized),
        **terms,
    )


SPY = book("trend", "SPY", "100", "50000", "120", commissions={"USD": D("2.5")})
SHORT_SPY = book("revert", "SPY", "-40", "-20400", "-10")
SAP = book("trend", "SAP.EUR", "50", "10000", "80", currency="EUR", commissions={"EUR": D(4)})
FUTURE = book("macro", "ES:20241220", "1", "250000", "500", multiplier=D(50), commissions={"USD": D("2.25")})
CALL = book("macro", "SPY   241220C00500000", "-2", "-1200", multiplier=D(100))
EURUSD = book("carry", "EURUSD", "20000", "21800", "30", commissions={"USD": D(2)})
ALL = (SPY, SHORT_SPY, SAP, FUTURE, CALL, EURUSD)

PRICES = {
    "SPY": 510.0,
    "SAP.EUR": 210.0,
    "ES:20241220": 5020.0,
    "SPY   241220C00500000": 7.5,
    "EURUSD": 1.1,
}


def marks(prices: dict[str, float] = PRICES, max_age: float = 60.0) -> Marks:
    return Marks(prices, FxRates("USD").with_rate("EUR", "USD", D("1.1"), NOW, "mid of EURUSD"), NOW, max_age)


def figures_of(**values: str) -> AccountFigures:
    """Values of DU1: `NetLiquidation_USD="1000"`."""
    known = AccountFigures("USD")
    pairs = [name.split("_") for name in values]
    known.update(
        [
            AccountValue(account="DU1", tag=tag, value=text, currency=currency)
            for (tag, currency), text in zip(pairs, values.values(), strict=True)
        ],
        NOW,
    )
    return known


def view(figures: AccountFigures, books: tuple[Book, ...] = ALL, at: Marks | None = None) -> AccountView:
    return account_view("DU1", books, figures, at or marks(), {"trend": D(5000)})


def test_how_an_instrument_is_paid_is_known_by_its_name():
    kinds = {name: payment(name) for name in PRICES}
    assert [name for name, kind in kinds.items() if kind is Payment.GAINS] == ["ES:20241220"]
    assert [name for name, kind in kinds.items() if kind is Payment.EXCHANGE] == ["EURUSD"]


@pytest.mark.parametrize(
    ("held", "flow"),
    [
        (SPY, {"USD": D("-49882.5")}),
        (SHORT_SPY, {"USD": D(20390)}),
        (SAP, {"EUR": D(-9924)}),
        (FUTURE, {"USD": D("497.75")}),
        (CALL, {"USD": D(1200)}),
        (EURUSD, {"USD": D(-21772), "EUR": D(20000)}),
    ],
    ids=lambda value: value.instrument if isinstance(value, Book) else "",
)
def test_trades_move_cash_in_full_by_their_gains_or_as_an_exchange(held, flow):
    assert cash_flow(held) == flow


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (SPY, ("51000", "51000", "120", "1000", "2.5")),
        (SHORT_SPY, ("20400", "-20400", "-10", "0", "0")),
        (SAP, ("11550", "11550", "96", "550", "4.8")),
        (FUTURE, ("251000", "251000", "500", "1000", "2.25")),
        (CALL, ("1500", "-1500", "0", "-300", "0")),
        (EURUSD, ("22000", "22000", "30", "200", "2")),
    ],
    ids=lambda value: value.instrument if isinstance(value, Book) else "",
)
def test_exposure_and_results_of_one_position_in_the_base_currency(held, expected):
    gross, net, realized, unrealized, commissions = map(D, expected)
    came_to = result([held], marks())
    assert came_to == TradingResult(
        gross=gross, net=net, realized=realized, unrealized=unrealized, commissions=commissions
    )
    assert came_to.net_pnl == realized + unrealized - commissions


def test_opposite_strategies_net_each_other_in_the_account_and_not_in_themselves():
    whole = result([SPY, SHORT_SPY], marks())
    assert (whole.gross, whole.net, whole.realized, whole.unrealized) == (D(30600), D(30600), D(110), D(1000))
    flat = result([SPY, book("revert", "SPY", "-100", "-51000")], marks({}))
    assert (flat.gross, flat.net) == (0, 0), "a net of zero needs no price"


def test_the_account_adds_its_strategies_up():
    seen = view(figures_of(NetLiquidation_USD="100000", CashBalance_USD="1"))
    assert seen.result == TradingResult(
        gross=D(30600 + 11550 + 251000 + 1500 + 22000),
        net=D(30600 + 11550 + 251000 - 1500 + 22000),
        realized=D(120 - 10 + 96 + 500 + 0 + 30),
        unrealized=D(1000 + 0 + 550 + 1000 - 300 + 200),
        commissions=D("2.5") + D("4.8") + D("2.25") + D(2),
    )
    assert [line.strategy for line in seen.strategies] == ["carry", "macro", "revert", "trend"]
    trend = seen.strategies[-1]
    assert (trend.equity, trend.result.gross, trend.result.realized) == (D(5000), D(62550), D(216))
    assert seen.missing == ()


def test_own_equity_is_cash_and_positions_and_a_pair_counts_only_as_the_cash_it_moved():
    """It began with 400,000 dollars; every fill since has moved the cash below, and nothing else has."""
    cash_usd = D(400000) + D("-49882.5") + D(20390) + D("497.75") + D(1200) + D(-21772)
    cash_eur = D(-9924) + D(20000)
    own = cash_usd + cash_eur * D("1.1") + D(51000) - D(20400) + D(11550) + D(1000) - D(1500)
    seen = view(
        figures_of(NetLiquidation_USD=str(own + 5), CashBalance_USD=str(cash_usd), CashBalance_EUR=str(cash_eur))
    )
    assert seen.cash == {"USD": cash_usd, "EUR": cash_eur}
    assert seen.unexplained == {"USD": D(400000), "EUR": D(0)}
    assert seen.own_equity == own
    lost_on_euros = (D(80) - D(4)) * (D("1.2") - D("1.1"))
    assert own - 400000 == seen.result.net_pnl - lost_on_euros, "all that was earned is there, and nothing twice"
    assert seen.deviation == D(-5)


def test_futures_count_by_what_the_broker_has_not_settled_yet_where_it_says_so():
    held = (FUTURE,)
    assert view(figures_of(CashBalance_USD="1000"), held).own_equity == D(2000)
    assert view(figures_of(CashBalance_USD="1700", FuturesPNL_USD="300"), held).own_equity == D(2000)


def test_what_is_not_known_is_named_and_every_sum_with_it_is_unknown():
    pound = book("trend", "VOD.GBP", "10", "1000", "7", currency="GBP")
    seen = view(figures_of(CashBalance_USD="10"), (SPY, pound, SHORT_SPY), marks({"VOD.GBP": 100.0}))
    trend = next(line.result for line in seen.strategies if line.strategy == "trend")
    assert trend.gross == Unknown(f"no price of SPY is known; {NO_GBP}")
    assert trend.realized == Unknown(NO_GBP)
    assert trend.commissions == D("2.5"), "what is known stays known"
    assert trend.net_pnl == Unknown(f"{NO_GBP}; no price of SPY is known")
    assert seen.equity == Unknown("the broker has not reported the equity of DU1")
    assert isinstance(seen.deviation, Unknown)
    assert set(seen.missing) == {"the broker has not reported the equity of DU1", "no price of SPY is known", NO_GBP}


def test_what_was_booked_without_a_rate_counts_at_the_newest_one():
    early = Book(
        account="DU1", strategy="trend", instrument="SAP.EUR", currency="EUR", realized=D(100),
        realized_base=D(48), commissions_base=D("1.2"), unrated={"EUR": D(58)}, commissions={"EUR": D(3)},
    )  # fmt: skip
    assert result([early], marks()).net_realized == D(48) + D(58) * D("1.1") - D("1.2")


def test_a_rate_that_is_too_old_makes_figures_unknown_and_what_is_flat_needs_none():
    old = marks(max_age=60.0)
    late = Marks(old.prices, old.rates, NOW + 61 * SECOND, 60.0)
    assert result([SAP], late).net == Unknown("the rate from EUR to USD is 61 s old, more than 60 s")
    assert result([book("trend", "SAP.EUR", "0", "0", currency="EUR")], late) == result([], late)


def test_an_account_without_figures_is_unknown_and_not_worth_zero():
    seen = view(AccountFigures("USD"), ())
    assert (seen.cash, seen.unexplained) == ({}, {})
    assert seen.own_equity == Unknown("the broker has not reported the cash of DU1")
    assert seen.result == result([], marks())


def test_books_of_other_accounts_are_none_of_its_business_and_discretionary_has_no_equity():
    own = book(DISCRETIONARY, "SPY", "10", "5000")
    other = Book(account="DU2", strategy="trend", instrument="SPY", currency="USD", quantity=D(7))
    seen = view(figures_of(CashBalance_USD="10"), (own, other))
    assert seen.result.net == D(5100)
    assert [(line.strategy, line.equity) for line in seen.strategies] == [(DISCRETIONARY, None), ("trend", D(5000))]


def test_a_strategy_of_two_accounts_adds_up_and_its_positions_there_do_not_net():
    here = view(figures_of(CashBalance_USD="10"), (SPY,))
    there = Book(account="DU2", strategy="trend", instrument="SPY", currency="USD", quantity=D(-10), cost=D(-5200))
    other = account_view("DU2", (there,), AccountFigures("USD"), marks(), {})
    whole = results_of((here, other))["trend"]
    assert (whole.gross, whole.net, whole.unrealized) == (D(56100), D(45900), D(1100))
    assert (whole.net_realized, whole.net_pnl) == (D("117.5"), D("1217.5"))
