"""Exact numbers: what a float means, and multiples of a step."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mats.model.money import exact, floor_to, round_to

D = Decimal
VALUES = st.decimals("-1000000", "1000000", places=6)
STEPS = st.sampled_from([D("0.00001"), D("0.01"), D("0.05"), D("0.25"), D(1), D(100)])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, "0.1"),
        (1e-9, "1E-9"),
        (3, "3"),
        ("0.10", "0.10"),
        (D("1.50"), "1.50"),
        (np.float64(167.65), "167.65"),
        (np.int64(7), "7"),
    ],
)
def test_a_number_is_taken_as_it_reads(value, expected):
    assert str(exact(value)) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_comes_back_the_same(value):
    assert float(exact(value)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "NaN", "-Infinity", D("sNaN"), np.float64("nan")])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="is not a finite number"):
        exact(value)


@pytest.mark.parametrize("text", ["", "ten", "1,5"])
def test_text_that_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="is not a number"):
        exact(text)


@pytest.mark.parametrize("value", [None, [1], 1j])
def test_what_is_no_number_at_all_is_refused(value):
    with pytest.raises(TypeError):
        exact(value)


@given(VALUES, STEPS)
def test_the_floor_is_a_multiple_towards_zero_less_than_a_step_away(value, step):
    floor = floor_to(value, step)
    assert floor % step == 0
    assert abs(floor) <= abs(value) < abs(floor) + step
    assert floor * value >= 0


@given(VALUES, STEPS)
def test_the_nearest_multiple_is_at_most_half_a_step_away(value, step):
    nearest = round_to(value, step)
    assert nearest % step == 0
    assert abs(nearest - value) <= step / 2


def test_halves_go_to_the_even_multiple():
    assert [round_to(D(text), D("0.1")) for text in ("0.25", "0.35", "-0.25")] == [D("0.2"), D("0.4"), D("-0.2")]
