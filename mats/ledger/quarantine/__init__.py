"""What the broker reported and the books cannot take: kept as it was received until an operator resolves it."""

from mats.ledger.quarantine.items import (
    CorrectionError,
    QuarantineItem,
    QuarantineKind,
    QuarantinePlace,
    as_text,
    as_text_fields,
    commission_of,
    execution_of,
)
from mats.ledger.quarantine.open_items import OpenItems
from mats.ledger.quarantine.replacement import replacement, voiding
from mats.ledger.quarantine.set_aside import SetAside

__all__ = [
    "CorrectionError",
    "OpenItems",
    "QuarantineItem",
    "QuarantineKind",
    "QuarantinePlace",
    "SetAside",
    "as_text",
    "as_text_fields",
    "commission_of",
    "execution_of",
    "replacement",
    "voiding",
]
