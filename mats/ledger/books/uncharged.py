"""Which executions of all books wait for their commission. Those that fall out are folded again when it comes."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from mats.ledger.books.book import BookKey
from mats.model import AdjustmentRecorded, Entry, FillRecorded

MAX_UNCHARGED = 32_768
"""At most this many executions, of all books together, are kept with their trades while their commission is missing."""


class UnchargedQueue:
    """The executions by book and family, in the order in which they are evicted."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[BookKey, str], None] = OrderedDict()

    def add(self, key: BookKey, families: Iterable[str]) -> None:
        """They wait, behind all others; one that waits already keeps its place."""
        for family in families:
            self._waiting[key, family] = None

    def remove(self, key: BookKey, families: Iterable[str]) -> None:
        """Their commission has come, or they wait anew."""
        for family in families:
            self._waiting.pop((key, family), None)

    @property
    def is_over(self) -> bool:
        """Whether there are more than are kept."""
        return len(self._waiting) > MAX_UNCHARGED

    def pop(self) -> tuple[BookKey, str]:
        """Evict the first."""
        return self._waiting.popitem(last=False)[0]


def eviction_order(families: Iterable[str], entries: Sequence[Entry]) -> list[str]:
    """The families, those whose commission comes next at the end, to be evicted last.

    Commissions come in the order of their executions, as a rule: after the last of the `entries` those of the
    executions that were reported behind its own.
    """
    places = {entry.execution.family: place for place, entry in enumerate(entries) if isinstance(entry, FillRecorded)}
    last = entries[-1]
    first = 0 if isinstance(last, AdjustmentRecorded) else places.get(last.execution.family, 0)
    following = range(first, first + MAX_UNCHARGED // 2)
    return sorted(families, key=lambda family: places.get(family, -1) in following)
