"""Books against the broker's positions: comparison, breaks, what explains them, what settles them."""

from mats.ledger.reconciliation.adjustments import Adjustment, CauseMismatch
from mats.ledger.reconciliation.break_causes import (
    BreakCause,
    ExpiryCause,
    Residual,
    SplitCause,
    SymbolChangeCause,
)
from mats.ledger.reconciliation.breaks import MAX_PROOF_LINES, Break, BreakState, describe, summary
from mats.ledger.reconciliation.netted_actions import NettedAction, NettedChange, netted_change
from mats.ledger.reconciliation.reconcile import AnswerRefused, ReconciliationResult, explained_by
from mats.ledger.reconciliation.scheduler import ReconciliationScheduler
from mats.ledger.reconciliation.transfers import Transfer, TransferError, TransferRequest, propose, propose_reversal

__all__ = [
    "MAX_PROOF_LINES",
    "Adjustment",
    "AnswerRefused",
    "Break",
    "BreakCause",
    "BreakState",
    "CauseMismatch",
    "ExpiryCause",
    "NettedAction",
    "NettedChange",
    "ReconciliationResult",
    "ReconciliationScheduler",
    "Residual",
    "SplitCause",
    "SymbolChangeCause",
    "Transfer",
    "TransferError",
    "TransferRequest",
    "describe",
    "explained_by",
    "netted_change",
    "propose",
    "propose_reversal",
    "summary",
]
