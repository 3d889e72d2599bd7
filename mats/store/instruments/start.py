"""Before the first contract is named: the registry takes over what is known already."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from mats.instruments import KnownInstrument, earlier_name
from mats.model import Instrument
from mats.store.instruments.earlier_names import collect_earlier_names
from mats.store.instruments.file import InstrumentsFileError, read_instruments
from mats.store.journal import Journal


def prepare_instruments(journal: Journal, file: Path, stored: Iterable[KnownInstrument]) -> list[str]:
    """Take over the `stored` registry where this journal has none, then the operator's file, then names in use.

    Returns what an operator must know, a sentence each. Raises InstrumentsFileError.
    """
    if not journal.instruments():
        for known in stored:
            _name(journal, known)
    for instrument in read_instruments(file).values():
        if instrument.con_id:
            _give_name(journal, instrument, file)
    return [
        f"the books of {used.name} were kept by an earlier version, which had one name for several contracts; they stay"
        " as they are and no contract has that name: compare `mats books` with the broker's positions, then close them"
        " with `mats breaks answer`, and settle the rest with `mats books assign`"
        for used in collect_earlier_names(journal)
    ]


def _name(journal: Journal, known: KnownInstrument) -> KnownInstrument:
    instrument = known.instrument
    return journal.name_instrument(known, (instrument.id, f"#{instrument.con_id}"), earlier_name(instrument))


def _give_name(journal: Journal, instrument: Instrument, file: Path) -> None:
    """A name of the operator's own, for a contract that has none yet."""
    known = _name(journal, KnownInstrument(instrument=instrument))
    if known.instrument.id != instrument.id:
        raise InstrumentsFileError(
            f"{file} names contract {instrument.con_id} {instrument.id}, and its books are kept as"
            f" {known.instrument.id}; write that id there"
        )
    if not known.complete and known.instrument != instrument:
        journal.save_instrument(msgspec.structs.replace(known, instrument=instrument))
