"""Reports: one HTML page that needs nothing besides itself; pictures as PNG."""

from mats.report.pages import PageTable
from mats.report.sources import stored

__all__ = [
    "PageTable",
    "stored",
]
