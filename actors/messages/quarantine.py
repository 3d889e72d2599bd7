"""Messages about what is in quarantine."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from mats.ledger.quarantine import QuarantinePlace
from mats.model import UndecodedMessage
from mats.runtime import Question


class ReportUndecoded(msgspec.Struct, frozen=True):
    """A connection has received a message that it could not decode."""

    connection: str
    message: UndecodedMessage


class EntrySetAside(msgspec.Struct, frozen=True):
    """A stage has put an entry into quarantine, and goes on without it."""


class QuarantineChanged(msgspec.Struct, frozen=True):
    """Where no new risk is taken because of what is in quarantine; sent again and again."""

    places: tuple[QuarantinePlace, ...]


class QuarantineResolved(msgspec.Struct, frozen=True):
    """It was done: one sentence."""

    text: str


class QuarantineRefused(msgspec.Struct, frozen=True):
    """It was not done: one sentence with what to do instead."""

    reason: str


class ResolveQuarantine(Question[QuarantineResolved | QuarantineRefused], frozen=True, kw_only=True):
    """An operator's word about one item: book it as received, book it with these fields, or forget it."""

    number: int
    action: Literal["accept", "correct", "drop"]
    corrections: Mapping[str, str] = {}
    reason: str = ""
