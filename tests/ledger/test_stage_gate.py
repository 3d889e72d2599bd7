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


def test_only_the_first_stage_gets_an_unacknowledged_entry() -> None:
    assert opened().pop_spans(3) == [Span("orders", 1, 3)]


def test_a_stage_gets_an_entry_when_the_one_above_has_acknowledged_it() -> None:
    gate = opened()
    gate.pop_spans(3)
    gate.acknowledge("orders", 2)
    assert gate.pop_spans(3) == [Span("risk", 1, 2)]


def test_a_stage_that_is_down_stops_those_below_it() -> None:
    gate = opened()
    gate.down("risk")
    gate.pop_spans(2)
    gate.acknowledge("orders", 2)
    assert gate.pop_spans(2) == []
    gate.report_cursor("risk", 1)
    assert gate.pop_spans(2) == [Span("risk", 2, 2), Span("portfolio", 1, 1)]


def test_an_entry_is_sent_again_to_a_stage_that_says_hello_again() -> None:
    gate = opened()
    assert gate.pop_spans(2) == [Span("orders", 1, 2)]
    gate.report_cursor("orders", 0)
    assert gate.pop_spans(2) == [Span("orders", 1, 2)]


def test_no_more_than_the_window_is_unacknowledged() -> None:
    gate = opened(window=2)
    assert gate.pop_spans(5) == [Span("orders", 1, 2)]
    assert gate.pop_spans(5) == []
    gate.acknowledge("orders", 1)
    assert gate.pop_spans(5) == [Span("orders", 3, 3), Span("risk", 1, 1)]


def test_an_acknowledgement_of_something_never_sent_is_ignored() -> None:
    gate = opened()
    gate.pop_spans(1)
    gate.acknowledge("orders", 9)
    assert gate.cursors()["orders"] == 0


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(STAGES), st.sampled_from(("ack", "hello", "down", "append"))), max_size=80))
def test_no_stage_ever_overtakes_the_one_above(steps: list[tuple[str, str]]) -> None:
    gate, last, applied = opened(window=3), 0, dict.fromkeys(STAGES, 0)
    for stage, step in steps:
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
            assert span.first <= applied[span.stage] + 1, "an entry was left out"
            applied[span.stage] = max(applied[span.stage], span.last)
            above = STAGES[max(STAGES.index(span.stage) - 1, 0)]
            assert applied[span.stage] <= applied[above] or span.stage == STAGES[0]
