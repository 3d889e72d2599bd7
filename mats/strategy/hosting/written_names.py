"""The names that a strategy writes, and the instruments that they mean: it sees its own names only."""

from typing import Protocol, TypeVar

from msgspec.structs import replace

from mats.model import FillRecorded, InstrumentId, OrderRequest, Signal


class OfInstrument(Protocol):
    """Any value about one instrument."""

    @property
    def instrument(self) -> InstrumentId: ...


T = TypeVar("T", bound=OfInstrument)
C = TypeVar("C")


class WrittenNames:
    """Translates both ways where a name is not that of its instrument: `ES:front`, `#756733`."""

    def __init__(self) -> None:
        self._meant: dict[InstrumentId, InstrumentId] = {}
        self._written: dict[InstrumentId, InstrumentId] = {}

    def learn(self, name: InstrumentId, instrument: InstrumentId) -> str:
        """A name means this instrument, for good; why that cannot be, empty where it can."""
        if name in self._meant:
            return ""
        other = self._written.setdefault(instrument, name)
        if other != name:
            return f"{other} and {name} are one instrument, {instrument}; name it once"
        self._meant[name] = instrument
        return ""

    def meant(self, name: InstrumentId) -> InstrumentId:
        """The instrument of a name of the strategy's."""
        return self._meant.get(name, name)

    def written(self, instrument: InstrumentId) -> InstrumentId:
        """How the strategy writes an instrument."""
        return self._written.get(instrument, instrument)

    def inward(self, value: T) -> T:
        """What is delivered to the strategy, under its own name."""
        name = self.written(value.instrument)
        return value if name == value.instrument else replace(value, instrument=name)  # type: ignore[type-var]

    def fill(self, fill: FillRecorded) -> FillRecorded:
        """An own fill, under the strategy's own name."""
        execution = self.inward(fill.execution)
        return fill if execution is fill.execution else replace(fill, execution=execution)

    def outward(self, command: C) -> C:
        """What the strategy requests, of the instrument that is meant."""
        if (
            isinstance(command, Signal | OrderRequest)
            and (meant := self.meant(command.instrument)) != command.instrument
        ):
            return replace(command, instrument=meant)
        return command
