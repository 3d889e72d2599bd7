"""Where nothing can be wrong the texts of an order's context are not made one by one; they are the same either way."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.orders import OrderIntent, OrderState, OrderTicket, Side, opening_view
from mats.risk.exposure import RiskState
from mats.risk.limits import Limits
from mats.risk.market_state import EVERYTHING, MarketState

D = Decimal
SPY, QQQ = parse_instrument("SPY"), parse_instrument("QQQ")

accounts = st.sampled_from(["DU1", "U7", "U8"])
owners = st.sampled_from(["trend", "revert"])
instruments = st.sampled_from([SPY, QQQ])


def rarely(values):
    """Mostly nothing, so that worlds in which all is well come up, too."""
    return st.one_of(st.just(()), values)


@st.composite
def intents(draw, intent_id="i1"):
    return OrderIntent(
        intent_id=intent_id, strategy=draw(owners), account=draw(accounts), instrument=draw(instruments),
        side=Side.BUY, quantity=D(1), ticket=OrderTicket(), time=0,
    )  # fmt: skip


@st.composite
def worlds(draw):
    world = MarketState(Limits(), "USD", draw(st.sets(accounts)))
    world.accounts = tuple(draw(st.sets(accounts)))
    world.routes = draw(st.sets(st.sampled_from([1, 2])))
    world.behind = draw(rarely(st.just(("store",))))
    world.halts = dict.fromkeys(draw(rarely(st.sets(st.sampled_from([EVERYTHING, "trend"])))), "by hand")
    world.links_down = dict.fromkeys(draw(rarely(st.just(("brokers/ib-0",)))), "1100")
    world.broken = frozenset(draw(rarely(st.sets(st.tuples(accounts, st.sampled_from(["SPY", "QQQ"]))))))
    world.silent = dict.fromkeys(draw(rarely(st.sets(st.sampled_from(["SPY", "QQQ"])))), "nothing came")
    return world


@given(worlds(), intents(), st.sampled_from([1, 2]), rarely(st.tuples(intents("i0"))))
def test_what_is_wrong_is_the_same_as_where_each_text_is_made(world, intent, route, lost):
    state = RiskState()
    for order in lost:
        state.observe(replace(opening_view(order), state=OrderState.UNKNOWN))
    exposures = state.exposures(state.positions[intent.account, intent.instrument.id], intent.strategy)
    met = world.pretrade_context(intent, exposures, world.quote(intent.instrument, 0, 0.0), state, route, 0)
    assert met.connection == world._connection_fault(intent.account, intent.strategy, route)
    texts = (met.behind, met.halt, met.disagreement, met.unknown_order, met.quarantine, met.stale)
    assert texts == world._other_faults(intent, state)
