"""Causes of a break: a split, a change of symbol, an expiry, an exercise, or none of these.

An operator confirms splits and changes of symbol; expiry and exercise follow from the terms of the contract.
"""

from decimal import Decimal

import msgspec

from mats.model import InstrumentId


class Residual(msgspec.Struct, frozen=True, tag="residual"):
    """No corporate action: the difference is booked to `Discretionary`."""

    @property
    def text(self) -> str:
        return "a residual"


class SplitCause(msgspec.Struct, frozen=True, tag="split"):
    """Every `old` units have become `new` ones; the cost of the position stays."""

    instrument: InstrumentId
    new: int
    old: int

    @property
    def text(self) -> str:
        return f"a {self.new}:{self.old} split of {self.instrument}"


class SymbolChangeCause(msgspec.Struct, frozen=True, tag="symbol"):
    """What was held as `instrument` is held as `successor`, at the same cost."""

    instrument: InstrumentId
    successor: InstrumentId

    @property
    def text(self) -> str:
        return f"a change of symbol from {self.instrument} to {self.successor}"


class ExpiryCause(msgspec.Struct, frozen=True, tag="expiry"):
    """The contract ended. `price` is its settlement price for one unit; None where it is not known."""

    instrument: InstrumentId
    price: Decimal | None = None

    @property
    def text(self) -> str:
        return f"the expiry of {self.instrument}"


class ExerciseCause(msgspec.Struct, frozen=True, tag="exercise"):
    """`contracts` (signed as held) of an option were exercised or assigned: `units` (signed) of the underlying came in
    at `strike`."""

    instrument: InstrumentId
    underlying: InstrumentId
    contracts: Decimal
    units: Decimal
    strike: Decimal

    @property
    def text(self) -> str:
        return (
            f"the exercise or assignment of {self.contracts:f} {self.instrument}: {self.units:+f} {self.underlying}"
            f" at {self.strike:f}"
        )


BreakCause = Residual | SplitCause | SymbolChangeCause | ExpiryCause | ExerciseCause


def instruments_of(cause: BreakCause) -> tuple[InstrumentId, ...]:
    """Every instrument that a cause changes; the break of the first one carries its entries."""
    match cause:
        case SymbolChangeCause():
            return cause.instrument, cause.successor
        case ExerciseCause():
            return cause.instrument, cause.underlying
        case Residual():
            return ()
    return (cause.instrument,)
