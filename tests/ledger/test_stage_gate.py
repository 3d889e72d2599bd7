"""The gate of the fill log: order between the stages, whatever the order of acknowledgements."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mats.ledger.fill_log.stage_gate import Span, StageGate

STAGES = ("orders", "risk", "portfolio", "store")


def opened(window: int = 100) -> StageGate:
    gate = StageGate(STAGES, window)
    for stage in STAGES:
        gate.report_cursor(stage, 0)
    return gate


def test_the_log_sends_to_the_first_stage_and_each_hands_on_to_the_next() -> None:
    gate = opened()
    assert gate.pop_spans(3) == [Span("orders", 1, 3, STAGES[1:])]
    gate.acknowledge("orders", 3)
    assert gate.pop_spans(3) == [], "risk has them from the order manager"


def test_nothing_is_handed_on_to_a_stage_that_is_down_or_past_it() -> None:
    gate = opened()
    gate.down("portfolio")
    assert gate.pop_spans(2) == [Span("orders", 1, 2, ("risk",))]
    gate.acknowledge("orders", 2)
    gate.acknowledge("risk", 2)
    assert gate.pop_spans(2) == []
    gate.report_cursor("portfolio", 1)
    assert gate.pop_spans(2) == [Span("portfolio", 2, 2), Span("store", 1, 1)]


def test_a_stage_that_comes_back_is_fed_by_the_log_until_it_lacks_nothing() -> None:
    gate = opened()
    gate.pop_spans(2)
    gate.acknowledge("orders", 2)
    gate.report_cursor("risk", 0)
    assert gate.pop_spans(3) == [Span("orders", 3, 3), Span("risk", 1, 2, ("portfolio", "store"))]
    for stage in STAGES:
        gate.acknowledge(stage, 2)
    gate.acknowledge("orders", 3)
    assert gate.pop_spans(3) == [Span("risk", 3, 3, ("portfolio", "store"))]
    assert gate.pop_spans(4) == [Span("orders", 4, 4, STAGES[1:])]


def test_what_a_stage_was_to_hand_on_before_it_failed_is_sent_again_to_those_below() -> None:
    gate = opened()
    gate.pop_spans(2)
    gate.report_cursor("orders", 0)
    assert gate.pop_spans(2) == [Span("orders", 1, 2, STAGES[1:])]
    gate.report_cursor("orders", 2)
    assert gate.pop_spans(2) == [Span("risk", 1, 2, ("portfolio", "store"))]


def test_no_more_than_the_window_is_unacknowledged() -> None:
    gate = opened(window=2)
    assert gate.pop_spans(5) == [Span("orders", 1, 2, STAGES[1:])]
    assert gate.pop_spans(5) == []
    gate.acknowledge("orders", 1)
    assert gate.pop_spans(5) == [Span("orders", 3, 3)]
    gate.acknowledge("risk", 1)
    assert gate.pop_spans(5) == []
    gate.acknowledge("orders", 3)
    assert gate.pop_spans(5) == [Span("orders", 4, 5), Span("risk", 3, 3)]


def test_an_acknowledgement_of_something_never_sent_is_ignored() -> None:
    gate = opened()
    gate.pop_spans(1)
    gate.acknowledge("orders", 9)
    assert gate.cursors()["orders"] == 0


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(STAGES), st.sampled_from(("ack", "hello", "down", "append")), st.integers(0, len(STAGES))
        ),
        max_size=80,
    )
)
def test_no_stage_ever_overtakes_the_one_above(steps: list[tuple[str, str, int]]) -> None:
    """`reach` is how far the entries of a step are handed on before somebody fails."""
    gate, last, applied = opened(window=3), 0, dict.fromkeys(STAGES, 0)
    for stage, step, reach in steps:
        match step:
            case "append":
                last += 1
            case "ack":
                gate.acknowledge(stage, applied[stage])
            case "hello":
                gate.report_cursor(stage, applied[stage])
            case _:
                gate.down(stage)
        for span in gate.pop_spans(last):
            assert span.first <= applied[span.stage] + 1 or reach < len(STAGES), "an entry was left out"
            for place in (span.stage, *span.onward)[: reach + 1]:
                if span.first > applied[place] + 1:  # a gap: the stage says how far it is
                    gate.report_cursor(place, applied[place])
                    break
                applied[place] = max(applied[place], span.last)
                above = STAGES[max(STAGES.index(place) - 1, 0)]
                assert applied[place] <= applied[above] or place == STAGES[0]
    for stage in STAGES:
        gate.report_cursor(stage, applied[stage])
    for _ in range(len(STAGES) * (last + 1)):
        for span in gate.pop_spans(last):
            for place in (span.stage, *span.onward):
                applied[place] = max(applied[place], span.last)
                gate.acknowledge(place, applied[place])
    assert applied == dict.fromkeys(STAGES, last), "everybody gets everything"
