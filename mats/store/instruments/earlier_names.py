"""The names under which a version without a registry kept its books, and what is known of their contracts."""

from collections.abc import Iterable

import msgspec

from mats.ledger.books import Books
from mats.model import AdjustmentRecorded, Entry, InstrumentId
from mats.store.journal import NOBODY, Journal, NameInUse

Terms = tuple[str, str]
"""Multiplier and currency."""


def collect_earlier_names(journal: Journal) -> list[NameInUse]:
    """Record the names of books that no contract has; returns those that were used for several contracts.

    Only the terms tell contracts of one name apart, so an expiring contract inherits a name whose books have its terms.
    """
    booked = set(journal.unassigned_names())
    held = _held(journal) if booked else {}
    assigned = {known.instrument.id for _, known in journal.instruments()} | {n.name for n in journal.names_in_use()}
    names = booked | (held.keys() - assigned)
    if not names:
        return []
    con_ids = journal.contract_ids_of_intents()
    found = [_in_use(name, con_ids.get(name, set()), _terms(journal, name) | held.get(name, set())) for name in names]
    journal.record_names_in_use(found)
    return sorted((used for used in found if used.con_id == NOBODY), key=lambda used: used.name)


def _in_use(name: InstrumentId, con_ids: set[int], terms: set[Terms]) -> NameInUse:
    if len(con_ids) > 1 or len(terms) > 1:
        return NameInUse(name=name, con_id=NOBODY)
    multiplier, currency = next(iter(terms), ("", ""))
    return NameInUse(name=name, con_id=next(iter(con_ids), 0), multiplier=multiplier, currency=currency)


def _held(journal: Journal) -> dict[InstrumentId, set[Terms]]:
    """What the portfolio manager's saved books are in: their entries may have been pruned."""
    saved = journal.load_snapshot("portfolio")
    if saved is None:
        return {}
    try:
        books = tuple(Books.load(saved[1], journal.entries_of))
    except msgspec.MsgspecError:
        return {}
    held: dict[InstrumentId, set[Terms]] = {}
    for book in books:
        if book.quantity:
            held.setdefault(book.instrument, set()).add((f"{book.multiplier:f}", book.currency))
    return held


def _terms(journal: Journal, name: InstrumentId) -> set[Terms]:
    """The terms that the entries of a name state; only those of contracts with a multiplier are looked at."""
    return _stated(journal.entries_in(name)) if ":" in name else set()


def _stated(entries: Iterable[Entry]) -> set[Terms]:
    sources = (entry if isinstance(entry, AdjustmentRecorded) else entry.execution for entry in entries)
    return {(f"{source.multiplier:f}", source.currency) for source in sources}
