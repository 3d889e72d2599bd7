"""Numbers are written so that they can be read."""

import pytest

from mats.backtest.result import formatting as fmt


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (fmt.amount(1_234_567.8), "1,234,568"),
        (fmt.amount(-12.345), "−12.35"),
        (fmt.percent(-0.1234), "−12.34%"),
        (fmt.percent(-0.00001), "0.00%"),
        (fmt.ratio(-0.001), "0.00"),
        (fmt.days(1_234.6), "1,235 days"),
        (fmt.days(4.25), "4.2 days"),
        (fmt.days(0.5), "12.0 hours"),
        (fmt.days(2 / 1440), "2.0 minutes"),
        (fmt.days(0), "0.0 days"),
        (fmt.whole(17_357), "17,357"),
        (fmt.minute(1_577_836_800 * 10**9), "2020-01-01 00:00"),
    ],
)
def test_thousands_are_apart_a_minus_is_one_and_zero_has_none(written: str, expected: str) -> None:
    assert written == expected


def test_what_is_not_defined_is_a_dash_and_has_no_colour() -> None:
    assert fmt.value(None, fmt.ratio) == fmt.Value(fmt.UNDEFINED, 0)
    assert fmt.value(-2.0, fmt.ratio).sign == -1
    assert fmt.month(None) == fmt.Value("")


def test_a_month_is_shaded_by_its_size_up_to_a_limit() -> None:
    assert fmt.month(0.05).shade != fmt.month(0.1).shade == fmt.month(0.5).shade
    assert "loss" in fmt.month(-0.05).shade and "gain" in fmt.month(0.05).shade
    assert fmt.month(0.0).shade == ""
