"""Axes are read as they are written, and every combination is made once."""

import pytest

from mats.errors import StrategyError
from mats.sweep.grid import Axis, combinations, parse_axes, size


def values(text: str) -> tuple[object, ...]:
    return parse_axes([text])[0].values


def test_a_range_holds_its_last_value() -> None:
    assert values("fast=5:50:5") == (5, 10, 15, 20, 25, 30, 35, 40, 45, 50)
    assert values("fast=1:3") == (1, 2, 3)
    assert values("fast=5:12:5") == (5, 10)
    assert all(isinstance(value, int) for value in values("fast=5:50:5"))


def test_a_range_of_fractions_is_exact() -> None:
    assert values("x=0.1:0.5:0.1") == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert values("x=0:1:0.25") == (0.0, 0.25, 0.5, 0.75, 1.0)


def test_lists_hold_numbers_words_and_truths_once_each() -> None:
    assert values("n=5,10,5") == (5, 10)
    assert values("kind=up,down") == ("up", "down")
    assert values("long=true,false") == (True, False)
    assert values("n=0.5") == (0.5,)


def test_combinations_are_the_product_with_the_last_axis_fastest() -> None:
    axes = parse_axes(["a=1,2", "b=1:3"])
    made = combinations(axes)
    assert [(c["a"], c["b"]) for c in made] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert size(axes) == 6
    assert axes[1] == Axis("b", (1, 2, 3), ranged=True)
    assert combinations(()) == [{}]


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        (["fast"], "'fast' cannot be read"),
        (["=5"], "'=5' cannot be read"),
        (["a=1:2:x"], "write first:last:step"),
        (["a=1:2:3:4"], "write first:last:step"),
        (["a=5:1"], "is empty"),
        (["a=1:5:0"], "is empty"),
        (["a=1:5:-1"], "is empty"),
        (["a=1", "a=2"], "'a' is given twice"),
        (["a=1:1000000000"], "wider steps"),
        (["a=1:2000", "b=1:2000"], "4,000,000 combinations are too many"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(texts: list[str], fault: str) -> None:
    with pytest.raises(StrategyError, match=fault.replace("(", r"\(")) as caught:
        parse_axes(texts)
    assert "\n" not in str(caught.value)
