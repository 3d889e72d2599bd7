"""Reports: one self-contained HTML page; charts as PNG."""

from mats.report.html_page import html
from mats.report.pages import PageTable
from mats.report.png import write
from mats.report.sources import stored

__all__ = [
    "PageTable",
    "html",
    "stored",
    "write",
]
