"""Equity in two tiers: what was given outright wins, else the weight of the account's total."""

from decimal import Decimal

from mats.ledger.valuation.allocation import Allocation
from mats.ledger.valuation.broker_figures import AccountFigures
from mats.model.broker_reports import AccountValue
from mats.model.strategy_table import TargetWeight


def figures(**totals: str) -> AccountFigures:
    known = AccountFigures("USD")
    values = [
        AccountValue(account=account, tag="NetLiquidation", value=total, currency="USD")
        for account, total in totals.items()
    ]
    known.update(values, 1)
    return known


def allocation(*shares: TargetWeight, accounts: tuple[str, ...] = ("DU1", "DU2")) -> Allocation:
    made = Allocation()
    made.accounts = accounts
    made.set_weights(shares)
    return made


def test_a_weight_shares_the_total_of_the_first_account_or_of_the_one_named() -> None:
    shared = allocation(TargetWeight("a", "", Decimal("0.25")), TargetWeight("b", "DU2", Decimal("0.5")))
    assert shared.changes(figures(DU1="1000", DU2="300")) == {"a": Decimal(250), "b": Decimal(150)}


def test_an_explicit_equity_wins_and_its_end_gives_the_weight_back() -> None:
    shared = allocation(TargetWeight("a", "", Decimal("0.25")))
    assert shared.account_strategies() == (("DU1", "a"),)
    shared.set_explicit({"a": Decimal(777)})
    assert shared.changes(figures(DU1="1000")) == {"a": Decimal(777)}
    shared.set_explicit({})
    assert shared.changes(figures(DU1="1000")) == {"a": Decimal(250)}


def test_an_equity_is_told_once_and_again_only_when_it_changed() -> None:
    shared = allocation(TargetWeight("a", "", Decimal("0.25")))
    assert shared.changes(figures(DU1="1000")) == {"a": Decimal(250)}
    assert shared.changes(figures(DU1="1000")) == {}
    assert shared.changes(figures(DU1="1200")) == {"a": Decimal(300)}
    assert shared.equities == {"a": Decimal(300)}


def test_an_unknown_total_is_an_unknown_equity_and_not_zero() -> None:
    shared = allocation(TargetWeight("a", "", Decimal("0.25")))
    assert shared.changes(figures()) == {"a": None}


def test_no_account_is_asked_about_before_one_is_known() -> None:
    assert allocation(TargetWeight("a", "", Decimal(1)), accounts=()).account_strategies() == ()


def test_an_equity_that_cannot_be_read_now_stays_what_it_was() -> None:
    shared = allocation(TargetWeight("a", "", Decimal("0.25")), TargetWeight("b", "", Decimal("0.25")))
    shared.set_explicit({"a": Decimal(777), "b": Decimal(5)})
    shared.set_explicit({}, unread=("a",))
    assert shared.changes(figures(DU1="1000")) == {"a": Decimal(777), "b": Decimal(250)}


def test_explicit_equities_beyond_what_the_account_is_worth_are_said_and_weights_alone_are_not() -> None:
    shared = allocation(
        TargetWeight("a", "", Decimal("0.6")),
        TargetWeight("b", "", Decimal("0.4")),
        TargetWeight("far", "DU2", Decimal(1)),
    )
    known = figures(DU1="1000", DU2="5000")
    shared.changes(known)
    assert shared.overcommitted(known) == {}
    shared.set_explicit({"a": Decimal(600)})
    shared.changes(known)
    assert shared.overcommitted(known) == {}
    shared.set_explicit({"a": Decimal(601)})
    shared.changes(known)
    assert shared.overcommitted(known) == {
        "DU1": "the strategies of DU1 have equities of 1,001.00 in total and it is worth 1,000.00"
        " (explicit: a 601.00); lower one with `mats equity`, or a target weight"
    }
    assert shared.overcommitted(figures(DU2="5000")) == {}
