"""How a person talks to a running daemon: the words, the socket they travel on, and the commands of `mats`."""

from mats.operator import protocol, render
from mats.operator.client import ask
from mats.operator.protocol import Certificate, HoldingRow, Remainder
from mats.operator.run_summary import (
    Number,
    PositionResult,
    RunSummary,
    StrategyResult,
    position_results,
    strategy_results,
)
from mats.operator.socket import NAME, listen, peer_uid
from mats.operator.view_models import book_lines, equity_lines, strategy_lines
from mats.operator.why import draw_story, story_of

__all__ = [
    "NAME",
    "Certificate",
    "HoldingRow",
    "Number",
    "PositionResult",
    "Remainder",
    "RunSummary",
    "StrategyResult",
    "ask",
    "book_lines",
    "draw_story",
    "equity_lines",
    "listen",
    "peer_uid",
    "position_results",
    "protocol",
    "render",
    "story_of",
    "strategy_lines",
    "strategy_results",
]
