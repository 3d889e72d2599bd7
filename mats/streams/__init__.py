"""Streams of market data as states: what was asked for, what flows, what is wrong, and when it is asked for again."""

from mats.streams.hours import ALWAYS_OPEN, TradingHours
from mats.streams.quote_bars import QuoteBars
from mats.streams.stream_state import StreamPhase, StreamState
from mats.streams.stream_table import ANSWER_SECONDS, LONGEST_RETRY, StreamTable
from mats.streams.views import StreamKey, StreamView, faults_by_strategy, view_of

__all__ = [
    "ALWAYS_OPEN",
    "ANSWER_SECONDS",
    "LONGEST_RETRY",
    "QuoteBars",
    "StreamKey",
    "StreamPhase",
    "StreamState",
    "StreamTable",
    "StreamView",
    "TradingHours",
    "faults_by_strategy",
    "view_of",
]
