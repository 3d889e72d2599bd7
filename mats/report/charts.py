"""The charts of a report as Plotly figures: plain dictionaries, whose colors are names of the page's palette.

`$ink`, `$accent` and the like are replaced in the browser: one figure serves the light page, the dark one and print.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from mats.backtest.engine import BacktestRun, Curve
from mats.backtest.result.metrics import net, starting_equity
from mats.model import Currency, InstrumentId
from mats.model.bar_columns import BarColumns
from mats.report import chart_data

Figure = dict[str, Any]
"""Plotly's own form: `data` is a list of traces, `layout` the axes."""

SERIES = ("$series0", "$series1", "$series2", "$series3", "$series4", "$series5", "$series6", "$series7")


FEW_MARKS = 200
"""More marks than this are drawn smaller."""


class Chart(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A figure, and its text alternative."""

    id: str
    alt: str
    figure: Figure
    height: int = 340


def array(values: npt.NDArray[Any]) -> dict[str, str]:
    """An array as Plotly reads it without parsing digits."""
    kind = {"f": "f8", "i": "i4", "b": "u1"}[values.dtype.kind]
    return {"dtype": kind, "bdata": base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()}


def equity(run: BacktestRun, benchmark: Mapping[str, chart_data.Series]) -> Chart:
    """Equity and the benchmarks above, the drawdown below."""
    currency, total = run.spec.currency, run.total
    thinned = chart_data.thin(total.time, total.equity)
    below = chart_data.thin(total.time, chart_data.drawdown(total.equity))
    money = f"%{{y:,.0f}} {currency}"
    traces = [line(thinned, "Equity", "$accent", money, width=1.8)]
    traces += [line(other, name, "$quiet", money, width=1.2, dash="dot") for name, other in benchmark.items()]
    traces.append(
        {
            **line(below, "Drawdown", "$loss", "%{y:.2%}", width=1),
            "yaxis": "y2",
            "fill": "tozeroy",
            "fillcolor": "$lossfill",
            "showlegend": False,
        }
    )
    layout: Figure = {
        "hovermode": "x unified",
        "xaxis": {"type": "date", "anchor": "y2"},
        "yaxis": {"domain": [0.34, 1], "title": {"text": f"Equity, {currency}"}, "tickformat": ",.4~s"},
        "yaxis2": {"domain": [0, 0.26], "title": {"text": "Drawdown"}, "tickformat": ".0%"},
    }
    worst = float(below.value.min()) if len(below.value) else 0.0
    first, last = float(run.spec.capital), run.final_equity
    alt = f"Equity from {first:,.0f} to {last:,.0f} {currency}, at worst {-worst:.1%} below its highest."
    return Chart(id="equity", alt=alt, figure={"data": traces, "layout": layout}, height=480)


def strategies(run: BacktestRun) -> Chart:
    """What each strategy added, over time."""
    traces = []
    for color, (name, curve) in zip(_colors(len(run.by_strategy)), run.by_strategy.items(), strict=True):
        result = curve.equity - starting_equity(run, name)
        traces.append(line(chart_data.thin(curve.time, result), name, color, f"%{{y:+,.0f}} {run.spec.currency}"))
    layout: Figure = {
        "hovermode": "x unified",
        "xaxis": {"type": "date"},
        "yaxis": {"title": {"text": f"Result, {run.spec.currency}"}, "tickformat": ",.4~s", "zeroline": True},
    }
    summary = ", ".join(f"{name} {value:+,.0f}" for name, value in chart_data.results(run).items())
    return Chart(
        id="strategies",
        alt=f"Result of each strategy over time, at the end: {summary}.",
        figure={"data": traces, "layout": layout},
    )


def returns(run: BacktestRun) -> Chart | None:
    """How often which daily return occurred; days without any are left out. None where fewer than two are left."""
    days = chart_data.daily_returns(run.total, float(run.spec.capital))
    moved = days[days != 0]
    if len(moved) < 2 or (found := chart_data.bins(moved)) is None:
        return None
    unchanged = len(days) - len(moved)
    alt = f"Distribution of {len(moved):,} daily returns, {found.mean:+.3%} on average."
    text = f"{alt} Equity did not change on {unchanged:,} more days." if unchanged else alt
    return Chart(id="returns", alt=text, figure=histogram(found, "Daily return", ".1%", "days"))


def trade_results(run: BacktestRun) -> Chart | None:
    """How often which result of a trade occurred; None where there was no trade."""
    nets = [net(trade) for trade in run.trades]
    if (found := chart_data.bins(nets)) is None:
        return None
    alt = f"Distribution of the results of {len(nets):,} trades, {found.mean:+,.2f} {run.spec.currency} on average."
    title = f"Result of a trade after commissions, {run.spec.currency}"
    return Chart(id="trades", alt=alt, figure=histogram(found, title, ",.4~s", "trades"))


def costs(rows: Sequence[chart_data.CostRow], currency: Currency) -> Chart:
    """From the result before costs to the net result."""
    steps = chart_data.steps(rows)
    total = sum(steps.values())
    bar = {
        "type": "waterfall",
        "x": [*steps, "Result"],
        "y": [*steps.values(), 0],
        "measure": [*("relative" for _ in steps), "total"],
        "text": [f"{value:+,.0f}" for value in (*steps.values(), total)],
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "skip",
        "connector": {"line": {"color": "$grid", "width": 1}},
        "increasing": {"marker": {"color": "$gain"}},
        "decreasing": {"marker": {"color": "$loss"}},
        "totals": {"marker": {"color": "$accent"}},
    }
    layout: Figure = {"yaxis": {"title": {"text": currency}, "tickformat": ",.4~s"}, "xaxis": {"type": "category"}}
    summary = ", ".join(f"{name.lower()} {value:+,.0f}" for name, value in steps.items())
    alt = f"{summary}: a result of {total:+,.0f} {currency}."
    return Chart(id="costs", alt=alt[0].upper() + alt[1:], figure={"data": [bar], "layout": layout})


def exposure(curve: Curve) -> Chart:
    """Gross and net value of what was held, as shares of equity."""
    gross, net = chart_data.exposure(curve)
    traces = [
        {
            **line(chart_data.thin(curve.time, gross), "Gross", "$quiet", "%{y:.0%}", width=1),
            "fill": "tozeroy",
            "fillcolor": "$quietfill",
        },
        line(chart_data.thin(curve.time, net), "Net", "$accent", "%{y:.0%}"),
    ]
    layout: Figure = {
        "hovermode": "x unified",
        "xaxis": {"type": "date"},
        "yaxis": {"title": {"text": "Share of equity"}, "tickformat": ".0%"},
    }
    mean = float(gross.mean()) if len(gross) else 0.0
    return Chart(
        id="exposure",
        alt=f"Exposure: {mean:.0%} of equity on average, gross.",
        figure={"data": traces, "layout": layout},
    )


def prices(
    bars: BarColumns, marked: chart_data.Markers, instrument: InstrumentId, number: int, max_candles: int
) -> Chart:
    """Price as at most `max_candles` candles, with the trades on it; chart `number` of the page."""
    folded = chart_data.candles(bars, max_candles)
    several = f", {folded.bars} bars each" if folded.bars > 1 else ""
    candle = {
        "type": "candlestick",
        "name": f"{instrument}{several}",
        "x": array(folded.time),
        **{name: array(getattr(folded, name)) for name in ("open", "high", "low", "close")},
        "increasing": {"line": {"color": "$quiet", "width": 1}, "fillcolor": "$page"},
        "decreasing": {"line": {"color": "$quiet", "width": 1}, "fillcolor": "$quiet"},
    }
    layout: Figure = {
        "hovermode": "closest",
        "xaxis": {"type": "date", "rangeslider": {"visible": False}},
        "yaxis": {"title": {"text": "Price"}, "tickformat": ",.6~g"},
    }
    alt = f"Price of {instrument} with {len(marked.net):,} of {marked.of:,} trades marked."
    return Chart(id=f"price{number}", alt=alt, figure={"data": [candle, *_marks(marked)], "layout": layout}, height=460)


def comparison(runs: Mapping[str, BacktestRun]) -> Chart:
    """Growth of several results, each from 100."""
    traces = []
    for color, (name, run) in zip(_colors(len(runs)), runs.items(), strict=True):
        grown = run.total.equity / float(run.spec.capital) * 100
        traces.append(line(chart_data.thin(run.total.time, grown), name, color, "%{y:,.2f}"))
    layout: Figure = {
        "hovermode": "x unified",
        "xaxis": {"type": "date"},
        "yaxis": {"title": {"text": "Growth of 100"}, "tickformat": ",.6~g"},
    }
    summary = ", ".join(f"{name} {run.final_equity / float(run.spec.capital) * 100:,.1f}" for name, run in runs.items())
    return Chart(
        id="comparison", alt=f"Growth of 100: {summary}.", figure={"data": traces, "layout": layout}, height=420
    )


def line(
    values: chart_data.Series, name: str, color: str, hover: str, width: float = 1.4, dash: str = "solid"
) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": array(values.time),
        "y": array(values.value),
        "line": {"color": color, "width": width, "dash": dash},
        "hovertemplate": hover,
    }


def histogram(found: chart_data.Bins, title: str, tick: str, counted: str) -> Figure:
    middle = (found.edge[:-1] + found.edge[1:]) / 2
    bar = {
        "type": "bar",
        "x": array(middle),
        "y": array(found.count),
        "width": float(found.edge[1] - found.edge[0]) * 0.94,
        "marker": {"color": ["$loss" if at < 0 else "$gain" for at in middle.tolist()]},
        "hovertemplate": f"%{{x:{tick}}}: %{{y:,}} {counted}<extra></extra>",
    }
    mean = {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": found.mean,
        "x1": found.mean,
        "y0": 0,
        "y1": 1,
        "line": {"color": "$ink", "width": 1, "dash": "dot"},
    }
    label = {
        "x": found.mean,
        "y": 1,
        "xref": "x",
        "yref": "paper",
        "text": "mean",
        "showarrow": False,
        "yanchor": "bottom",
    }
    layout: Figure = {
        "bargap": 0,
        "showlegend": False,
        "shapes": [mean],
        "annotations": [label],
        "xaxis": {"title": {"text": title}, "tickformat": tick},
        "yaxis": {"title": {"text": counted.capitalize()}, "tickformat": ",d"},
    }
    return {"data": [bar], "layout": layout}


def _marks(marked: chart_data.Markers) -> list[Figure]:
    """A line from entry to exit, colored by its result; triangles at entries."""
    traces = []
    for name, color, chosen in (("Won", "$gain", marked.net > 0), ("Lost", "$loss", marked.net <= 0)):
        if chosen.any():
            traces.append(_trade_lines(marked, chosen, name, color))
    for name, symbol, chosen in (
        ("Long entry", "triangle-up", marked.long),
        ("Short entry", "triangle-down", ~marked.long),
    ):
        if chosen.any():
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": name,
                    "x": array(marked.entry_time[chosen]),
                    "y": array(marked.entry_price[chosen]),
                    "marker": {
                        "symbol": symbol,
                        "size": 8 if len(marked.net) < FEW_MARKS else 5,
                        "color": "$accent",
                        "line": {"color": "$page", "width": 1},
                    },
                    "hovertemplate": "%{x|%Y-%m-%d %H:%M}: %{y:,.6~g}",
                }
            )
    return traces


def _trade_lines(marked: chart_data.Markers, chosen: npt.NDArray[np.bool_], name: str, color: str) -> Figure:
    gap = np.full(int(chosen.sum()), np.nan)
    times = np.column_stack((marked.entry_time[chosen], marked.exit_time[chosen], gap)).ravel()
    levels = np.column_stack((marked.entry_price[chosen], marked.exit_price[chosen], gap)).ravel()
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": array(times),
        "y": array(levels),
        "text": [text for value in marked.net[chosen].tolist() for text in ("", f"{value:+,.2f}", "")],
        "line": {"color": color, "width": 1.4},
        "marker": {"size": 4, "color": color},
        "hovertemplate": "%{x|%Y-%m-%d %H:%M}: %{y:,.6~g} %{text}",
    }


def _colors(count: int) -> list[str]:
    return [SERIES[at % len(SERIES)] for at in range(count)]
