"""The terms of the instruments of a backtest: known from a file, the registry or the venue's listings, or refused."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from mats.errors import DataError
from mats.instruments import WITH_MULTIPLIER, parse_instrument
from mats.model import ONE, Instrument, InstrumentId, SecType, exact
from mats.store.instruments import InstrumentsFileError, read_instruments, stored_instruments
from mats.venue.markets import DEFAULT_LISTINGS

FILE = "instruments.toml"
"""Beside the bars: terms of their instruments, in the form of the operator's own file."""


class Terms:
    """Looks terms up in the `files`, the first one first, then in the registry of the store at `uri`.

    What neither has is taken from the venue's listings: of the contract, or of another expiry of the same product.
    """

    def __init__(self, files: tuple[Path, ...], uri: str) -> None:
        try:
            self._files = [read_instruments(file) for file in files]
        except InstrumentsFileError as error:
            raise DataError(str(error)) from error
        self._uri, self._beside = uri, files[0] if files else Path(FILE)
        self._stored: Mapping[InstrumentId, Instrument] | None = None

    def of(self, name: InstrumentId) -> Instrument:
        """The instrument of a name. Raises DataError for a name that is none, and for terms that nobody states."""
        for file in self._files:
            if name in file:
                return file[name]
        try:
            said = parse_instrument(name)
        except ValueError as error:
            raise DataError(str(error)) from error
        if said.sec_type is SecType.CASH:
            return msgspec.structs.replace(said, tick_size=exact("0.005" if said.currency == "JPY" else "0.00005"))
        if said.sec_type is SecType.STOCK and said.currency:
            resolved = None if said.currency == "USD" else self._registry().get(name)
            return resolved or _listed().get(name) or said
        known = self._registry().get(name) or _listed().get(name) or _of_product(said)
        if known is None and not _says_its_terms(said):
            raise DataError(_unknown(name, self._beside))
        return known or said

    def _registry(self) -> Mapping[InstrumentId, Instrument]:
        if self._stored is None:
            known = stored_instruments(self._uri) if self._uri else []
            self._stored = {one.instrument.id: one.instrument for one in known if one.complete}
        return self._stored


@cache
def _listed() -> Mapping[InstrumentId, Instrument]:
    return {listing.instrument.id: listing.instrument for listing in DEFAULT_LISTINGS}


def _of_product(said: Instrument) -> Instrument | None:
    """The contract as another expiry of its product; every expiry of it has these terms."""
    if said.sec_type not in (SecType.FUTURE, SecType.CONTINUOUS_FUTURE):
        return None
    trading_class = said.trading_class or said.symbol
    for other in _listed().values():
        if (other.sec_type, other.symbol, other.trading_class) == (SecType.FUTURE, said.symbol, trading_class):
            own = {"id": said.id, "sec_type": said.sec_type, "expiry": said.expiry, "con_id": 0, "local_symbol": ""}
            return msgspec.structs.replace(other, **own)
    return None


def _says_its_terms(said: Instrument) -> bool:
    """Whether the name itself has the currency, and the multiplier where there is one: `SI.USD:202612*5000`."""
    stated = said.sec_type not in WITH_MULTIPLIER or said.multiplier != ONE or said.id.endswith("*1")
    return bool(said.currency) and stated


def _unknown(name: InstrumentId, file: Path) -> str:
    return (
        f"the multiplier and the currency of {name} are not known, and are not guessed; write them into {file}"
        f' (or the file that the setting instruments.file names): [[instrument]] id = "{name}",'
        ' multiplier = "50", currency = "USD", tick_size = "0.25"; contracts that a daemon has resolved are known'
        " from its store"
    )
