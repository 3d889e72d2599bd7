"""The heat maps of a sweep as PNG files. Drawn by matplotlib without a display."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mats.report.png import ACCENT, DPI, style_axes
from mats.report.sweeps import charts
from mats.report.sweeps.heatmap import Surface
from mats.report.sweeps.page import SweepReport, label_of, surfaces_of
from mats.store.tables import library_part


def write_png(swept: SweepReport, folder: Path) -> list[Path]:
    """Draw the heat maps into `folder`, made when absent."""
    folder.mkdir(parents=True, exist_ok=True)
    written_files = []
    for one in surfaces_of(swept):
        over = library_part(f"{one.x.name}-{one.y.name}" if one.y is not None else one.x.name)
        path = folder / f"{library_part(swept.name)}-{over}.png"
        _figure(one, label_of(swept.plan.metric)).savefig(path, dpi=DPI)
        written_files.append(path)
    return written_files


def _figure(one: Surface, label: str) -> Figure:
    rows, columns = one.value.shape
    figure = Figure(figsize=(max(5.0, 2.2 + 0.5 * columns), max(3.0, 1.4 + 0.36 * rows)), layout="constrained")
    axes = figure.subplots()
    style_axes(axes, label, one.y.name if one.y is not None else label)
    axes.set_xlabel(one.x.name)
    if one.y is None:
        axes.plot(charts.tick_labels(one.x), one.value[0], marker="o", color=ACCENT)
        return figure
    image = axes.imshow(one.value, origin="lower", aspect="auto", cmap="RdYlGn")
    axes.set_xticks(range(columns), charts.tick_labels(one.x))
    axes.set_yticks(range(rows), charts.tick_labels(one.y))
    axes.grid(visible=False)
    if one.value.size <= charts.WRITTEN_CELLS:
        for (y, x), cell in np.ndenumerate(one.value):
            if np.isfinite(cell):
                axes.text(x, y, f"{cell:,.2f}", ha="center", va="center", fontsize=8)
    figure.colorbar(image, ax=axes, label=label)
    return figure
