"""The charts of a report as PNG files, drawn by matplotlib without a display."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from mats.backtest.engine import BacktestRun
from mats.backtest.result.metrics import net
from mats.ledger.books import Trade
from mats.model.bar_columns import BarColumns, Floats
from mats.report import chart_data
from mats.report.pages import Reported
from mats.store.tables import library_part

INK, SOFT, GRID = "#17212b", "#586573", "#e3e7eb"
ACCENT, GAIN, LOSS, QUIET = "#1c5d99", "#2a7d5f", "#b3403a", "#8592a0"
DPI = 144
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec Year".split()


def write(result: Reported, folder: Path) -> list[Path]:
    """Draw the result's charts into `folder`, made when absent; the files, named `{result}-{chart}.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in _figures(result):
        path = folder / f"{library_part(result.name)}-{name}.png"
        figure.savefig(path, dpi=DPI)
        written.append(path)
    return written


def _figures(result: Reported) -> Iterator[tuple[str, Figure]]:
    run = result.run
    yield "equity", _equity(result)
    yield "months", _months(run)
    days = chart_data.daily_returns(run.total, float(run.spec.capital))
    if len(days[days != 0]) > 1:
        yield "returns", _histogram(chart_data.bins(days[days != 0]), "Daily return", PercentFormatter(1))
    if run.trades:
        nets = chart_data.bins([net(trade) for trade in run.trades])
        yield "trades", _histogram(nets, f"Result of a trade, {run.spec.currency}", _thousands())
    yield "costs", _costs(run)
    yield "exposure", _exposure(run)
    for name in sorted(result.prices):
        own = [trade for trade in run.trades if trade.instrument == name]
        yield f"price-{library_part(name)}", _price(result.prices[name], own)


def _equity(result: Reported) -> Figure:
    run = result.run
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    line = chart_data.thin(run.total.time, run.total.equity)
    upper.plot(_dates(line.time), line.value, color=ACCENT, linewidth=1.4, label="Equity")
    for name, series in result.benchmarks.items():
        other = chart_data.thin(*series)
        upper.plot(_dates(other.time), other.value, color=QUIET, linewidth=1, linestyle=":", label=name)
    below = chart_data.thin(run.total.time, chart_data.drawdown(run.total.equity))
    lower.fill_between(_dates(below.time), below.value, color=LOSS, alpha=0.2, linewidth=0)
    lower.plot(_dates(below.time), below.value, color=LOSS, linewidth=0.8)
    style_axes(upper, result.name, f"Equity, {run.spec.currency}")
    style_axes(lower, "", "Drawdown")
    upper.yaxis.set_major_formatter(_thousands())
    lower.yaxis.set_major_formatter(PercentFormatter(1))
    upper.legend(frameon=False, loc="upper left")
    _date_axis(lower)
    return figure


def _months(run: BacktestRun) -> Figure:
    rows = chart_data.monthly_returns(run.total, float(run.spec.capital))
    cells = np.array(
        [[np.nan if m is None else m for m in (*row.months, row.total)] for row in rows] or [[np.nan] * 13]
    )
    figure = Figure(figsize=(10, 1.2 + 0.42 * len(cells)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(cells, cmap="RdYlGn", vmin=-0.1, vmax=0.1, aspect="auto", alpha=0.55)
    axes.set_xticks(range(len(MONTHS)), MONTHS)
    axes.set_yticks(range(len(rows)), [str(row.year) for row in rows])
    for (y, x), share in np.ndenumerate(cells):
        if np.isfinite(share):
            axes.text(x, y, f"{share:.1%}", ha="center", va="center", fontsize=9, color=INK)
    style_axes(axes, "Monthly returns", "")
    axes.grid(visible=False)
    return figure


def _histogram(found: chart_data.Bins | None, label: str, form: FuncFormatter | PercentFormatter) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    if found is not None:
        middle, width = (found.edge[:-1] + found.edge[1:]) / 2, found.edge[1] - found.edge[0]
        axes.bar(middle, found.count, width * 0.94, color=[LOSS if at < 0 else GAIN for at in middle])
        axes.axvline(found.mean, color=INK, linewidth=1, linestyle=":")
    axes.xaxis.set_major_formatter(form)
    axes.set_xlabel(label, color=SOFT)
    style_axes(axes, "", "Count")
    return figure


def _costs(run: BacktestRun) -> Figure:
    """From the result before costs to the net result, each step on top of the previous ones."""
    steps = chart_data.steps(chart_data.costs(run))
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    level = 0.0
    for at, value in enumerate(steps.values()):
        axes.bar(at, value, bottom=level, color=GAIN if value > 0 else LOSS)
        axes.annotate(f"{value:+,.0f}", (at, level + max(value, 0)), ha="center", va="bottom", fontsize=9, color=INK)
        level += value
    axes.bar(len(steps), level, color=ACCENT)
    axes.annotate(f"{level:+,.0f}", (len(steps), max(level, 0)), ha="center", va="bottom", fontsize=9, color=INK)
    axes.set_xticks(range(len(steps) + 1), [*steps, "Result"])
    axes.yaxis.set_major_formatter(_thousands())
    style_axes(axes, "Where the result comes from", run.spec.currency)
    return figure


def _exposure(run: BacktestRun) -> Figure:
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    axes = figure.subplots()
    gross, net = (chart_data.thin(run.total.time, value) for value in chart_data.exposure(run.total))
    axes.fill_between(_dates(gross.time), gross.value, color=QUIET, alpha=0.3, linewidth=0, label="Gross")
    axes.plot(_dates(net.time), net.value, color=ACCENT, linewidth=1, label="Net")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.legend(frameon=False, loc="upper left")
    style_axes(axes, "Exposure", "Share of equity")
    _date_axis(axes)
    return figure


def _price(bars: BarColumns, trades: list[Trade]) -> Figure:
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots()
    line = chart_data.thin(bars.end, bars.close)
    axes.plot(_dates(line.time), line.value, color=QUIET, linewidth=0.9)
    marked = chart_data.markers(trades)
    for chosen, color in ((marked.net > 0, GAIN), (marked.net <= 0, LOSS)):
        times = np.vstack((_dates(marked.entry_time[chosen]), _dates(marked.exit_time[chosen])))
        axes.plot(times, np.vstack((marked.entry_price[chosen], marked.exit_price[chosen])), color=color, linewidth=1.2)
    for chosen, symbol in ((marked.long, "^"), (~marked.long, "v")):
        times, level = _dates(marked.entry_time[chosen]), marked.entry_price[chosen]
        axes.plot(times, level, symbol, color=ACCENT, markersize=5, markeredgecolor="white", markeredgewidth=0.5)
    style_axes(axes, f"{bars.instrument}, {len(marked.net):,} of {marked.of:,} trades", "Price")
    _date_axis(axes)
    return figure


def style_axes(axes: Axes, title: str, label: str) -> None:
    axes.set_title(title, loc="left", color=INK, fontweight="bold")
    axes.set_ylabel(label, color=SOFT)
    axes.tick_params(colors=SOFT, length=0)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)


def _date_axis(axes: Axes) -> None:
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _thousands() -> FuncFormatter:
    return FuncFormatter(lambda number, _place: f"{number:,.0f}")


def _dates(milliseconds: Floats) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return milliseconds.astype("datetime64[ms]")
