"""Messages about what is in quarantine."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from mats.ledger.quarantine import QuarantinePlace
from mats.runtime import Question


class ReportUnusable(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the broker that could not be decoded, by its fields as they were received, and why.

    What it is about is filled in as far as it can be read; `execution` has the fields of one by their names.
    """

    connection: str
    fields: tuple[str, ...]
    reason: str
    account: str = ""
    instrument: str = ""
    exec_id: str = ""
    execution: Mapping[str, str] = {}


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
