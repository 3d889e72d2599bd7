"""Exchange rates with their age and their source. A rate that is missing or too old is `Unknown`, and never one.

Two sources feed them: the mid of a pair's quotes, and the rates among the broker's account values. The newer one
counts. A currency without a rate of its own is triangulated through one other currency, usually US dollars.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from mats.model import CURRENCIES, ONE, SECOND, Currency, Figure, InstrumentId, Nanos, Unknown

Pair = tuple[Currency, Currency]

HUB: Currency = "USD"
"""IB lists every currency against it, so a rate between any two needs at most two pairs."""

AHEAD_OF_HUB = frozenset(("EUR", "GBP", "AUD", "NZD"))
"""Currencies that are quoted in US dollars (EURUSD); of all others a dollar is quoted (USDJPY). Source: IDEALPRO."""


class FxRate(msgspec.Struct, frozen=True):
    """The value of one unit of a currency in another at `time`, and its source."""

    value: Decimal
    time: Nanos
    source: str


class FxRates(msgspec.Struct, frozen=True):
    """Rates into `base`. `pairs` has the newest rate of each pair as reported: for (EUR, USD), dollars per euro."""

    base: Currency
    pairs: Mapping[Pair, FxRate] = {}

    def with_rate(self, currency: Currency, counter: Currency, value: Decimal, time: Nanos, source: str) -> "FxRates":
        """The rates with a newer one: `value` of `counter` for one `currency`.

        One older than the known rate changes nothing; one that is not positive and finite raises ValueError.
        """
        if not value.is_finite() or value <= 0:
            raise ValueError(f"rate {value} of {currency} is not positive; give {counter} for one {currency}")
        known = self.pairs.get((currency, counter))
        if known and known.time > time:
            return self
        return FxRates(self.base, {**self.pairs, (currency, counter): FxRate(value, time, source)})

    def find(self, currency: Currency, now: Nanos, max_age: float) -> FxRate | Unknown:
        """Base currency for one unit of `currency`, no older than `max_age` seconds; a chain is as old as its oldest.

        A direct pair wins; else the newest chain over one other currency. Inverses have 28 digits.
        """
        if currency == self.base:
            return FxRate(ONE, now, "base currency")
        found = self._between(currency, self.base) or max(
            self._chains(currency), key=lambda rate: (rate.time, rate.source), default=None
        )
        if found is None:
            return Unknown(f"no rate from {currency} to {self.base} is known")
        age = (now - found.time) / SECOND
        if age > max_age:
            return Unknown(f"the rate from {currency} to {self.base} is {age:.0f} s old, more than {max_age:g} s")
        return found

    def rate(self, currency: Currency, now: Nanos, max_age: float) -> Figure:
        """Base currency for one unit of `currency`, no older than `max_age` seconds."""
        if currency == self.base:
            return ONE
        found = self.find(currency, now, max_age)
        return found if isinstance(found, Unknown) else found.value

    def convert(self, amount: Decimal, currency: Currency, now: Nanos, max_age: float) -> Figure:
        """`amount` of `currency` in the base currency."""
        rate = self.rate(currency, now, max_age)
        return rate if isinstance(rate, Unknown) else amount * rate

    def _between(self, currency: Currency, counter: Currency) -> FxRate | None:
        """The newer of the pair and its inverse."""
        direct, inverse = self.pairs.get((currency, counter)), self.pairs.get((counter, currency))
        if inverse is None or (direct is not None and direct.time >= inverse.time):
            return direct
        return FxRate(ONE / inverse.value, inverse.time, f"inverse of {inverse.source}")

    def _chains(self, currency: Currency) -> Iterator[FxRate]:
        """Rates over each currency that has one to both ends."""
        for via in {end for pair in self.pairs for end in pair} - {currency, self.base}:
            first, second = self._between(currency, via), self._between(via, self.base)
            if first and second:
                source = f"{first.source} × {second.source}"
                yield FxRate(first.value * second.value, min(first.time, second.time), source)


def pair_of(instrument: InstrumentId) -> Pair | None:
    """The two currencies of a pair such as `EURUSD`, None for everything else."""
    pair = instrument[:3], instrument[3:]
    return pair if len(instrument) == 6 and CURRENCIES.issuperset(pair) else None


def conversion_pairs(currencies: Iterable[Currency], base: Currency) -> frozenset[InstrumentId]:
    """The pairs whose quotes convert all of `currencies` into `base`, directly or through US dollars."""
    foreign = set(currencies) - {base}
    needed = {*foreign, base} if foreign else set[Currency]()
    return frozenset(
        currency + HUB if currency in AHEAD_OF_HUB else HUB + currency for currency in (needed & CURRENCIES) - {HUB}
    )
