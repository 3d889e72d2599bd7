"""Walk-forward: parameters are chosen on one stretch of time and tested on the next one, repeatedly."""

import re
from collections.abc import Sequence

import msgspec
import numpy as np

from mats.errors import StrategyError
from mats.model import DAY, HOUR, MINUTE, Nanos
from mats.model.bar_columns import Floats, Instants

UNITS = {"w": 7 * DAY, "d": DAY, "h": HOUR, "m": MINUTE}
SPAN = re.compile(r"(\d+)([wdhm])")


class WalkForwardWindow(msgspec.Struct, frozen=True):
    """Train on `[start, turn)`, test on `[turn, end)`; `number` counts from 1."""

    number: int
    start: Nanos
    turn: Nanos
    end: Nanos


def parse_spans(text: str) -> tuple[Nanos, Nanos]:
    """Train and test spans of `90d:30d`; w, d, h and m are weeks, days, hours and minutes. Raises StrategyError."""
    found = [SPAN.fullmatch(part) for part in text.split(":")]
    if len(found) != 2 or not all(found):
        raise StrategyError(f"walk-forward {text!r} cannot be read; write TRAIN:TEST, for example 90d:30d")
    train, test = (int(match[1]) * UNITS[match[2]] for match in found if match is not None)
    if not train or not test:
        raise StrategyError(f"walk-forward {text!r} has an empty span; give both more than 0")
    return train, test


def windows(start: Nanos, end: Nanos, train: Nanos, test: Nanos) -> tuple[WalkForwardWindow, ...]:
    """Windows that advance by `test`, so that the tests follow each other without a gap; the last one may be cut short.

    Raises StrategyError where not even one fits.
    """
    if start + train >= end:
        raise StrategyError(
            f"the period of {(end - start) / DAY:,.1f} days leaves no time to test after training on"
            f" {train / DAY:,.1f}; lengthen the period or shorten the training"
        )
    turns = range(start + train, end, test)
    return tuple(WalkForwardWindow(at, turn - train, turn, min(turn + test, end)) for at, turn in enumerate(turns, 1))


def stitch(curves: Sequence[tuple[Instants, Floats]], capital: float) -> tuple[Instants, Floats]:
    """One curve of test runs that each began with `capital`: every run continues from the equity of the last."""
    held, parts = 1.0, []
    for _, equity in curves:
        parts.append(equity * held)
        if len(equity):
            held *= float(equity[-1]) / capital
    if not parts:
        return np.array([], dtype=np.int64), np.array([])
    return np.concatenate([time for time, _ in curves]), np.concatenate(parts)
