"""A report: one self-contained HTML page, with interactive charts."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from mats.backtest.result import minute
from mats.model import Nanos
from mats.report import charts, pages
from mats.report.charts import Chart
from mats.report.pages import Reported

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
TEMPLATES = Path(__file__).parent / "templates"


class Comparison(msgspec.Struct, frozen=True, eq=False):
    """Several results side by side."""

    chart: Chart
    names: tuple[str, ...]
    rows: tuple[Any, ...]


def html(results: Sequence[Reported], made: Nanos) -> str:
    """The page about one or more results; `made` is when, for the last line."""
    shown = [pages.page(result, at) for at, result in enumerate(results)]
    comparison = _comparison(results) if len(results) > 1 else None
    drawn = [chart for page in shown for chart in page.charts()]
    title = " · ".join(result.name for result in results)
    return render(
        "report.html.j2",
        [*drawn, comparison.chart] if comparison else drawn,
        made,
        title="Comparison of backtests" if comparison else title,
        subtitle=title,
        pages=shown,
        comparison=comparison,
        months=MONTHS,
    )


def render(template: str, drawn: Sequence[Chart], made: Nanos, **content: object) -> str:
    """A template of this folder with charts, style and scripts in it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    figures = msgspec.json.encode({chart.id: chart.figure for chart in drawn}).decode().replace("<", "\\u003c")
    return environment.get_template(template).render(
        css=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        js=Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
        plotly=Markup(re.sub(r"</(script)", r"<\\/\1", get_plotlyjs())),
        figures=Markup(figures),
        footer=f"Made by MATS on {minute(made)} UTC. Simulated results do not predict future ones.",
        **content,
    )


def _comparison(results: Sequence[Reported]) -> Comparison:
    table = pages.compare(results)
    return Comparison(charts.comparison({result.name: result.run for result in results}), table.names, table.rows)
