"""A strategy in a process of its own harms nobody, whatever it does: proved on the daemon and the gateway as processes.

Beside it two good ones keep at least 0.8 of the fills that they had alone, for as many bars of the gateway; the
operator is answered, and halts it while it is at it; at the end the books equal the broker's. How many seconds that
takes is measured by `tests/benchmarks/bench_isolation.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.system.bad_strategies import ENDS, GOOD, House, bad, hanging_at_import
from tests.system.harness import killed_at_end, until

BARS = 24
KEPT = 0.8
"""Of the fills of a good strategy when it is alone."""


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    names: tuple[str, ...] = request.param
    house = House(tmp_path, {name: bad(name, tmp_path) for name in names})
    with killed_at_end(house.daemon, house.gateway):
        yield house


def prove_fills_are_kept(house: House) -> None:
    """Alone first, then beside those that are let loose. They are at it when this returns, or have ended."""
    house.trade_on(1)
    alone = house.rates_over(BARS)
    house.loose()
    house.until_begun(house.bad)
    beside = house.rates_over(BARS)
    kept = {good: beside[good] / alone[good] for good in GOOD}
    assert min(kept.values()) >= KEPT, (alone, beside)


def prove_halts_in_the_deed(house: House, name: str) -> None:
    """The operator is answered while it is at it, and the halt is in force: what is on its way goes out, no more."""
    house.until_at_it(name)
    status = house.status()
    assert status.strategies is not None, "a part of the daemon did not answer"
    house.halt(name)
    halts = house.status().halts
    assert halts is not None
    assert name in halts
    house.until_at_it(name)
    house.trade_on(2)
    approved = house.intents(name)
    house.until_at_it(name)
    house.trade_on(2)
    assert house.intents(name) == approved


@pytest.mark.parametrize("house", [tuple(ENDS)], indirect=True)
def test_those_that_end_their_process_are_parked_with_the_reason_and_the_good_ones_trade_on(house: House) -> None:
    prove_fills_are_kept(house)
    until(lambda: house.parked().keys() == ENDS.keys(), PATIENCE, "all of them parked")
    for name, text in ENDS.items():
        assert text in house.parked()[name]
    house.trade_on(3)
    house.end()


@pytest.mark.parametrize("house", [("burns", "loops", "blocks")], indirect=True)
def test_those_that_hold_the_interpreter_or_wait_for_ever_delay_nobody(house: House) -> None:
    prove_fills_are_kept(house)
    assert not house.parked()
    until(lambda: house.bad <= house.slow(), PATIENCE, "they are said to be slow")
    for name in house.bad:
        prove_halts_in_the_deed(house, name)
    house.end()


@pytest.mark.parametrize("house", [("prints", "floods")], indirect=True)
def test_those_that_print_and_flood_are_told_in_a_few_lines_and_the_good_ones_trade_on(house: House) -> None:
    prove_fills_are_kept(house)
    log = house.daemon.data / "logs" / "mats.log"
    until(lambda: "requests refused" in log.read_text(), PATIENCE, "the word about the flood")
    for name in house.bad:
        prove_halts_in_the_deed(house, name)
    house.end()
    assert log.read_text().count('"event": "printed"') <= 80


def test_one_that_hangs_at_import_is_a_fault_and_the_good_ones_do_not_wait_for_it(tmp_path: Path) -> None:
    house = House(tmp_path, {"hangs": hanging_at_import(tmp_path)})
    with killed_at_end(house.daemon, house.gateway):
        house.trade_on(1)
        house.halt("hangs")
        log = house.daemon.data / "logs" / "mats.log"
        assert "was not loaded within" not in log.read_text(), "the good ones trade, and it is halted, before that"
        until(lambda: "strategy hangs was not loaded within" in log.read_text(), PATIENCE, "the word about it")
        house.trade_on(2)
        house.end()
