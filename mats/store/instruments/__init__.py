"""What the registry of instruments knows at a start: names of earlier versions, the operator's file, the tables."""

from mats.store.instruments.file import InstrumentsFileError, read_instruments
from mats.store.instruments.start import prepare_instruments
from mats.store.instruments.stored import stored_instruments

__all__ = ["InstrumentsFileError", "prepare_instruments", "read_instruments", "stored_instruments"]
