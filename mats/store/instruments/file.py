"""The operator's file of instruments: names and terms that the broker or the name does not state."""

import tomllib
from decimal import Decimal
from pathlib import Path

import msgspec

from mats.errors import UserError
from mats.instruments import WITH_MULTIPLIER, parse_instrument
from mats.model import Instrument, InstrumentId, exact

_FIELDS = {field.name: field.type for field in msgspec.structs.fields(Instrument)}


class InstrumentsFileError(UserError):
    """The file cannot be used; one sentence with the entry and how to correct it."""


def read_instruments(path: Path) -> dict[InstrumentId, Instrument]:
    """The instruments of a file: one `[[instrument]]` table each, with its `id` and the terms that it gives.

    Keys are the fields of `Instrument`; what is not given follows from the id, but for multiplier and currency of a
    derivative. A missing file has none. Raises InstrumentsFileError.
    """
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InstrumentsFileError(f"instruments file {path} cannot be read ({error}); correct it") from error
    entries = content.get("instrument", [])
    if not isinstance(entries, list) or content.keys() - {"instrument"}:
        raise InstrumentsFileError(f"instruments file {path} must consist of [[instrument]] tables; correct it")
    return {instrument.id: instrument for instrument in (_instrument(entry, path) for entry in entries)}


def _instrument(entry: dict[str, object], path: Path) -> Instrument:
    name = entry.get("id")
    try:
        if not isinstance(name, str):
            raise ValueError("it has no id")
        if unknown := entry.keys() - _FIELDS.keys():
            raise ValueError(f"{', '.join(sorted(unknown))} is no field of an instrument")
        given = {key: exact(str(value)) if _FIELDS[key] is Decimal else value for key, value in entry.items()}
        terms = msgspec.structs.asdict(parse_instrument(name)) | given
        instrument = msgspec.convert(terms, Instrument)
        if instrument.sec_type in WITH_MULTIPLIER and not ("multiplier" in entry and instrument.currency):
            raise ValueError("multiplier and currency are missing")
        if any(edge < 0 or tick <= 0 for edge, tick in instrument.price_increments):
            raise ValueError("price_increments are levels from zero up, each with a tick size above zero")
        if list(instrument.price_increments) != sorted(instrument.price_increments):
            raise ValueError("price_increments must ascend")
        for key in ("multiplier", "price_magnifier", "tick_size", "size_increment"):
            if getattr(instrument, key) <= 0:
                raise ValueError(f"{key} must be above zero")
    except (ValueError, msgspec.ValidationError) as error:
        raise InstrumentsFileError(f"instrument {name} in {path} is invalid ({error}); correct that entry") from error
    return instrument
