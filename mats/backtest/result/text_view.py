"""A result in a few lines: as text, as a table on the terminal, as HTML for a notebook."""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from rich.table import Table

from mats.backtest.engine import BacktestRun
from mats.backtest.result.formatting import days
from mats.backtest.result.metric_names import Metrics
from mats.model import StrategyName, iso

UNDEFINED = "–"

Write = Callable[[float], str]


def _amount(value: float) -> str:
    return f"{value:,.2f}"


def _percent(value: float) -> str:
    return f"{value:+.2%}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _ratio(value: float) -> str:
    return f"{value:,.2f}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


FIGURES: tuple[tuple[str, str, Write], ...] = (
    ("final_equity", "Final equity", _amount),
    ("total_return", "Return", _percent),
    ("benchmark_return", "Return of the benchmark", _percent),
    ("cagr", "Return a year", _percent),
    ("volatility", "Volatility a year", _share),
    ("sharpe", "Sharpe ratio", _ratio),
    ("sortino", "Sortino ratio", _ratio),
    ("calmar", "Calmar ratio", _ratio),
    ("max_drawdown", "Largest drawdown", _percent),
    ("max_drawdown_days", "Longest drawdown", days),
    ("alpha", "Alpha a year", _percent),
    ("beta", "Beta", _ratio),
    ("exposure", "Time invested", _share),
    ("leverage", "Mean leverage", _ratio),
    ("turnover", "Turnover a year", _ratio),
    ("fills", "Fills", _whole),
    ("trades", "Trades", _whole),
    ("hit_rate", "Trades won", _share),
    ("profit_factor", "Profit factor", _ratio),
    ("average_trade", "Mean trade", _amount),
    ("average_trade_days", "Mean time held", days),
    ("commissions", "Commissions", _amount),
    ("borrow", "Cost of borrowing", _amount),
    ("dividends", "Dividends", _amount),
)
"""The figures that are shown, with their labels and formats."""

LISTED = tuple(
    figure
    for figure in FIGURES
    if figure[0] in ("total_return", "cagr", "sharpe", "max_drawdown", "trades", "hit_rate")
)
"""Those that a list of results shows."""


_HIDDEN_VALUES = {"borrow": (None, 0), "dividends": (None, 0)}
"""Values for which a figure is not shown."""


class Listed(Protocol):
    """What a list shows of a result."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def total(self) -> Metrics: ...


def written(metrics: Metrics, key: str, write: Write) -> str:
    """The figure as text; a dash where it is not defined."""
    value = metrics.figures()[key]
    return UNDEFINED if value is None else write(value)


def period(run: BacktestRun) -> str:
    """From when to when, and how many bars."""
    return f"{iso(run.spec.start)[:16]} to {iso(run.spec.end)[:16]}, {run.bars:,} bars of {run.spec.bar_seconds:,} s"


def result_text(name: str, run: BacktestRun, total: Metrics) -> str:
    """One line."""
    figures = " ".join(f"{label} {written(total, key, write)}," for key, label, write in FIGURES[:2])
    state = "" if run.state == "complete" else f" FAILED: {run.failure}"
    return f"<Result {name}: {figures} {len(run.trades)} trades, {period(run)}{state}>"


def metrics_grid(columns: Mapping[StrategyName, Metrics]) -> Table:
    """The figures side by side; a single strategy is the account, and has no column of its own."""
    shown = dict(columns) if len(columns) > 2 else {"total": columns["total"]}
    grid = Table(box=None, header_style="bold", pad_edge=False, show_header=len(shown) > 1)
    grid.add_column()
    for name in shown:
        grid.add_column(name, justify="right")
    for key, label, write in FIGURES:
        texts = [written(metrics, key, write) for metrics in shown.values()]
        if any(metrics.figures()[key] not in _HIDDEN_VALUES.get(key, (None,)) for metrics in shown.values()):
            grid.add_row(label, *texts)
    return grid


def undefined_line(metrics: Metrics) -> str:
    """Why figures are missing, in one line; empty where none is."""
    named = {key: label for key, label, _ in FIGURES}
    reasons: dict[str, list[str]] = {}
    for key, reason in metrics.undefined.items():
        if key in named:
            reasons.setdefault(reason, []).append(named[key])
    return "; ".join(f"{', '.join(labels)}: {reason}" for reason, labels in reasons.items())


def result_html(name: str, run: BacktestRun, columns: Mapping[StrategyName, Metrics]) -> str:
    """A small table that notebooks show."""
    shown = dict(columns) if len(columns) > 2 else {"total": columns["total"]}
    head = "".join(f"<th style='text-align:right'>{html.escape(column)}</th>" for column in shown)
    rows = "".join(
        f"<tr><td style='text-align:left'>{label}</td>"
        + "".join(f"<td style='text-align:right'>{written(m, key, write)}</td>" for m in shown.values())
        + "</tr>"
        for key, label, write in FIGURES
    )
    failed = f"<p><b>Failed:</b> {html.escape(run.failure)}</p>" if run.state == "failed" else ""
    return (
        f"<h4>{html.escape(name)}</h4><p>{html.escape(period(run))}</p>{failed}"
        f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def result_list(found: Sequence[Listed]) -> Table:
    """Stored results, a line each."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("name", overflow="fold", ratio=1)
    table.add_column("state")
    labels = {key: label for key, label, _ in FIGURES}
    for key, _, _ in LISTED:
        table.add_column(labels[key], justify="right")
    for record in found:
        cells = [written(record.total, key, write) for key, _, write in LISTED]
        table.add_row(record.name, record.state, *cells)
    return table
