"""Who is subscribed to what: lines by instrument."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from mats.model import InstrumentId

T = TypeVar("T")

Line = tuple[int, int]
"""A subscription: client id and request id."""


class Subscriptions(Generic[T]):
    """Lines with what each wants of its instrument."""

    def __init__(self) -> None:
        self._by_name: dict[InstrumentId, dict[Line, T]] = {}
        self._names: dict[Line, InstrumentId] = {}

    def __contains__(self, line: Line) -> bool:
        return line in self._names

    def __iter__(self) -> Iterator[Line]:
        return iter(tuple(self._names))

    def __len__(self) -> int:
        return len(self._names)

    @property
    def names(self) -> list[InstrumentId]:
        """The instruments that somebody is subscribed to."""
        return list(self._by_name)

    def of(self, name: InstrumentId) -> dict[Line, T]:
        """The lines of an instrument; not to be changed."""
        return self._by_name.get(name) or {}

    def add(self, line: Line, name: InstrumentId, wish: T) -> None:
        self.remove(line)
        self._by_name.setdefault(name, {})[line] = wish
        self._names[line] = name

    def remove(self, line: Line) -> bool:
        """Ends a subscription; False where there is none."""
        name = self._names.pop(line, None)
        if name is None:
            return False
        lines = self._by_name[name]
        del lines[line]
        if not lines:
            del self._by_name[name]
        return True

    def drop(self, gone: Callable[[Line], bool]) -> None:
        """Ends the subscriptions for which `gone` holds."""
        for line in [line for line in self._names if gone(line)]:
            self.remove(line)
