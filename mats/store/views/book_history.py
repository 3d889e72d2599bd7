"""The complete history of a book: from the journal, and its pruned part from the tables."""

from arcticdb import QueryBuilder

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
        kept, pruned = self._journal.entries_of(account, strategy, instrument, after), self._journal.pruned_to()
        if pruned <= after:
            return kept
        of_book = QueryBuilder()
        of_book = of_book[(of_book["strategy"] == strategy) & (of_book["symbol"] == instrument)]
        reader = Reader(self._uri)

        def rows(library: str, schema: Schema) -> list[Row]:
            frame = reader.table(library, account, where=of_book)
            return list(from_frame(frame, schema).values()) if len(frame) else []

        stored = decode_entries(
            account,
            rows("fills", schemas.FILLS),
            rows("fill_corrections", schemas.FILL_CORRECTIONS),
            rows("adjustments", schemas.ADJUSTMENTS),
        )
        return [entry for entry in stored if after < entry.seq <= pruned] + kept
