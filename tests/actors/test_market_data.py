"""Market data: one subscription shared by all, contracts and history asked for until there is an answer."""

import pytest
import structlog
from msgspec.structs import replace

from actors.market_data import FLUSH_SECONDS, MarketData
from actors.messages.broker import (
    HistoryLoaded,
    HistoryProgressed,
    InstrumentResolved,
    MarketEvents,
    RequestHistory,
    RequestSnapshot,
    ResolveInstrument,
    ResubscribeMarket,
    SubscribeMarket,
    Unresolved,
)
from actors.messages.market_data import (
    BarArrived,
    BarsInterrupted,
    BarsOver,
    DataStale,
    InstrumentCompleted,
    InstrumentNamed,
    InstrumentUnnamed,
    LoadHistory,
    PriceMarked,
    QuoteArrived,
    ReadStreams,
    SubscribeInstruments,
    WatchPrices,
)
from actors.messages.persistence_writer import StoreBars
from actors.messages.subscription import AskToResubscribe, Republish, Unsubscribe, Unsubscribed
from mats.instruments import parse_instrument
from mats.model.market_data import MarketStream, Quote, StreamMeaning, StreamNotice
from mats.model.timestamp import SECOND
from mats.runtime import Actor
from mats.streams import ALWAYS_OPEN

ASKED = parse_instrument("SPY")
SPY = replace(ASKED, con_id=756733)
RETRY_SECONDS = 75.0
"""After that long an unknown contract was asked for once more."""


class Line(Actor):
    """A connection that only passes on what it is told, so that it can die and come back under its name."""

    def __init__(self, heard):
        self._heard = heard

    def on_receive(self, message):
        self._heard.tell(message)


class World:
    """Market data, a connection that can be lost, and those whom it informs."""

    def __init__(self, runtime, a_ready, hours=ALWAYS_OPEN, delayed=False):
        self.runtime, self._a_ready, self._hours, self._delayed = runtime, a_ready, hours, delayed
        self.broker, self.risk, self.portfolio = (runtime.probe(name) for name in ("heard", "risk", "portfolio"))
        self.line = runtime.ref("ib-99")
        self.data = runtime.spawn(MarketData, self.args(), name="market-data")
        self.portfolio.expect_message(Republish())

    def args(self):
        return MarketData.Args(
            connection=self.line,
            risk=self.risk.ref,
            portfolio=self.portfolio.ref,
            stale_after=10.0,
            hours=self._hours,
            delayed=self._delayed,
        )

    def connect(self, session="1"):
        """The connection comes up (anew) and says that it is ready."""
        if not self.line.is_alive():
            self.runtime.launch("ib-99", Line, self.broker.ref, supervised=True)
        self.data.tell(self._a_ready(self.line, session))
        self.runtime.run_until_idle()

    def lose(self):
        self.line.stop()
        self.runtime.run_until_idle()

    def asked(self, *kinds):
        """What the connection was asked for, without what is of no interest."""
        self.runtime.run_until_idle()
        heard = []
        while (envelope := self.broker._take(0.0)) is not None:
            heard.append(envelope.message)
        return [message for message in heard if isinstance(message, kinds or (object,))]

    def follow(self, follower, *instruments, quotes=False):
        self.data.tell(SubscribeInstruments(instruments=instruments or ("SPY",), quotes=quotes, follower=follower.ref))
        self.runtime.run_until_idle()

    def resolve(self):
        self.data.tell(InstrumentResolved("SPY", SPY))
        self.runtime.run_until_idle()

    def load(self, strategy, bar_seconds=60, count=10):
        self.data.tell(LoadHistory(instrument="SPY", bar_seconds=bar_seconds, count=count, reply_to=strategy.ref))
        self.runtime.run_until_idle()


@pytest.fixture
def world(runtime, a_ready):
    return World(runtime, a_ready)


def history(*bars, count=10):
    return HistoryLoaded("SPY", bars, complete=True, bar_seconds=bars[0].seconds, count=count)


