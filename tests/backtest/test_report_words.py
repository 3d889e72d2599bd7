"""Numbers are written so that they can be read."""

import pytest

from mats.backtest.result import formatting as words


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (words.amount(1_234_567.8), "1,234,568"),
        (words.amount(-12.345), "−12.35"),
        (words.percent(-0.1234), "−12.34%"),
        (words.percent(-0.00001), "0.00%"),
        (words.ratio(-0.001), "0.00"),
        (words.days(1_234.6), "1,235 days"),
        (words.days(4.25), "4.2 days"),
        (words.days(0.5), "12.0 hours"),
        (words.days(2 / 1440), "2.0 minutes"),
        (words.days(0), "0.0 days"),
        (words.whole(17_357), "17,357"),
        (words.minute(1_577_836_800 * 10**9), "2020-01-01 00:00"),
    ],
)
def test_thousands_are_apart_a_minus_is_one_and_zero_has_none(written: str, expected: str) -> None:
    assert written == expected


def test_what_is_not_defined_is_a_dash_and_has_no_colour() -> None:
    assert words.value(None, words.ratio) == words.Value(words.NOTHING, 0)
    assert words.value(-2.0, words.ratio).sign == -1
    assert words.month(None) == words.Value("")


def test_a_month_is_shaded_by_its_size_up_to_a_limit() -> None:
    assert words.month(0.05).shade != words.month(0.1).shade == words.month(0.5).shade
    assert "loss" in words.month(-0.05).shade and "gain" in words.month(0.05).shade
    assert words.month(0.0).shade == ""
