"""Market data subscriptions, by instrument."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from mats.model import InstrumentId

T = TypeVar("T")

SubscriptionId = tuple[int, int]
"""Client id and request id."""


class Subscriptions(Generic[T]):
    """Subscriptions with their options."""

    def __init__(self) -> None:
        self._by_instrument: dict[InstrumentId, dict[SubscriptionId, T]] = {}
        self._instruments: dict[SubscriptionId, InstrumentId] = {}

    def __contains__(self, subscription: SubscriptionId) -> bool:
        return subscription in self._instruments

    def __iter__(self) -> Iterator[SubscriptionId]:
        return iter(tuple(self._instruments))

    def __len__(self) -> int:
        return len(self._instruments)

    @property
    def instruments(self) -> list[InstrumentId]:
        """The instruments with at least one subscription."""
        return list(dict.fromkeys(self._instruments.values()))

    def on(self, instrument: InstrumentId) -> dict[SubscriptionId, T]:
        """The subscriptions to an instrument that are served; must not be modified."""
        return self._by_instrument.get(instrument) or {}

    def add(self, subscription: SubscriptionId, instrument: InstrumentId, options: T) -> None:
        self.remove(subscription)
        self._by_instrument.setdefault(instrument, {})[subscription] = options
        self._instruments[subscription] = instrument

    def remove(self, subscription: SubscriptionId) -> bool:
        """Ends a subscription; False if there is none."""
        instrument = self._instruments.pop(subscription, None)
        if instrument is None:
            return False
        subscriptions = self._by_instrument.get(instrument, {})
        subscriptions.pop(subscription, None)
        if not subscriptions:
            self._by_instrument.pop(instrument, None)
        return True

    def silence(self, instrument: InstrumentId | None = None) -> None:
        """Subscriptions stay and are served no more: those to one instrument, or all."""
        for name in tuple(self._by_instrument) if instrument is None else (instrument,):
            self._by_instrument.pop(name, None)

    def remove_where(self, condition: Callable[[SubscriptionId], bool]) -> None:
        """Ends the subscriptions for which `condition` holds."""
        for subscription in [subscription for subscription in self._instruments if condition(subscription)]:
            self.remove(subscription)
