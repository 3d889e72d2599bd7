"""The registry: one name for each contract of the broker, for good; and the terms that are known of it."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec.structs import replace

from mats.instruments.names import canonical_name, earlier_name, numbered
from mats.model import ONE, Instrument, InstrumentId, SecType


class KnownInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """A contract with its name. `complete`: its terms are from contract details; else what reports state of it.

    `whole_units`: the broker has refused a fraction of it.
    """

    instrument: Instrument
    complete: bool = False
    whole_units: bool = False


class InstrumentRecords(Protocol):
    """Where the registry is kept; the journal implements it."""

    def known_instrument(self, con_id: int) -> KnownInstrument | None: ...
    def instrument_named(self, name: InstrumentId) -> KnownInstrument | None: ...
    def name_instrument(
        self, known: KnownInstrument, names: Sequence[InstrumentId], earlier: InstrumentId
    ) -> KnownInstrument:
        """Record a contract under the first of `names` that no other has, or as it is recorded already.

        Where an earlier version has kept books under `earlier` that can only be those of this contract, it keeps that
        name.
        """

    def save_instrument(self, known: KnownInstrument) -> None:
        """Record other terms of a contract that has a name."""


class MemoryRecords:
    """Records that end with the process: for tests, and for what trades nothing."""

    def __init__(self) -> None:
        self._by_con_id: dict[int, KnownInstrument] = {}
        self._by_name: dict[InstrumentId, int] = {}

    def known_instrument(self, con_id: int) -> KnownInstrument | None:
        return self._by_con_id.get(con_id)

    def instrument_named(self, name: InstrumentId) -> KnownInstrument | None:
        return self._by_con_id.get(self._by_name.get(name, 0))

    def name_instrument(
        self, known: KnownInstrument, names: Sequence[InstrumentId], earlier: InstrumentId
    ) -> KnownInstrument:
        con_id = known.instrument.con_id
        if con_id not in self._by_con_id:
            name = next(name for name in names if name not in self._by_name)
            self._by_name[name] = con_id
            self._by_con_id[con_id] = replace(known, instrument=replace(known.instrument, id=name))
        return self._by_con_id[con_id]

    def save_instrument(self, known: KnownInstrument) -> None:
        self._by_con_id[known.instrument.con_id] = known


class InstrumentRegistry:
    """Names contracts and keeps their terms; a name is on the disk before it is used.

    Each user has a registry of its own over the common records. `fractional`: shares may be ordered in fractions.
    """

    def __init__(self, records: InstrumentRecords, *, fractional: bool = False) -> None:
        self._records, self._fractional = records, fractional
        self._known: dict[int, KnownInstrument] = {}

    def name(self, con_id: int) -> InstrumentId:
        """The name of a contract; empty where it has none yet."""
        known = self._known.get(con_id)
        return known.instrument.id if known else ""

    def register(self, stated: Instrument) -> InstrumentId:
        """The name of a contract of which so much is stated; the first time it is assigned.

        A contract without an id has the name that its terms give it.
        """
        if not stated.con_id or stated.sec_type is SecType.CONTINUOUS_FUTURE:
            return canonical_name(stated)
        return self._registered(KnownInstrument(instrument=stated)).instrument.id

    def complete(self, details: Instrument) -> Instrument:
        """A contract by its details, with the name that it has, in units in which it can be ordered."""
        if not details.con_id or details.sec_type is SecType.CONTINUOUS_FUTURE:
            return replace(details, id=details.id or canonical_name(details))
        before = self._registered(KnownInstrument(instrument=details, complete=True))
        now = replace(before, instrument=replace(details, id=before.instrument.id), complete=True)
        if now != before:
            self._save(now)
        return self._in_units(now)

    def find(self, name: InstrumentId) -> Instrument | None:
        """What is known of the contract of a name."""
        known = self._records.instrument_named(name)
        return None if known is None else self._in_units(known)

    def terms(self, con_id: int) -> Instrument | None:
        """A contract by its details; None while they are not known."""
        known = self._known.get(con_id)
        if known is None or not known.complete:
            known = self._records.known_instrument(con_id)
            if known is None or not known.complete:
                return None
            self._known[con_id] = known
        return known.instrument

    def require_whole_units(self, con_id: int) -> None:
        """The broker takes no fraction of this contract: it is ordered in whole units from now on."""
        known = self._records.known_instrument(con_id)
        if known is not None and not known.whole_units:
            self._save(replace(known, whole_units=True))

    def _registered(self, known: KnownInstrument) -> KnownInstrument:
        con_id = known.instrument.con_id
        found = self._known.get(con_id) or self._records.known_instrument(con_id)
        if found is None:
            name = canonical_name(known.instrument)
            names = (name, numbered(name.partition("#")[0], con_id))
            found = self._records.name_instrument(known, names, earlier_name(known.instrument))
        self._known[con_id] = found
        return found

    def _save(self, known: KnownInstrument) -> None:
        self._records.save_instrument(known)
        self._known[known.instrument.con_id] = known

    def _in_units(self, known: KnownInstrument) -> Instrument:
        """IB states steps below one share, which it takes over the API from some accounts only."""
        instrument = known.instrument
        whole = known.whole_units or (instrument.sec_type is SecType.STOCK and not self._fractional)
        if not whole or instrument.size_increment >= ONE:
            return instrument
        return replace(instrument, size_increment=ONE, min_size=max(instrument.min_size, ONE))
