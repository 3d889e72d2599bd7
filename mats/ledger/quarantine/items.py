"""One item in quarantine: the fields as they were received, why they are no fact, and whose trading waits for it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

import msgspec

from mats.model import AccountId, Commission, Execution, InstrumentId, Nanos, StrategyName, from_datetime

FIELD_LENGTH = 10_000
"""A longer field is cut: it can be no part of a fact."""

T = TypeVar("T", Execution, Commission)


class QuarantineKind(StrEnum):
    """What an item is."""

    EXECUTION = "execution"
    COMMISSION = "commission"
    POSITION = "position"
    MESSAGE = "message"
    """A message of the broker that could not be decoded; its fields are numbered."""
    ENTRY = "entry"
    """An entry of the fill log that a stage could not apply."""

    @property
    def can_be_booked(self) -> bool:
        """Whether there is something to book, as received or corrected."""
        return self in (QuarantineKind.EXECUTION, QuarantineKind.COMMISSION, QuarantineKind.ENTRY)


class QuarantineItem(msgspec.Struct, frozen=True, kw_only=True):
    """`key` names the fact: what is reported again under it is the same item. `number` is its place in the table.

    No new risk is taken in `instrument` (of `account`, or of all where that is empty), nor by `strategy`; what is empty
    is not known. `seq` is the entry that could not be applied, and `source` the connection or the stage. `resolved` is
    0 while it is open.
    """

    key: str
    kind: QuarantineKind
    fault: str
    fields: Mapping[str, str]
    source: str
    time: Nanos
    account: AccountId = ""
    instrument: InstrumentId = ""
    strategy: StrategyName = ""
    seq: int = 0
    number: int = 0
    resolved: Nanos = 0
    resolution: str = ""

    @property
    def id(self) -> str:
        """The name by which an operator resolves it."""
        return f"Q{self.number}"

    @property
    def place(self) -> "QuarantinePlace":
        return QuarantinePlace(self.id, self.kind, self.account, self.instrument, self.strategy)


class QuarantinePlace(msgspec.Struct, frozen=True):
    """Where no new risk is taken because of an item; without an instrument and a strategy, anywhere."""

    id: str
    kind: str
    account: AccountId
    instrument: InstrumentId
    strategy: StrategyName

    def holds_instrument(self, account: AccountId, instrument: InstrumentId) -> bool:
        """Whether books of the instrument in this account may lack something because of the item."""
        if self.is_everywhere:
            return True
        return bool(self.instrument) and self.instrument == instrument and self.account in ("", account)

    @property
    def is_everywhere(self) -> bool:
        """Whether more is kept from the books than can be listed."""
        return not (self.instrument or self.strategy)


class CorrectionError(ValueError):
    """The fields do not make a fact; one sentence that says which and why."""


def as_text(value: object) -> str:
    """A field as text that can be stored: what is no Unicode is escaped, what is too long is cut."""
    text = str(value).encode(errors="backslashreplace").decode()
    return text if len(text) <= FIELD_LENGTH else f"{text[:FIELD_LENGTH]}… ({len(text)} characters)"


def as_text_fields(fact: Execution | Commission) -> dict[str, str]:
    """Every field of a fact as text."""
    return {name: as_text(value) for name, value in msgspec.structs.asdict(fact).items()}


def execution_of(fields: Mapping[str, str], corrections: Mapping[str, str]) -> Execution:
    """The execution of an item with some of its fields replaced. Raises CorrectionError."""
    return _built(Execution, fields, corrections)


def commission_of(fields: Mapping[str, str], corrections: Mapping[str, str]) -> Commission:
    """The commission of an item with some of its fields replaced. Raises CorrectionError."""
    return _built(Commission, fields, corrections)


def _built(kind: type[T], fields: Mapping[str, str], corrections: Mapping[str, str]) -> T:
    names = tuple(field.name for field in msgspec.structs.fields(kind))
    if unknown := corrections.keys() - set(names):
        raise CorrectionError(f"{', '.join(sorted(unknown))} is no field of it; its fields are {', '.join(names)}")
    given: dict[str, object] = {name: text for name, text in fields.items() if name in names}
    given |= corrections
    if "time" in corrections:
        given["time"] = _instant(corrections["time"])
    try:
        return msgspec.convert(given, kind, strict=False)
    except (msgspec.ValidationError, OverflowError) as error:
        raise CorrectionError(f"the fields do not make one: {error}; correct that field") from None


def _instant(text: str) -> Nanos:
    """An instant as a person writes it, or as nanoseconds."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CorrectionError(f"time {text!r} cannot be read; give it as 2024-06-10T14:30:00Z") from None
    if moment.tzinfo is None:
        raise CorrectionError(f"time {text!r} has no zone; give it as 2024-06-10T14:30:00Z")
    return from_datetime(moment)
