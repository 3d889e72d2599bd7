"""The world as an order meets it: what is unknown stays unknown, what speaks against risk is said."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.ledger.quarantine import QuarantinePlace
from mats.model.orders import OrderIntent, OrderState, OrderTicket, Side, opening_view
from mats.model.timestamp import SECOND
from mats.model.unknown import Unknown
from mats.risk.exposure import RiskState
from mats.risk.limits import Limits
from mats.risk.market_state import EVERYTHING, MarketState

D = Decimal
SPY = replace(parse_instrument("SPY"), con_id=756733)
ROUTE = 1


@pytest.fixture
def world():
    """A world in which nothing speaks against an order of `trend` in SPY."""
    world = MarketState(Limits(max_price_age_seconds=30.0, max_rate_age_seconds=60.0), "USD", live_accounts=("U7",))
    world.accounts = ("DU1", "DU2", "U7", "U8")
    world.behind = ()
    world.routes = {ROUTE}
    world.know(SPY)
    world.mark("SPY", 500.5, 10.0)
    return world


def an_intent(intent_id="i1", instrument=SPY, account="DU1", strategy="trend"):
    return OrderIntent(
        intent_id=intent_id, strategy=strategy, account=account, instrument=instrument, side=Side.BUY,
        quantity=D(10), ticket=OrderTicket(), time=0,
    )  # fmt: skip


def meet(world, intent=None, state=None, route=ROUTE, now=0, monotonic=10.0):
    intent, state = intent or an_intent(), state or RiskState()
    position = state.positions[intent.account, intent.instrument.id]
    exposures = state.exposures(position, intent.strategy, without=intent.intent_id)
    quote = world.quote(intent.instrument, now, monotonic)
    return world.pretrade_context(intent, exposures, quote, state, route, now)


def objections(met):
    return [text for text in (met.connection, met.behind, met.halt, met.disagreement, met.unknown_order) if text]


def test_nothing_speaks_against_an_order_in_a_sound_world(world):
    met = meet(world)
    assert objections(met) == []
    assert (met.resolved, met.price, met.price_age, met.rate) == (True, D("500.5"), 0.0, D(1))


def test_a_world_that_has_heard_nothing_speaks_against_everything():
    met = meet(MarketState(Limits(), "USD", ()), an_intent(instrument=parse_instrument("SPY")))
    assert "every stage has yet to report" in met.behind
    assert met.connection == "the connection of trend (client 1) is not ready"
    assert (met.resolved, met.price, met.price_age) == (False, None, None)


def test_an_instrument_is_as_the_broker_completed_it_or_as_its_name_tells(world):
    world.know(replace(SPY, trading_hours="20261127:0400-20261127:2000", liquid_hours="20261127:0930-20261127:1600"))
    assert world.instrument("SPY") == SPY, "its hours are long texts that no intent needs"
    assert world.instrument("EURUSD") == parse_instrument("EURUSD")


def test_a_price_grows_old_and_a_silent_instrument_is_older_than_allowed_at_once(world):
    assert meet(world, monotonic=25.0).price_age == 15.0
    world.silent = {"SPY": "the bars of SPY are stale: nothing came"}
    assert meet(world, monotonic=25.0).price_age == 31.0
    assert meet(world, monotonic=99.0).price_age == 89.0
    assert meet(world, monotonic=99.0).stale == "the bars of SPY are stale: nothing came"
    world.mark("SPY", 501.0, 99.0)
    world.silent = {}
    assert meet(world, monotonic=99.0).price_age == 0.0


def test_rates_are_known_until_they_are_too_old(world):
    intent = an_intent(instrument=parse_instrument("SAP.EUR"))
    assert isinstance(meet(world, intent).rate, Unknown)
    world.rates = world.rates.with_rate("EUR", "USD", D("1.1"), 0, "test")
    assert meet(world, intent, now=60 * SECOND).rate == D("1.1")
    assert isinstance(meet(world, intent, now=61 * SECOND).rate, Unknown)


def test_the_exposure_of_an_order_leaves_itself_out_and_counts_its_siblings(world):
    state = RiskState()
    for intent in (an_intent("i1"), an_intent("i2"), an_intent("i3", strategy="other")):
        state.observe(opening_view(intent))
    met = meet(world, an_intent("i1"), state)
    assert (met.strategy.buying, met.account.buying) == (D(10), D(20))


def test_an_unknown_outcome_freezes_its_strategy_on_its_instrument_only(world):
    state = RiskState()
    state.observe(replace(opening_view(an_intent("i0")), state=OrderState.UNKNOWN))
    assert meet(world, state=state).unknown_order == "the outcome of order i0 is unknown"
    assert meet(world, an_intent(strategy="other"), state).unknown_order == ""
    assert meet(world, an_intent(instrument=parse_instrument("QQQ")), state).unknown_order == ""


def test_a_break_speaks_against_its_place_only(world):
    world.broken = frozenset({("DU1", "SPY")})
    assert meet(world).disagreement == "books and broker differ on SPY"
    assert meet(world, an_intent(account="DU2")).disagreement == ""


@pytest.mark.parametrize("scope", [EVERYTHING, "trend"])
def test_a_halt_of_all_or_of_the_strategy_holds(world, scope):
    world.halts[scope] = "by hand"
    assert meet(world).halt == "by hand"


def test_a_halt_of_another_strategy_does_not_hold(world):
    world.halts["other"] = "by hand"
    assert meet(world).halt == ""


def test_a_link_that_is_down_is_a_halt_that_names_it(world):
    world.links_down["brokers/ib-0"] = "1100: connectivity lost"
    assert meet(world).halt == "brokers/ib-0: 1100: connectivity lost"


def test_an_order_needs_the_connection_of_its_own_client(world):
    assert meet(world, route=2).connection == "the connection of trend (client 2) is not ready"


@pytest.mark.parametrize(
    ("account", "text"),
    [
        ("", "the broker has not named its accounts yet"),
        ("DU2", ""),
        ("U7", ""),
        ("U8", "account U8 is live; name it in gateway.live_accounts to let it trade"),
        ("DU9", "account DU9 of trend is not the broker's; name one of DU1, DU2, U7, U8"),
    ],
)
def test_only_paper_accounts_and_named_live_ones_of_the_broker_trade(world, account, text):
    assert meet(world, an_intent(account=account)).connection == text


def test_a_named_live_account_trades_where_it_is_the_brokers_and_its_connection_is_ready(world):
    live = an_intent(account="U7")
    assert meet(world, live, route=2).connection == "the connection of trend (client 2) is not ready"
    world.accounts = ("DU1", "U8")
    assert meet(world, live).connection == "account U7 of trend is not the broker's; name one of DU1, U8"


def test_a_strategy_trades_in_the_account_of_its_record_else_in_the_first(world):
    world.homes["trend"] = "DU2"
    assert (world.account_of("trend"), world.account_of("other")) == ("DU2", "DU1")
    assert MarketState(Limits(), "USD", ()).account_of("trend") == ""


def test_sizing_gets_figures_or_the_reason_why_there_are_none(world):
    assert world.basis("trend", world.quote(SPY, 0, 10.0)).equity == Unknown("the equity of trend is not known yet")
    world.equities["trend"] = None
    assert isinstance(world.basis("trend", world.quote(SPY, 0, 10.0)).equity, Unknown)
    world.equities["trend"] = D(0)
    basis = world.basis("trend", world.quote(SPY, 0, 10.0))
    assert (basis.equity, basis.price, basis.rate) == (D(0), D("500.5"), D(1))
    assert world.basis("trend", world.quote(parse_instrument("QQQ"), 0, 10.0)).price is None


def test_what_is_in_quarantine_speaks_against_its_instrument_and_its_strategy_and_nothing_else(world):
    qqq = replace(parse_instrument("QQQ"), con_id=1)
    world.quarantine = (QuarantinePlace("Q3", "execution", "DU1", "SPY", "trend"),)
    said = "execution of SPY is in quarantine; see `mats quarantine show Q3`"
    assert meet(world).quarantine == said
    assert meet(world, an_intent(instrument=qqq)).quarantine == said, "its strategy, in anything"
    assert meet(world, an_intent(strategy="revert")).quarantine == said, "its instrument, for anybody"
    assert meet(world, an_intent(strategy="revert", account="DU2")).quarantine == ""
    assert meet(world, an_intent(strategy="revert", instrument=qqq)).quarantine == ""
    world.quarantine = (*world.quarantine, QuarantinePlace("", "the quarantine is full", "", "", ""))
    full = "the quarantine is full; resolve what is in it with `mats quarantine`"
    assert meet(world, an_intent(strategy="revert", instrument=qqq)).quarantine == full
    world.quarantine = (QuarantinePlace("Q4", "execution", "", "SPY", ""),)
    assert meet(world, an_intent(strategy="revert", account="DU2")).quarantine, "an unknown account is any"