def test_it_asks_the_connection_to_announce_itself_when_it_starts(world):
    world.runtime.launch("ib-99", Line, world.broker.ref, supervised=True)
    assert world.asked() == [RequestSnapshot()]


def test_an_instrument_is_resolved_and_subscribed_once_for_all_its_followers(world, probe):
    world.connect()
    world.follow(probe("one"))
    world.follow(probe("two"))
    assert world.asked(ResolveInstrument) == [ResolveInstrument(ASKED, world.data)]
    world.resolve()
    world.follow(probe("three"))
    assert world.asked() == [SubscribeMarket(SPY, quotes=False)]


def test_several_names_of_one_instrument_share_what_there_is_of_it(world, probe, a_bar):
    """`#756733` is SPY: one subscription, under the instrument's name, also for loads and after a new connection."""
    by_number, by_name = probe("one"), probe("two")
    world.connect()
    world.follow(by_number, "#756733")
    world.data.tell(LoadHistory(instrument="#756733", bar_seconds=60, count=1, reply_to=by_number.ref))
    assert [asked.instrument.id for asked in world.asked(ResolveInstrument)] == ["#756733"]
    world.data.tell(InstrumentResolved("#756733", SPY))
    asked = world.asked()
    assert [type(request) for request in asked] == [RequestHistory, SubscribeMarket]
    assert {request.instrument.id for request in asked} == {"SPY"}
    by_number.expect_message(InstrumentNamed("#756733", "SPY", SPY))
    world.follow(by_name, "SPY")
    by_name.expect_message(InstrumentNamed("SPY", "SPY", SPY))
    assert world.asked() == []
    world.data.tell(MarketEvents((a_bar(),), ()))
    by_number.expect_message(BarArrived(a_bar()))
    by_name.expect_message(BarArrived(a_bar()))
    world.lose()
    world.connect("2")
    assert [asked.instrument.id for asked in world.asked(ResolveInstrument)] == ["SPY"]


def test_who_follows_a_name_without_a_contract_hears_why(world, probe):
    one = probe("one")
    world.connect()
    world.follow(one, "DAX:202612")
    world.data.tell(Unresolved("DAX:202612", "it fits several contracts; write one of these: …"))
    one.expect_message(InstrumentUnnamed("DAX:202612", "it fits several contracts; write one of these: …"))


def test_nothing_is_asked_of_a_connection_that_is_not_ready(world, probe):
    world.follow(probe("one"))
    world.load(probe("one"))
    world.runtime.launch("ib-99", Line, world.broker.ref, supervised=True)
    assert world.asked() == [RequestSnapshot()]
    world.connect()
    assert world.asked() == [ResolveInstrument(ASKED, world.data)]


def test_risk_learns_what_the_broker_completed_and_again_when_it_asks(world, probe):
    world.connect()
    world.follow(probe("one"))
    world.resolve()
    world.risk.expect_message(InstrumentCompleted(SPY))
    world.data.tell(Republish())
    assert world.risk.fish(lambda message: isinstance(message, InstrumentCompleted)) == InstrumentCompleted(SPY)


def test_quotes_are_subscribed_when_the_first_follower_wants_them(world, probe):
    world.connect()
    world.follow(probe("one"))
    world.resolve()
    world.asked()
    world.follow(probe("two"), quotes=True)
    world.follow(probe("three"), quotes=True)
    assert world.asked() == [SubscribeMarket(SPY, quotes=True)]


def test_bars_go_to_all_followers_and_quotes_to_those_who_want_them(world, probe, a_bar):
    one, two = probe("one"), probe("two")
    world.follow(one)
    world.follow(two, quotes=True)
    quote = Quote("SPY", 0, 99.0, 101.0, 1.0, 1.0)
    world.data.tell(MarketEvents((a_bar(),), (quote,)))
    one.expect_message(BarArrived(a_bar()))
    one.expect_nothing()
    two.expect_message(BarArrived(a_bar()))
    two.expect_message(QuoteArrived(quote))


