"""Bars of one instrument as columns, and its corporate actions: the data of a backtest."""

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
import numpy as np
import numpy.typing as npt

from mats.model.instrument import Instrument, InstrumentId
from mats.model.money import Currency
from mats.model.timestamp import SECOND, Nanos

Floats = npt.NDArray[np.float64]
Instants = npt.NDArray[np.int64]


class BarColumns(msgspec.Struct, frozen=True, eq=False):
    """Bars of `seconds`: `start` in nanoseconds UTC, ascending; prices and volume as floats.

    `spread` is the quoted spread at each close in units of price, None where the source has none. `ends` is when each
    bar is over where that is not `seconds` after its start: a session's close comes earlier.
    """

    instrument: InstrumentId
    seconds: int
    start: Instants
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    spread: Floats | None = None
    ends: Instants | None = None

    def __len__(self) -> int:
        return len(self.start)

    @property
    def end(self) -> Instants:
        """The instants from which each bar is known."""
        return self.start + self.seconds * SECOND if self.ends is None else self.ends

    def between(self, first: Nanos, last: Nanos) -> "BarColumns":
        """The bars that start at or after `first` and end at or before `last`, without a copy."""
        low = int(np.searchsorted(self.start, first, side="left"))
        high = int(np.searchsorted(self.end, last, side="right"))
        part = slice(low, max(low, high))
        return BarColumns(
            self.instrument,
            self.seconds,
            self.start[part],
            self.open[part],
            self.high[part],
            self.low[part],
            self.close[part],
            self.volume[part],
            None if self.spread is None else self.spread[part],
            None if self.ends is None else self.ends[part],
        )

    def fingerprint(self) -> str:
        """A hash of every value: equal fingerprints are equal bars."""
        digest = hashlib.blake2b(f"{self.instrument}/{self.seconds}".encode(), digest_size=16)
        columns = (self.start, self.open, self.high, self.low, self.close, self.volume, self.spread)
        for column in columns:
            digest.update(b"-" if column is None else np.ascontiguousarray(column).data)
        if self.ends is not None:
            digest.update(np.ascontiguousarray(self.ends).data)
        return digest.hexdigest()


class Split(msgspec.Struct, frozen=True):
    """From `time` on, each unit is `ratio` units: 7 for a 7:1 split."""

    time: Nanos
    ratio: Decimal


class Dividend(msgspec.Struct, frozen=True):
    """A holder at `time` (the ex-date's open) receives `amount` of `currency` per unit; a short position pays it."""

    time: Nanos
    amount: Decimal
    currency: Currency


CorporateAction = Split | Dividend


class BarData(msgspec.Struct, frozen=True, eq=False):
    """The data of a backtest by instrument; all bars of one size.

    `hours` is which part of the sessions the bars are, `regular` or `extended`; empty where they are as they came.
    Those of `around_the_clock` lie outside of their exchange's sessions too, so days of UTC are theirs.
    """

    bars: Mapping[InstrumentId, BarColumns]
    instruments: Mapping[InstrumentId, Instrument]
    actions: Mapping[InstrumentId, tuple[CorporateAction, ...]] = {}
    hours: str = ""
    around_the_clock: frozenset[InstrumentId] = frozenset()

    def fingerprint(self) -> str:
        """A hash of bars, instruments and actions."""
        digest = hashlib.blake2b(digest_size=16)
        for name in sorted(self.bars):
            digest.update(self.bars[name].fingerprint().encode())
            digest.update(msgspec.json.encode((self.instruments[name], self.actions.get(name, ()))))
        return digest.hexdigest()


def merge_actions(actions: Iterable[CorporateAction]) -> tuple[CorporateAction, ...]:
    """The actions in order of time, without duplicates: of one time and kind the later one."""
    newest = {(action.time, type(action).__name__): action for action in actions}
    return tuple(newest[key] for key in sorted(newest))
