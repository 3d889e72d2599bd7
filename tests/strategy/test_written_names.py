"""The names that a strategy writes stay its names, whatever the instruments are called."""

from mats.model import Bar, Signal
from mats.strategy.hosting import WrittenNames


def a_bar(instrument):
    return Bar(instrument, 0, 5, 1.0, 1.0, 1.0, 1.0, 1.0)


def test_names_are_translated_both_ways_and_the_rest_is_left_as_it_is():
    names = WrittenNames()
    assert names.learn("ES:front", "ES:20261218") == ""
    assert names.inward(a_bar("ES:20261218")) == a_bar("ES:front")
    other = a_bar("SPY")
    assert names.inward(other) is other
    signal = Signal(intent_id="i", strategy="s", instrument="ES:front", strength=1.0, time=0)
    assert names.outward(signal).instrument == "ES:20261218"
    assert names.outward("anything") == "anything"


def test_a_rule_keeps_its_contract_and_two_names_of_one_instrument_are_refused():
    names = WrittenNames()
    assert names.learn("ES:front", "ES:20261218") == ""
    assert names.learn("ES:front", "ES:20270319") == ""
    assert names.meant("ES:front") == "ES:20261218"
    assert names.learn("ES:202612", "ES:20261218") == (
        "ES:front and ES:202612 are one instrument, ES:20261218; name it once"
    )
