"""Which contract a name means, and what name a contract has."""

from mats.instruments.names import candidate_names, canonical_name, earlier_name, instrument_id, numbered
from mats.instruments.parsing import WITH_MULTIPLIER, nth_expiry, parse_instrument, try_parse_instrument
from mats.instruments.registry import InstrumentRecords, InstrumentRegistry, KnownInstrument, MemoryRecords
from mats.instruments.resolution import SeveralContracts, the_one

__all__ = [
    "WITH_MULTIPLIER",
    "InstrumentRecords",
    "InstrumentRegistry",
    "KnownInstrument",
    "MemoryRecords",
    "SeveralContracts",
    "candidate_names",
    "canonical_name",
    "earlier_name",
    "instrument_id",
    "nth_expiry",
    "numbered",
    "parse_instrument",
    "the_one",
    "try_parse_instrument",
]
