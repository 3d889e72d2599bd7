"""Reports: one self-contained HTML page; charts as PNG."""

from mats.report.pages import PageTable
from mats.report.stored_results import stored

__all__ = [
    "PageTable",
    "stored",
]
