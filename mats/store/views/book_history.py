"""The complete history of a book: from the journal, and its pruned part from the tables."""

from collections.abc import Sequence

from arcticdb import QueryBuilder

from mats.ledger.books import BookKey, History
from mats.ledger.quarantine import SetAside
from mats.model import AccountId, Entry, InstrumentId, StrategyName
from mats.store.journal import Journal
from mats.store.tables import Reader, Row, Schema, from_frame, schemas
from mats.store.views.decode import decode_entries


class BookHistory:
    """Serves folds whose past changed. The tables are read only where the journal was pruned."""

    def __init__(self, journal: Journal, uri: str) -> None:
        self._journal, self._uri = journal, uri

    def __call__(
        self, account: AccountId, strategy: StrategyName, instrument: InstrumentId, after: int = 0, /
    ) -> list[Entry]:
        """All entries of one book after entry `after`, in the order of the log."""
        key = account, strategy, instrument
        kept, pruned = self._journal.entries_of(*key, after), self._journal.pruned_to()
        if pruned <= after:
            return kept
        return [entry for entry in pruned_entries(self._uri, key, pruned) if entry.seq > after] + kept


class PastMissing(Exception):
    """The pruned part of this book's history, up to entry `through`, must be read before its past can change."""

    def __init__(self, key: BookKey, through: int) -> None:
        super().__init__(f"the entries of {'/'.join(key)} up to {through} are not read yet")
        self.key, self.through = key, through


class AskedHistory:
    """Serves the same folds without a call to the store: raises PastMissing until the pruned part was handed over."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._past: dict[tuple[BookKey, int], tuple[Entry, ...]] = {}

    def __call__(
        self, account: AccountId, strategy: StrategyName, instrument: InstrumentId, after: int = 0, /
    ) -> list[Entry]:
        """All entries of one book after entry `after`, in the order of the log."""
        key = account, strategy, instrument
        kept, pruned = self._journal.entries_of(*key, after), self._journal.pruned_to()
        if pruned <= after:
            return kept
        if (key, pruned) not in self._past:
            raise PastMissing(key, pruned)
        return [entry for entry in self._past[key, pruned] if entry.seq > after] + kept

    def take(self, key: BookKey, through: int, entries: tuple[Entry, ...]) -> None:
        """The pruned part of a book's history; only the last one is kept."""
        self._past = {(key, through): entries}


class WithoutSetAside:
    """A history without the entries that a stage has set aside."""

    def __init__(self, history: History, aside: SetAside) -> None:
        self._history, self._aside = history, aside

    def __call__(
        self, account: AccountId, strategy: StrategyName, instrument: InstrumentId, after: int = 0, /
    ) -> Sequence[Entry]:
        """The entries of one book after entry `after` as the stage applies them."""
        entries = self._history(account, strategy, instrument, after)
        return self._aside.without(entries) if self._aside else entries


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
