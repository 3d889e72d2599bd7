"""A report is one page that needs nothing else, says what was run, and draws what Plotly takes."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import plotly.graph_objects as go
import pytest

from mats.model.bar_columns import BarColumns
from mats.report import png as report_png
from mats.report.chart_data import markers
from mats.report.charts import prices
from mats.report.html_page import html
from mats.report.pages import Reported, extremes, page
from tests.backtest.handmade import START, result, trade, walk

MADE = START + 10**18
METRICS = {"total_return": -0.034, "sharpe": 0.83, "hit_rate": None, "trades": 1234.0}


def reported(name: str = "trend_20261121_first", **more: object) -> Reported:
    run = result()
    fields: dict[str, object] = {
        "name": name, "run": run, "total": METRICS, "by_strategy": dict.fromkeys(run.by_strategy, METRICS),
        "prices": {"SPY": walk(1_000), "QQQ": walk(1_000, 2, instrument="QQQ")},
        "benchmarks": {"SPY held": (run.total.time, run.total.equity * 1.01)}, "facts": (("Code version", "0.1.0"),),
    }  # fmt: skip
    return Reported(**(fields | more))  # type: ignore[arg-type]


class Reader(HTMLParser):
    """Collects what a browser would load, and what stands for each chart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.charts: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.loads += [of[name] for name in ("src", "href") if name in of]
        if "data-figure" in of:
            self.charts[of["data-figure"]] = of.get("aria-label", "")


def body(text: str) -> str:
    return text[: text.index('<script type="application/json"')]


def figures(text: str) -> dict[str, dict[str, object]]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return msgspec.json.decode(found[1], type=dict[str, dict[str, object]])


def test_a_page_loads_nothing_and_every_chart_has_a_figure_and_words() -> None:
    text = html([reported()], MADE)
    reader = Reader(text)
    assert reader.loads == []
    assert "@import" not in body(text) and "url(" not in body(text)
    assert set(reader.charts) == set(figures(text))
    assert len(reader.charts) == 8
    assert all(len(words) > 20 for words in reader.charts.values())


def test_every_figure_is_one_that_plotly_takes() -> None:
    colour = re.compile(r'"\$[a-z]+\d?"')
    for name, figure in figures(html([reported(), reported("other")], MADE)).items():
        drawn = go.Figure(msgspec.json.decode(colour.sub('"#123456"', msgspec.json.encode(figure).decode())))
        assert len(drawn.data) > 0, name


def test_a_page_says_what_was_run_and_what_came_of_it() -> None:
    text = body(html([reported()], MADE))
    told = ("trend_20261121_first", "Code version", "965,950", "−3.40%", "1,234",
            "fast 5", "fees ib-fixed", "2020-01-01")  # fmt: skip
    for word in told:
        assert word in text, word
    assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", text.lower())


def test_several_results_are_compared_and_each_has_its_page() -> None:
    text = html([reported("one"), reported("two", total={"sharpe": 2.0})], MADE)
    assert text.count("<article>") == 2
    assert "comparison" in figures(text)
    assert len(figures(text)) == 17


def test_names_are_text_and_never_markup() -> None:
    text = html([reported("<script>alert(1)</script>", facts=(("Note", "</script><b>"),))], MADE)
    assert "<script>alert" not in text
    assert "</script><b>" not in text


def test_a_failed_run_says_so() -> None:
    failed = result(state="failed", failure="strategy trend raised ValueError at 2020-03-01")
    text = body(html([reported(run=failed)], MADE))
    assert "This run failed" in text
    assert "ValueError at 2020-03-01" in text
    assert "This run failed" not in body(html([reported()], MADE))


def test_half_a_million_bars_and_seventeen_thousand_trades_stay_below_ten_megabytes() -> None:
    bars = walk(500_000, span=60)
    bars = BarColumns("SPY", 60, bars.start, *(np.full(500_000, 100.0) for _ in range(5)))
    trades = tuple(trade(at, bars, "trend") for at in range(0, 499_900, 29))
    run = result(trades=trades)
    text = html([reported(run=run, prices={f"S{at}": bars for at in range(10)})], MADE)
    assert len(text) < 10_000_000
    chart = prices(bars, markers(trades), "SPY", 0, 1_500)
    assert "1,500 of 17,238 trades" in chart.alt


def test_the_extremes_hold_no_trade_twice() -> None:
    trades = result().trades
    listed = extremes(trades)
    nets = [trade.gross for trade in listed]
    assert len({trade.id for trade in listed}) == 10
    assert nets == sorted(nets, reverse=True)
    assert len(extremes(trades[:7])) == 7


def test_instruments_with_most_trades_come_first() -> None:
    run = result(400, ("a",))
    made = page(reported(run=run, prices={"AAA": walk(400), "SPY": walk(400)}), 0)
    assert [one.instrument for one in made.prices] == ["SPY", "AAA"]


def test_pictures_are_written_for_every_chart(tmp_path: Path) -> None:
    files = report_png.write(reported(), tmp_path / "png")
    assert sorted(path.name.removeprefix("trend_20261121_first-") for path in files) == [
        "costs.png", "equity.png", "exposure.png", "months.png", "price-QQQ.png", "price-SPY.png", "returns.png",
        "trades.png",
    ]  # fmt: skip
    assert all(path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5_000 for path in files)


@pytest.mark.parametrize("name", ["report.css", "report.js", "page.html.j2", "report.html.j2"])
def test_templates_travel_with_the_package(name: str) -> None:
    import mats.report

    assert (Path(mats.report.__file__).parent / "templates" / name).is_file()