@pytest.mark.parametrize("seed", [None])
def test_followers_are_told_in_the_order_in_which_they_came(world, probe, a_bar):
    """Not in the order of a set, which differs from process to process."""
    order = []
    for name in "dbeac":
        world.runtime.spawn(Scribe, order, name=name)
        world.data.tell(SubscribeInstruments(instruments=("SPY",), quotes=False, follower=world.runtime.ref(name)))
    world.data.tell(MarketEvents((a_bar(),), ()))
    world.runtime.run_until_idle()
    assert "".join(order) == "dbeac"


class Scribe(Actor):
    def __init__(self, order):
        self._order = order

    def on_receive(self, message):
        self._order.append(self.name)


def test_risk_and_portfolio_know_the_price_before_a_follower_does(world, probe, a_bar):
    one = probe("one")
    world.follow(one)
    world.data.tell(MarketEvents((a_bar(price=101.5),), ()))
    one.expect(BarArrived)
    for informed in (world.risk, world.portfolio):
        informed.expect_message(PriceMarked("SPY", 101.5))
        assert informed.last.id < one.last.id


def test_a_quote_without_a_price_marks_nothing(world, probe):
    one = probe("one")
    world.follow(one, quotes=True)
    world.data.tell(MarketEvents((), (Quote("SPY", 0, 0.0, 0.0, 0.0, 0.0),)))
    one.expect(QuoteArrived)
    world.portfolio.expect_nothing()


def test_a_follower_that_leaves_is_told_nothing_after_its_farewell(world, probe, a_bar):
    one, two = probe("one"), probe("two")
    world.follow(one, quotes=True)
    world.follow(two)
    world.data.tell(Unsubscribe(one.ref))
    one.expect_message(Unsubscribed("market-data"))
    world.data.tell(MarketEvents((a_bar(),), ()))
    two.expect(BarArrived)
    one.expect_nothing()


def test_a_follower_that_dies_is_forgotten(world, a_bar):
    order = []
    follower = world.runtime.spawn(Scribe, order, name="mortal")
    world.follow(follower_of(follower))
    follower.stop()
    world.runtime.run_until_idle()
    world.data.tell(MarketEvents((a_bar(),), ()))
    world.runtime.run_until_idle()
    assert order == []
    world.runtime.dead_letters.assert_none()


def follower_of(ref):
    return type("Follower", (), {"ref": ref})


# History


def test_history_waits_for_the_contract_and_goes_to_who_asked(world, probe, a_bar):
    one = probe("one")
    world.connect()
    world.load(one)
    assert world.asked(ResolveInstrument, RequestHistory) == [ResolveInstrument(ASKED, world.data)]
    world.resolve()
    expected = RequestHistory(instrument=SPY, bar_seconds=60, count=10, reply_to=world.data)
    assert world.asked(RequestHistory) == [expected]
    world.data.tell(history(a_bar(seconds=60)))
    one.expect_message(history(a_bar(seconds=60)))


def test_of_several_requests_one_is_under_way_and_each_gets_its_own_answer(world, probe, a_bar):
    one, two = probe("one"), probe("two")
    world.connect()
    world.load(one)
    world.load(two, bar_seconds=15, count=3)
    world.resolve()
    assert [request.bar_seconds for request in world.asked(RequestHistory)] == [60]
    world.data.tell(history(a_bar(seconds=60)))
    assert [(r.bar_seconds, r.count) for r in world.asked(RequestHistory)] == [(15, 3)]
    two.expect_nothing()
    world.data.tell(history(a_bar(seconds=15), count=3))
    one.expect_message(history(a_bar(seconds=60)))
    two.expect_message(history(a_bar(seconds=15), count=3))
    one.expect_nothing()


