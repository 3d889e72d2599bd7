"""The open items of the quarantine in memory, and where they stop new risk. No fact costs a look at all of them."""

from collections import Counter
from collections.abc import Iterable

from mats.ledger.quarantine.items import QuarantineItem, QuarantineKind, QuarantinePlace
from mats.model import AccountId, InstrumentId, StrategyName

MOST_ITEMS = 10_000
"""How many items are kept at most: facts that come beyond are no more looked at one by one."""
FULL = QuarantinePlace("", "the quarantine is full", "", "", "")
"""What is not kept may concern anything."""


_Trading = tuple[AccountId, InstrumentId, StrategyName]


class OpenItems:
    """Open items by their key; of those that stop the same trading, one place stands for all."""

    def __init__(self, items: Iterable[QuarantineItem] = ()) -> None:
        self._items: dict[str, QuarantineItem] = {}
        self._kinds = Counter[QuarantineKind]()
        self._entries: dict[str, str] = {}
        self._at: dict[_Trading, dict[str, QuarantinePlace]] = {}
        self._places: tuple[QuarantinePlace, ...] | None = None
        for item in items:
            self.add(item)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def get(self, key: str) -> QuarantineItem | None:
        return self._items.get(key)

    def entry_of(self, exec_id: str) -> QuarantineItem | None:
        """The entry with this execution that a stage could not apply."""
        key = self._entries.get(exec_id)
        return None if key is None else self._items[key]

    def count(self, kind: QuarantineKind) -> int:
        return self._kinds[kind]

    @property
    def full(self) -> bool:
        return len(self._items) >= MOST_ITEMS

    @property
    def places(self) -> tuple[QuarantinePlace, ...]:
        """Where no new risk is taken."""
        if self._places is None:
            first = tuple(next(iter(same.values())) for same in self._at.values())
            self._places = (*first, FULL) if self.full else first
        return self._places

    def add(self, item: QuarantineItem) -> None:
        self._items[item.key] = item
        self._kinds[item.kind] += 1
        if item.kind is QuarantineKind.ENTRY:
            self._entries[item.fields.get("exec_id", "")] = item.key
        if item.instrument or item.strategy:
            self._at.setdefault(_trading(item), {})[item.key] = item.place
        self._places = None

    def remove(self, key: str) -> None:
        """It is resolved; another one may stop the same trading."""
        item = self._items.pop(key)
        self._kinds[item.kind] -= 1
        if item.kind is QuarantineKind.ENTRY:
            self._entries.pop(item.fields.get("exec_id", ""), None)
        same = self._at.get(_trading(item), {})
        same.pop(key, None)
        if not same:
            self._at.pop(_trading(item), None)
        self._places = None


def _trading(item: QuarantineItem) -> _Trading:
    return item.account, item.instrument, item.strategy
