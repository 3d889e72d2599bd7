"""Downloads of history: what is known of the past, what is asked, and the job that fills the store."""

from mats.data.download.coverage import Coverage, Span
from mats.data.download.job import BarPages, Download, Downloader, Progress, columns_of
from mats.data.download.plan import Page, Plan, Sessions, gaps, open_spans, plan_pages

__all__ = [
    "BarPages",
    "Coverage",
    "Download",
    "Downloader",
    "Page",
    "Plan",
    "Progress",
    "Sessions",
    "Span",
    "columns_of",
    "gaps",
    "open_spans",
    "plan_pages",
]