def test_who_asks_the_same_shares_one_request_and_gets_as_many_as_it_asked_for(world, probe, a_bar):
    one, two, three, four = (probe(name) for name in ("one", "two", "three", "four"))
    world.connect()
    world.load(one, count=10)
    world.load(two, count=12)
    world.resolve()
    world.load(three, count=1)
    world.load(four, count=13)
    assert [(r.bar_seconds, r.count) for r in world.asked(RequestHistory)] == [(60, 12)]
    bars = tuple(a_bar(60 * number, seconds=60) for number in range(12))
    world.data.tell(history(*bars, count=12))
    one.expect_message(history(*bars[2:], count=10))
    two.expect_message(history(*bars, count=12))
    three.expect_message(history(bars[-1], count=1))
    four.expect_nothing()
    assert [(r.bar_seconds, r.count) for r in world.asked(RequestHistory)] == [(60, 13)]


def test_a_receiver_that_asks_again_is_answered_once(world, probe, a_bar):
    one = probe("one")
    world.connect()
    world.load(one)
    world.resolve()
    world.load(one)
    assert len(world.asked(RequestHistory)) == 1
    world.data.tell(history(a_bar(seconds=60)))
    one.expect_message(history(a_bar(seconds=60)))
    one.expect_nothing()
    assert world.asked(RequestHistory) == []


def test_who_waits_is_told_how_far_its_load_is(world, probe):
    one, two = probe("one"), probe("two")
    world.connect()
    world.load(one, count=10)
    world.load(two, count=3)
    world.resolve()
    world.data.tell(HistoryProgressed("SPY", 60, 5))
    one.expect_message(HistoryProgressed("SPY", 60, 5))
    two.expect_message(HistoryProgressed("SPY", 60, 3))


def test_an_answer_to_what_was_asked_before_a_restart_is_none(world, probe, a_bar):
    one = probe("one")
    world.connect()
    world.load(one, count=10)
    world.resolve()
    world.data.tell(history(a_bar(seconds=60), count=4))
    one.expect_nothing()


def test_bars_of_another_span_are_no_answer(world, probe, a_bar):
    one = probe("one")
    world.connect()
    world.load(one)
    world.resolve()
    world.data.tell(history(a_bar(seconds=15)))
    one.expect_nothing()


def test_an_answer_that_nobody_waits_for_harms_nobody(world, probe, a_bar):
    world.data.tell(history(a_bar(seconds=60)))
    world.follow(probe("one"))
    world.runtime.dead_letters.assert_none()


def test_who_waits_for_an_unknown_instrument_is_told_and_it_is_tried_again(world, probe):
    one = probe("one")
    world.connect()
    world.load(one)
    world.asked()
    world.data.tell(Unresolved("SPY", "contract of SPY: no answer in 10 s"))
    one.expect_message(HistoryLoaded("SPY", (), False, "contract of SPY: no answer in 10 s", 60, 10))
    world.runtime.advance(RETRY_SECONDS)
    assert world.asked(ResolveInstrument) == [ResolveInstrument(ASKED, world.data)]


def test_who_wants_an_unknown_instrument_anew_makes_it_be_asked_for_at_once(world, probe):
    world.connect()
    world.follow(probe("one"))
    world.data.tell(Unresolved("SPY", "unknown"))
    world.asked()
    world.load(probe("two"))
    assert world.asked() == [ResolveInstrument(ASKED, world.data)]


# The connection is lost


def test_after_a_loss_everything_is_asked_of_the_new_connection_again(world, probe, a_bar):
    one = probe("one")
    world.connect()
    world.follow(one, quotes=True)
    world.load(one)
    world.resolve()
    world.asked()
    world.lose()
    world.connect("2")
    assert world.asked(ResolveInstrument) == [ResolveInstrument(ASKED, world.data)]
    world.resolve()
    again = world.asked()
    assert again[0].bar_seconds == 60
    assert again[1:] == [SubscribeMarket(SPY, quotes=True)]
    world.data.tell(history(a_bar(seconds=60)))
    assert one.receive(2) == [InstrumentNamed("SPY", "SPY", SPY)] * 2
    one.expect_message(history(a_bar(seconds=60)))


