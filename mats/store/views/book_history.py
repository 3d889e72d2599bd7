"""The complete history of a book: from the journal, and its pruned part from the tables."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from arcticdb import QueryBuilder

from mats.ledger.books import BookKey, book_key
from mats.ledger.quarantine import SetAside
from mats.model import AccountId, CommissionRecorded, Entry, InstrumentId, StrategyName
from mats.store.journal import Journal
from mats.store.tables import Reader, Row, Schema, from_frame, schemas
from mats.store.views.decode import decode_entries


class JournalHistory(ABC):
    """Serves folds whose past changed. Where the journal was pruned, a subclass knows the rest."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __call__(
        self, account: AccountId, strategy: StrategyName, instrument: InstrumentId, after: int = 0, /
    ) -> list[Entry]:
        """All entries of one book after entry `after`, in the order of the log."""
        key = account, strategy, instrument
        kept, pruned = self._journal.entries_of(*key, after), self._journal.pruned_to()
        if pruned <= after:
            return kept
        return [entry for entry in self.pruned(key, pruned) if entry.seq > after] + kept

    def charges(self, entry: CommissionRecorded) -> list[CommissionRecorded]:
        """The commissions that were booked for the same execution before this entry."""
        execution = entry.execution
        booked: list[Entry | None] = [*self._journal.commissions_of(execution.account, execution.family)]
        if None in booked:
            booked += self.pruned(book_key(entry), self._journal.pruned_to())
        found = [known for known in booked if isinstance(known, CommissionRecorded) and known.seq < entry.seq]
        return [known for known in found if known.execution.family == execution.family]

    @abstractmethod
    def pruned(self, key: BookKey, through: int) -> Sequence[Entry]:
        """The entries of the book up to entry `through`."""


class BookHistory(JournalHistory):
    """Reads the pruned part from the tables."""

    def __init__(self, journal: Journal, uri: str) -> None:
        super().__init__(journal)
        self._uri = uri

    def pruned(self, key: BookKey, through: int) -> Sequence[Entry]:
        return pruned_entries(self._uri, key, through)


class PastMissing(Exception):
    """The pruned part of this book's history, up to entry `through`, must be read before its past can change."""

    def __init__(self, key: BookKey, through: int) -> None:
        super().__init__(f"the entries of {'/'.join(key)} up to {through} are not read yet")
        self.key, self.through = key, through


class AskedHistory(JournalHistory):
    """Makes no call to the store: raises PastMissing until the pruned part was handed over."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self._past: dict[tuple[BookKey, int], tuple[Entry, ...]] = {}

    def pruned(self, key: BookKey, through: int) -> Sequence[Entry]:
        if (key, through) not in self._past:
            raise PastMissing(key, through)
        return self._past[key, through]

    def take(self, key: BookKey, through: int, entries: tuple[Entry, ...]) -> None:
        """The pruned part of a book's history; only the last one is kept."""
        self._past = {(key, through): entries}


class WithoutSetAside:
    """A history without the entries that a stage has set aside."""

    def __init__(self, history: JournalHistory, aside: SetAside) -> None:
        self._history, self._aside = history, aside

    def __call__(
        self, account: AccountId, strategy: StrategyName, instrument: InstrumentId, after: int = 0, /
    ) -> Sequence[Entry]:
        """The entries of one book after entry `after` as the stage applies them."""
        entries = self._history(account, strategy, instrument, after)
        return self._aside.without(entries) if self._aside else entries

    def charges(self, entry: CommissionRecorded) -> Sequence[CommissionRecorded]:
        """The commissions that the stage has applied for the same execution before this entry."""
        booked = self._history.charges(entry)
        taken = self._aside.without(booked) if self._aside else booked
        return [known for known in taken if isinstance(known, CommissionRecorded)]


def pruned_entries(uri: str, key: BookKey, through: int) -> list[Entry]:
    """The entries of a book up to `through`, as the tables have them."""
    account, strategy, instrument = key
    of_book = QueryBuilder()
    of_book = of_book[(of_book["strategy"] == strategy) & (of_book["symbol"] == instrument)]
    reader = Reader(uri)

    def rows(library: str, schema: Schema) -> list[Row]:
        frame = reader.table(library, account, where=of_book)
        return list(from_frame(frame, schema).values()) if len(frame) else []

    stored = decode_entries(
        account,
        rows("fills", schemas.FILLS),
        rows("fill_corrections", schemas.FILL_CORRECTIONS),
        rows("adjustments", schemas.ADJUSTMENTS),
    )
    return [entry for entry in stored if entry.seq <= through]
