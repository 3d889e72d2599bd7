"""How much money a strategy may work with, and conversion to the base currency. What is not known is `Unknown`."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from mats.model.money import ONE, ZERO, Currency
from mats.model.orders import StrategyName
from mats.model.timestamp import SECOND, Nanos


class Unknown(msgspec.Struct, frozen=True):
    """A figure that is missing, and why. It is not zero, and a missing rate is not one."""

    reason: str


class Rate(msgspec.Struct, frozen=True):
    """One unit of a currency in the base currency, as of `time`."""

    value: Decimal
    time: Nanos


class Rates(msgspec.Struct, frozen=True):
    """Exchange rates into `base`."""

    base: Currency
    rates: Mapping[Currency, Rate] = {}

    def with_rate(self, currency: Currency, value: Decimal, time: Nanos) -> "Rates":
        """The rates with a newer one; an older one than is known changes nothing, one that is not positive raises."""
        if value <= 0:
            raise ValueError(f"rate {value} of {currency} is not positive; give {self.base} for one {currency}")
        known = self.rates.get(currency)
        if known and known.time > time:
            return self
        return Rates(self.base, {**self.rates, currency: Rate(value, time)})

    def rate(self, currency: Currency, now: Nanos, max_age: float) -> Decimal | Unknown:
        """Base currency for one unit of `currency`, no older than `max_age` seconds."""
        if currency == self.base:
            return ONE
        known = self.rates.get(currency)
        if known is None:
            return Unknown(f"no rate from {currency} to {self.base} is known")
        age = (now - known.time) / SECOND
        if age > max_age:
            return Unknown(f"the rate from {currency} to {self.base} is {age:.0f} s old, more than {max_age:g} s")
        return known.value

    def convert(self, amount: Decimal, currency: Currency, now: Nanos, max_age: float) -> Decimal | Unknown:
        """`amount` of `currency` in the base currency."""
        rate = self.rate(currency, now, max_age)
        return rate if isinstance(rate, Unknown) else amount * rate


def strategy_equity(
    explicit: Decimal | None, target_weight: Decimal | None, total_equity: Decimal | None
) -> Decimal | Unknown:
    """The equity of a strategy in the base currency: the explicit one, else `target_weight × total_equity`."""
    if explicit is not None:
        return explicit
    if target_weight is None:
        return Unknown("the strategy has neither an equity of its own nor a target weight")
    if total_equity is None:
        return Unknown("the account's total equity is not known yet")
    return target_weight * total_equity


def check_weights(weights: Mapping[StrategyName, Decimal], allow_leverage: bool) -> None:
    """Target weights of the active strategies: none negative, and together at most 1 unless leverage is allowed."""
    for strategy, weight in weights.items():
        if not weight.is_finite() or weight < 0:
            raise ValueError(f"target_weight {weight} of {strategy} is not a share; give a number from 0 to 1")
    total = sum(weights.values(), ZERO)
    if total > 1 and not allow_leverage:
        named = ", ".join(f"{strategy} {weight}" for strategy, weight in sorted(weights.items()))
        raise ValueError(f"target weights sum to {total} ({named}); lower them to at most 1 or allow leverage")