def test_a_connection_that_announces_itself_again_is_asked_for_nothing_twice(world, probe):
    world.connect()
    world.follow(probe("one"))
    world.load(probe("one"))
    world.resolve()
    world.asked()
    world.connect("2")
    assert world.asked() == []


def test_a_restarted_actor_calls_its_followers(world, runtime, probe):
    runtime.launch("strategies/trend", Line, world.broker.ref, supervised=True)
    runtime.run_until_idle()
    world.asked()
    world.data.stop()
    runtime.run_until_idle()
    runtime.launch("market-data-2", MarketData, world.args())
    assert world.asked() == [AskToResubscribe("market-data-2")]


# The store


def test_bars_of_followed_instruments_go_to_the_store_once_a_minute(runtime, probe, a_ready, a_bar):
    world, store = World(runtime, a_ready), probe("store")
    world.data.stop()
    runtime.run_until_idle()
    runtime.launch("keeping", MarketData, replace(world.args(), store=store.ref))
    data = runtime.ref("keeping")
    data.tell(SubscribeInstruments(instruments=("SPY",), quotes=False, follower=probe("one").ref))
    data.tell(WatchPrices(frozenset({"IBM"})))
    data.tell(MarketEvents((a_bar(), a_bar(instrument="IBM"), a_bar(5)), ()))
    runtime.run_until_idle()
    store.expect_nothing()
    runtime.advance(FLUSH_SECONDS)
    store.expect_message(StoreBars((a_bar(), a_bar(5))))
    runtime.advance(FLUSH_SECONDS)
    store.expect_nothing()


# Liveness


def test_what_was_not_heard_for_too_long_is_called_stale_until_it_speaks(world, probe, a_bar):
    world.follow(probe("one"))
    runtime, risk = world.runtime, world.risk

    def last_list():
        runtime.run_until_idle()
        lists = []
        while (envelope := risk._take(0.0)) is not None:
            lists += [set(envelope.message.instruments)] if isinstance(envelope.message, DataStale) else []
        return lists[-1]

    runtime.advance(10.0)
    assert last_list() == set()
    runtime.advance(1.5)
    assert last_list() == {"SPY"}
    world.data.tell(MarketEvents((a_bar(),), ()))
    runtime.advance(1.0)
    assert last_list() == set()


# What the broker says of streams, and what follows


def bars_of(world, a_bar, seconds):
    """The stream flows for so long."""
    for _ in range(0, seconds, 5):
        world.runtime.advance(5.0)
        start = world.runtime.clock.now() - 5 * SECOND
        world.data.tell(MarketEvents((replace(a_bar(), start=start),), ()))
        world.runtime.run_until_idle()


def flowing(world, probe, a_bar):
    world.connect()
    world.follow(probe("strategies/trend"))
    world.resolve()
    bars_of(world, a_bar, 20)
    world.asked()
    since_last(world.risk)


def since_last(probe_):
    messages = []
    while (envelope := probe_._take(0.0)) is not None:
        messages.append(envelope.message)
    return messages


def view(world, stream="bars"):
    (found,) = [view for view in world.data.ask(ReadStreams(), timeout=1.0) if view.stream == stream]
    return found


AGAIN = ResubscribeMarket(SPY, MarketStream.BARS)


def test_a_dead_stream_is_found_within_two_bars_and_asked_for_again(world, probe, a_bar):
    flowing(world, probe, a_bar)
    world.runtime.advance(14.0)
    assert world.asked() == [AGAIN]
    faults = [message.instruments for message in since_last(world.risk) if isinstance(message, DataStale)]
    assert faults[0] == {}
    assert faults[-1] == {"SPY": "the bars of SPY are stale: nothing came for more than 12 s"}
    assert view(world).strategies == ("trend",)
    bars_of(world, a_bar, 5)
    world.runtime.advance(1.0)
    assert (view(world).state, view(world).fault) == ("flowing", "")
    assert since_last(world.risk)[-1] == DataStale({})


