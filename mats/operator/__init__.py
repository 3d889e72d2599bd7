"""The operator's interface to a running daemon: the protocol of its control socket, a client, screens."""

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
from mats.operator.why import render_story, story_of

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
    "equity_lines",
    "listen",
    "peer_uid",
    "position_results",
    "protocol",
    "render",
    "render_story",
    "story_of",
    "strategy_lines",
    "strategy_results",
]
