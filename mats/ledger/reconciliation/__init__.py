"""Books against the broker's positions: comparison, breaks, what explains them, what settles them."""

from mats.ledger.reconciliation.adjustments import Adjustment, DoesNotFit
from mats.ledger.reconciliation.breaks import PROOF_LINES, Break, BreakState, PositionKey, describe, summary
from mats.ledger.reconciliation.corporate_actions import Action, ExpiryCause, Residual, SplitCause, SymbolChangeCause
from mats.ledger.reconciliation.netted_actions import NettedAction, NettedChange, netted
from mats.ledger.reconciliation.reconcile import AnswerRefused
from mats.ledger.reconciliation.scheduler import ReconciliationScheduler
from mats.ledger.reconciliation.transfers import Transfer, TransferError, TransferRequest, propose, propose_reversal

__all__ = [
    "PROOF_LINES",
    "Action",
    "Adjustment",
    "AnswerRefused",
    "Break",
    "BreakState",
    "DoesNotFit",
    "ExpiryCause",
    "NettedAction",
    "NettedChange",
    "PositionKey",
    "ReconciliationScheduler",
    "Residual",
    "SplitCause",
    "SymbolChangeCause",
    "Transfer",
    "TransferError",
    "TransferRequest",
    "describe",
    "netted",
    "propose",
    "propose_reversal",
    "summary",
]