@pytest.mark.parametrize("meaning", [StreamMeaning.STOPPED, StreamMeaning.COMPETING, StreamMeaning.REFUSED])
def test_what_the_broker_says_of_a_stream_is_kept_told_and_tried_again(world, probe, a_bar, meaning):
    flowing(world, probe, a_bar)
    world.data.tell(StreamNotice(meaning, "it said so (code 4711)", "SPY", MarketStream.BARS))
    world.runtime.advance(1.0)
    assert "it said so (code 4711)" in since_last(world.risk)[-1].instruments["SPY"]
    found = view(world)
    assert found.reason == "it said so (code 4711)"
    assert 0 < found.next_try <= 72
    world.runtime.advance(72.0)
    assert world.asked()[0] == AGAIN


def test_an_unresolvable_holding_costs_few_requests_and_one_line_in_a_day(world):
    reason = "contract of SPY: the gateway answered No security definition has been found (code 200)"
    world.connect()
    asked = 0
    with structlog.testing.capture_logs() as lines:
        for _ in range(24 * 60):
            world.data.tell(WatchPrices(frozenset({"SPY"})))
            for _ in world.asked(ResolveInstrument):
                asked += 1
                world.data.tell(Unresolved("SPY", reason))
            world.runtime.advance(60.0)
            since_last(world.risk)
    assert 50 < asked < 120
    assert [line["reason"] for line in lines if line["event"] == "market data changed"] == [reason]
    found = view(world, "contract")
    assert (found.state, found.reason) == ("refused", reason)
    assert found.fault == f"the contract of SPY is refused: {reason}"


def test_an_unknown_contract_is_asked_for_soon_after_the_link_is_back(world):
    world.connect()
    world.data.tell(WatchPrices(frozenset({"SPY"})))
    world.data.tell(StreamNotice(StreamMeaning.LINK_DOWN, "1100"))
    world.data.tell(Unresolved("SPY", "untrusted"))
    world.asked()
    world.data.tell(StreamNotice(StreamMeaning.LINK_UP, "1102"))
    world.runtime.advance(16.0)
    assert world.asked() == [ResolveInstrument(ASKED, world.data)]


def test_a_lost_connection_is_the_reason_of_every_stream_until_data_flow_on_the_next(world, probe, a_bar):
    flowing(world, probe, a_bar)
    world.lose()
    world.runtime.advance(1.0)
    lost = "the bars of SPY are waiting: the connection to the gateway is lost"
    assert since_last(world.risk)[-1] == DataStale({"SPY": lost})
    world.connect("2")
    world.resolve()
    assert world.asked(SubscribeMarket) == [SubscribeMarket(SPY, quotes=False)]
    bars_of(world, a_bar, 5)
    world.runtime.advance(1.0)
    assert since_last(world.risk)[-1] == DataStale({})


class Night:
    """Closed, until it is opened."""

    def __init__(self):
        self.open = True

    def is_open(self, instrument, at):
        return self.open


def test_a_closed_market_is_not_stale(runtime, a_ready, probe, a_bar):
    night = Night()
    world = World(runtime, a_ready, hours=night)
    flowing(world, probe, a_bar)
    night.open = False
    world.runtime.advance(3_600.0)
    assert since_last(world.risk)[-1] == DataStale({})
    assert view(world).state == "closed"
    assert world.asked() == [AGAIN]
    night.open = True
    world.runtime.advance(14.0)
    assert world.asked() == [AGAIN]


def test_followers_are_told_when_bars_stop_and_when_none_are_to_come(runtime, a_ready, probe, a_bar):
    night = Night()
    world, trend = World(runtime, a_ready, hours=night), probe("strategies/trend")
    world.connect()
    world.follow(trend)
    world.resolve()
    bars_of(world, a_bar, 20)
    since_last(trend)
    world.runtime.advance(14.0)
    assert since_last(trend) == [BarsInterrupted("SPY")]
    bars_of(world, a_bar, 5)
    assert [type(message) for message in since_last(trend)] == [BarArrived]
    world.lose()
    world.runtime.advance(1.0)
    assert since_last(trend) == [BarsInterrupted("SPY")]
    world.connect("2")
    world.resolve()
    night.open = False
    world.runtime.advance(14.0)
    (over,) = [message for message in since_last(trend) if isinstance(message, BarsOver)]
    assert world.runtime.clock.now() - over.time < 14 * SECOND


