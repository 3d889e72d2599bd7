"""The charts of a sweep's report, as Plotly figures in the page's own colors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mats.model.bar_columns import Floats, Instants
from mats.report import chart_data
from mats.report.charts import Chart, histogram, line
from mats.report.sweeps.heatmap import Surface
from mats.sweep import Axis

WRITTEN_CELLS = 150
"""A map of more cells shows its numbers on hover only."""
SCALE = [[0, "$loss"], [0.5, "$raised"], [1, "$gain"]]


def surface(one: Surface, label: str, at: int) -> Chart:
    """A heat map of two parameters, or the line of one."""
    if one.y is None:
        return _single(one, label, at)
    names = [tick_labels(axis) for axis in (one.x, one.y)]
    trace: dict[str, Any] = {
        "type": "heatmap",
        "x": names[0],
        "y": names[1],
        "z": [[None if np.isnan(cell) else cell for cell in row] for row in one.value.tolist()],
        "colorscale": SCALE,
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
        "hovertemplate": f"{one.x.name} %{{x}}, {one.y.name} %{{y}}: %{{z:,.3f}}<extra></extra>",
        "colorbar": {"thickness": 10, "outlinewidth": 0, "title": {"text": label}, "tickfont": {"color": "$soft"}},
    }
    if _has_both_signs(one.value):
        trace["zmid"] = 0
    if one.value.size <= WRITTEN_CELLS:
        trace["texttemplate"] = "%{z:,.2f}"
    layout = {
        "xaxis": {"type": "category", "title": {"text": one.x.name}},
        "yaxis": {"type": "category", "title": {"text": one.y.name}, "showgrid": False},
    }
    height = min(900, max(340, 120 + 26 * len(one.y.values)))
    return Chart(id=f"map{at}", alt=_alt_text(one, label), figure={"data": [trace], "layout": layout}, height=height)


def spread(values: Floats, label: str) -> Chart | None:
    """How often which value occurred; None where there are fewer than two."""
    if len(values) < 2 or (found := chart_data.bins(values)) is None:
        return None
    alt = f"Distribution of {len(values):,} values: {label}, {found.mean:,.3f} on average."
    return Chart(id="spread", alt=alt, figure=histogram(found, label, ",.3~f", "combinations"))


def out_of_sample(curve: tuple[Instants, Floats], currency: str, turns: Sequence[int]) -> Chart:
    """The stitched curve, with a mark at the start of each window."""
    time, equity = curve
    marks = [
        {"type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at,
         "y0": 0, "y1": 1, "line": {"color": "$grid", "width": 1}, "layer": "below"}
        for at in (turn / chart_data.MILLISECOND for turn in turns)
    ]  # fmt: skip
    layout = {
        "hovermode": "x unified",
        "shapes": marks,
        "xaxis": {"type": "date"},
        "yaxis": {"title": {"text": f"Equity, {currency}"}, "tickformat": ",.4~s"},
    }
    trace = line(chart_data.thin(time, equity), "Out of sample", "$accent", f"%{{y:,.0f}} {currency}", width=1.8)
    alt = f"Out-of-sample equity from {equity[0]:,.0f} to {equity[-1]:,.0f} {currency} over {len(turns)} windows."
    return Chart(id="oos", alt=alt, figure={"data": [trace], "layout": layout}, height=400)


def tick_labels(axis: Axis) -> list[str]:
    """The values of an axis as tick labels."""
    return [f"{value:g}" if isinstance(value, float) else str(value) for value in axis.values]


def _single(one: Surface, label: str, at: int) -> Chart:
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": tick_labels(one.x),
        "y": [None if np.isnan(cell) else cell for cell in one.value[0].tolist()],
        "line": {"color": "$accent", "width": 1.6},
        "hovertemplate": f"{one.x.name} %{{x}}: %{{y:,.3f}}<extra></extra>",
    }
    layout = {"xaxis": {"type": "category", "title": {"text": one.x.name}}, "yaxis": {"title": {"text": label}}}
    return Chart(id=f"map{at}", alt=_alt_text(one, label), figure={"data": [trace], "layout": layout})


def _alt_text(one: Surface, label: str) -> str:
    over = f"{one.x.name} and {one.y.name}" if one.y is not None else one.x.name
    if np.isnan(one.value).all():
        return f"{label} over {over}: nothing to show."
    return f"{label} over {over}, from {np.nanmin(one.value):,.3f} to {np.nanmax(one.value):,.3f}."


def _has_both_signs(value: Floats) -> bool:
    return bool(np.nanmin(value) < 0 < np.nanmax(value)) if not np.isnan(value).all() else False
