"""Messages handled and sent by the persistence writer."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from mats.ledger.books import BookKey
from mats.model import AccountId, Bar, Entry, StrategyName, StrategyRecord
from mats.runtime import Question, Ref


class StrategiesRead(msgspec.Struct, frozen=True):
    """The strategy table as it is stored; with a `fault` it could not be read, and there are no records.

    `away` says that the store does not answer: the records are those that were read last, none where there are none.
    """

    records: tuple[StrategyRecord, ...]
    fault: str = ""
    away: str = ""


class SeedStrategies(msgspec.Struct, frozen=True):
    """Add the records that `general/strategies` lacks; answered by `StrategiesRead` with the whole table.

    While the store is away the answer is what was read last; the whole table follows when it is back.
    """

    records: tuple[StrategyRecord, ...]
    reply_to: Ref[StrategiesRead]


class ReadTable(msgspec.Struct, frozen=True):
    """Asks for the strategy table as it is now; answered by `StrategiesRead`, while the store is away not at all."""

    reply_to: Ref[StrategiesRead]


class EquitiesRead(msgspec.Struct, frozen=True):
    """The explicit equities, in the base currency; a strategy that has none is left out.

    `faults` say by strategy why one could not be read.
    """

    equities: Mapping[StrategyName, Decimal]
    faults: Mapping[StrategyName, str] = {}


class ReadEquities(msgspec.Struct, frozen=True):
    """Asks for the explicit equities of strategies in accounts; answered by `EquitiesRead` when the store answers."""

    places: tuple[tuple[AccountId, StrategyName], ...]
    reply_to: Ref[EquitiesRead]


class SetEquity(Question[str], frozen=True, kw_only=True):
    """Asks to give a strategy an explicit equity in the base currency; with None its target weight applies again.

    Answered by why it is not stored, as text; empty when it is stored.
    """

    account: AccountId
    strategy: StrategyName
    equity: Decimal | None


class StoreBars(msgspec.Struct, frozen=True):
    """Bars that market data has passed on; stored soon, each under its start."""

    bars: tuple[Bar, ...]


class ReadStored(Question[int | None], frozen=True):
    """Asks how many executions are in the library `fills`, over all accounts; None while the store is away."""


class PrunedEntriesRead(msgspec.Struct, frozen=True):
    """The entries of one book up to `through`, which the journal no longer has."""

    key: BookKey
    through: int
    entries: tuple[Entry, ...]


class ReadPrunedEntries(msgspec.Struct, frozen=True):
    """Asks for a book's pruned entries; answered by `PrunedEntriesRead`, while the store is away not at all."""

    key: BookKey
    through: int
    reply_to: Ref[PrunedEntriesRead]