def test_delayed_data_that_are_not_allowed_reach_nobody(world, probe, a_bar):
    one = probe("one")
    world.connect()
    world.follow(one)
    world.resolve()
    one.expect_message(InstrumentNamed("SPY", "SPY", SPY))
    world.data.tell(StreamNotice(StreamMeaning.DELAYED, "displaying delayed data", "SPY", MarketStream.BARS))
    world.data.tell(MarketEvents((a_bar(),), ()))
    one.expect_message(BarsInterrupted("SPY"))
    one.expect_nothing()
    assert not [message for message in since_last(world.risk) if isinstance(message, PriceMarked)]


NO_BARS = StreamNotice(StreamMeaning.NOT_SUBSCRIBED, "no market data permissions (code 420)", "SPY", MarketStream.BARS)


def delayed_quotes(world, seconds):
    """Delayed quotes flow for so long, one a second; the broker says first that they are delayed."""
    late = StreamNotice(StreamMeaning.DELAYED, "displaying delayed data (code 10167)", "SPY", MarketStream.QUOTES)
    world.data.tell(late)
    for _ in range(seconds):
        world.runtime.advance(1.0)
        quote = Quote("SPY", world.runtime.clock.now(), 99.0, 101.0, 1.0, 1.0, last=100.5)
        world.data.tell(MarketEvents((), (quote,)))
        world.runtime.run_until_idle()


def test_where_bars_are_refused_and_delayed_data_allowed_bars_are_made_of_delayed_quotes(runtime, a_ready, probe):
    world, trend = World(runtime, a_ready, delayed=True), probe("strategies/trend")
    world.connect()
    world.follow(trend)
    world.resolve()
    world.asked()
    world.data.tell(NO_BARS)
    assert world.asked() == [SubscribeMarket(SPY, quotes=True)]
    delayed_quotes(world, 21)
    bars = [message.bar for message in since_last(trend) if isinstance(message, BarArrived)]
    assert len(bars) in (3, 4)
    assert {(bar.close, bar.seconds, bar.start % (5 * SECOND)) for bar in bars} == {(100.5, 5, 0)}
    assert (view(world).state, view(world).fault) == ("delayed", "")
    assert "code 420" in view(world).reason
    assert [message for message in since_last(world.risk) if isinstance(message, DataStale)][-1] == DataStale({})


def test_live_bars_are_asked_for_on_and_take_the_place_of_those_of_quotes(runtime, a_ready, probe, a_bar):
    world, trend = World(runtime, a_ready, delayed=True), probe("strategies/trend")
    world.connect()
    world.follow(trend)
    world.resolve()
    world.data.tell(NO_BARS)
    delayed_quotes(world, 80)
    assert world.asked(ResubscribeMarket) == [AGAIN]
    world.data.tell(NO_BARS)
    delayed_quotes(world, 10)
    assert view(world).state == "delayed"
    since_last(trend)
    bars_of(world, a_bar, 5)
    delayed_quotes(world, 12)
    bars = [message.bar for message in since_last(trend) if isinstance(message, BarArrived)]
    assert [bar.volume > 0 for bar in bars if bar.close != 100.5] == [True]
    assert bars[-1].close != 100.5
    assert view(world).state == "flowing"


def test_refused_bars_are_not_made_of_quotes_where_delayed_data_are_not_allowed(world, probe):
    world.connect()
    world.follow(probe("one"))
    world.resolve()
    world.asked()
    world.data.tell(NO_BARS)
    assert world.asked() == []
    assert view(world).fault == "the bars of SPY are refused: no market data permissions (code 420)"
