"""The decoder loses nothing: every message becomes an event, an item of an answer, or a `DecodeFailed`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.ib.callbacks import Callbacks
from mats.ib.conversion.time_zones import KNOWN_ZONES
from mats.ib.decoding import IGNORED, CheckedDecoder
from mats.ib.events import BarReported, DecodeFailed, ExecutionReported, SessionEvent
from mats.ib.pending_requests import PendingRequests
from mats.ib.streams import QuoteAggregator, Stream, StreamKind, Streams

NUMBERS = st.integers(min_value=0, max_value=120).filter(lambda number: number not in IGNORED)
FIELDS = st.one_of(st.sampled_from(["", "0", "1", "-1", "1.5", "SPY", "BOT", "1e400", "nan"]), st.text(max_size=5))


def decoder(events: list[SessionEvent]) -> CheckedDecoder:
    callbacks = Callbacks(events.append, PendingRequests(), Streams(), QuoteAggregator(lambda: 0))
    made = CheckedDecoder(callbacks, callbacks.decode_failed, KNOWN_ZONES)
    made.serverVersion = 178
    return made


@given(number=NUMBERS, fields=st.lists(FIELDS, max_size=40))
@settings(max_examples=400)
def test_no_message_raises_whatever_it_holds(number: int, fields: list[str]) -> None:
    events: list[SessionEvent] = []
    decoder(events).interpret([str(number), *fields])
    assert all(isinstance(event, SessionEvent) for event in events)
    assert len(events) <= 2  # an error of the link gives the error and its meaning


@given(cut=st.integers(min_value=1, max_value=33))
@settings(max_examples=33)
def test_an_execution_that_is_cut_short_is_reported_as_undecodable(cut: int) -> None:
    whole = (
        "11 -1 7 756733 SPY STK _ 0 _ _ SMART USD SPY SPY e1.01 20260413-19:27:04 DU1 ARCA BOT 100 512.31 900 1 0"
        " 100 512.31 ibs:i7 _ _ _ 1 0"
    )
    fields = ["" if field == "_" else field for field in whole.split()]
    events: list[SessionEvent] = []
    reading = decoder(events)
    reading.interpret(list(fields))
    assert [type(event) for event in events] == [ExecutionReported]
    reading.interpret(fields[: max(1, len(fields) - cut)])
    assert [type(event) for event in events] == [ExecutionReported, DecodeFailed]


@pytest.mark.parametrize("place", [19, 20])
@pytest.mark.parametrize("value", ["", "1.7976931348623157E308", "nan"])
def test_an_execution_without_a_quantity_or_a_price_is_none_of_zero(place: int, value: str) -> None:
    whole = (
        "11 -1 7 756733 SPY STK _ 0 _ _ SMART USD SPY SPY e1.01 20260413-19:27:04 DU1 ARCA BOT 100 512.31 900 1 0"
        " 100 512.31 ibs:i7 _ _ _ 1 0"
    )
    fields = ["" if field == "_" else field for field in whole.split()]
    assert {fields[19], fields[20]} == {"100", "512.31"}
    fields[place] = value
    events: list[SessionEvent] = []
    decoder(events).interpret(fields)
    assert [type(event) for event in events] == [DecodeFailed]


def test_an_exception_of_the_owner_is_reported_and_does_not_stop_the_next_message() -> None:
    events: list[SessionEvent] = []

    def fragile(event: SessionEvent) -> None:
        events.append(event)
        if len(events) == 1:
            raise RuntimeError("the owner stumbled")

    callbacks = Callbacks(fragile, PendingRequests(), Streams(), QuoteAggregator(lambda: 0))
    reading = CheckedDecoder(callbacks, callbacks.decode_failed, KNOWN_ZONES)
    reading.serverVersion = 178
    status = ["3", "7", "Filled", "100", "0", "512.31", "900", "0", "512.31", "1", "", "0"]
    reading.interpret(list(status))
    reading.interpret(list(status))
    assert [type(event).__name__ for event in events] == ["OrderStatusReported", "DecodeFailed", "OrderStatusReported"]
    assert "the owner stumbled" in events[1].message.text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("place", "value"),
    [(3, "-1"), (3, "1700000001"), (4, "nan"), (5, "-inf"), (5, "0"), (6, "1e400"), (7, "1e12"), (8, "inf")],
)
def test_a_bar_that_is_none_goes_no_further(place: int, value: str) -> None:
    events: list[SessionEvent] = []
    streams = Streams()
    streams.add(7, Stream(StreamKind.BARS, "SPY"))
    callbacks = Callbacks(events.append, PendingRequests(), streams, QuoteAggregator(lambda: 0))
    reading = CheckedDecoder(callbacks, callbacks.decode_failed, KNOWN_ZONES)
    reading.serverVersion = 178
    bar = ["50", "3", "7", "1700000000", "500", "501", "499", "500.5", "1000", "500.2", "12"]
    reading.interpret(list(bar))
    reading.interpret([*bar[:place], value, *bar[place + 1 :]])
    assert [type(event) for event in events] == [BarReported, DecodeFailed]


@pytest.mark.parametrize("value", ["nan", "inf", "1e400", "-1e300"])
def test_a_bar_of_history_without_prices_is_told_and_does_not_join_the_answer(value: str) -> None:
    events: list[SessionEvent] = []
    reading = decoder(events)
    reading.interpret(["17", "9", "", "", "1", "1700000000", "500", value, "499", "500.5", "1000", "500.2", "12"])
    assert [type(event) for event in events] == [DecodeFailed]
