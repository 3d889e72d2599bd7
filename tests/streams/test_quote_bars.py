"""Bars that are made of quotes."""

from hypothesis import given
from hypothesis import strategies as st

from mats.model.market_data import Quote
from mats.model.timestamp import SECOND
from mats.streams import QuoteBars

START = 1_700_000_000 * SECOND


def quote(second: float, price: float, last: float = 0.0, instrument: str = "SPY") -> Quote:
    return Quote(instrument, START + int(second * SECOND), price - 1, price + 1, 1.0, 1.0, last)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 50)), max_size=60))
def test_each_quote_is_in_the_bar_of_its_five_seconds_and_each_bar_comes_once(
    given_quotes: list[tuple[int, int]],
) -> None:
    quotes = sorted(given_quotes, key=lambda item: item[0])
    made, found = QuoteBars(), []
    made.begin("SPY")
    for second, price in quotes:
        made.add(quote(second, float(price + 1)))
        found += made.over(START + second * SECOND)
    found += made.over(START + 400 * SECOND)
    assert made.over(START + 500 * SECOND) == []
    grouped: dict[int, list[float]] = {}
    for second, price in quotes:
        grouped.setdefault(second // 5 * 5, []).append(float(price + 1))
    assert [(bar.start - START) // SECOND for bar in found] == list(grouped)
    for bar, prices in zip(found, grouped.values(), strict=True):
        assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
        assert (bar.seconds, bar.volume) == (5, 0.0)


def test_the_last_trade_is_the_price_where_it_is_known() -> None:
    made = QuoteBars()
    made.begin("SPY")
    made.add(quote(0, 10.0, last=10.5))
    (bar,) = made.over(START + 5 * SECOND)
    assert bar.close == 10.5


def test_of_what_was_not_begun_or_has_ended_and_without_a_price_nothing_is_made() -> None:
    made = QuoteBars()
    made.begin("SPY")
    made.add(quote(0, 10.0, instrument="QQQ"))
    made.add(Quote("SPY", START, 0.0, 0.0, 0.0, 0.0))
    assert made.over(START + 10 * SECOND) == []
    made.add(quote(10, 10.0))
    made.end("SPY")
    assert made.over(START + 20 * SECOND) == []
    assert "SPY" not in made
