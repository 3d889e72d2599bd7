"""Fees: the schedules that Interactive Brokers publishes under "Commissions", all in the base currency.

Fixed, US stocks: USD 0.005 a share, at least 1.00 and at most 1 % of the trade value an order; where the two disagree
the maximum holds. Stocks elsewhere: 0.05 % of the value, at least 3.00. Pairs: 0.20 basis points, at least 2.00. US
options: 0.65 a contract, at least 1.00. Futures: 0.85 a contract; ES 2.25 and MES 0.62, with the fees of their
exchange, as IB's commission reports have them.

Tiered, by what the account traded before in the calendar month. US stocks, shares: 0.0035 to 300,000, then 0.0020 to
3 million, 0.0015 to 20 million, 0.0010 to 100 million, 0.0005; at least 0.35, at most 1 % of the value; and to that the
clearing fee of 0.0002 a share. US options, contracts: 0.65 to 10,000, 0.50 to 50,000, 0.25 to 100,000, 0.15; premiums
below 0.10 cost at most 0.50, below 0.05 at most 0.25; at least 1.00. Pairs, value: 0.20 basis points to a thousand
million, 0.15 to two, 0.10 to five, 0.08; at least 2.00, 1.50, 1.25, 1.00. US futures, contracts: 0.85 to 1,000, 0.65 to
10,000, 0.45 to 20,000, 0.25.

Left out: fees of exchanges (but for ES and MES at fixed rates), which depend on the route, and the regulators' fees on
sales, which change every year.
"""

from decimal import Decimal
from typing import Protocol

from mats.model import ZERO, Instrument, SecType

Tiers = tuple[tuple[Decimal, Decimal], ...]
"""Upper bound of the month's volume and the rate up to it, ascending."""


def _tiers(*pairs: tuple[str, str]) -> Tiers:
    return tuple((Decimal(bound), Decimal(rate)) for bound, rate in pairs)


STOCK_RATE, STOCK_MINIMUM, STOCK_MAXIMUM = Decimal("0.005"), Decimal("1.00"), Decimal("0.01")
CLEARING = Decimal("0.0002")
STOCK_TIERS = _tiers(
    ("300e3", "0.0035"), ("3e6", "0.0020"), ("20e6", "0.0015"), ("100e6", "0.0010"), ("Infinity", "0.0005")
)
OPTION_TIERS = _tiers(("10e3", "0.65"), ("50e3", "0.50"), ("100e3", "0.25"), ("Infinity", "0.15"))
CHEAP_OPTIONS = _tiers(("0.05", "0.25"), ("0.10", "0.50"), ("Infinity", "0.65"))
FUTURE_TIERS = _tiers(("1e3", "0.85"), ("10e3", "0.65"), ("20e3", "0.45"), ("Infinity", "0.25"))
FUTURE_RATE = Decimal("0.85")
FUTURE_RATES = {"ES": Decimal("2.25"), "MES": Decimal("0.62")}
"""Fixed rates of contracts by their symbol, all fees included."""
PAIR_TIERS = _tiers(("1e9", "0.00002"), ("2e9", "0.000015"), ("5e9", "0.00001"), ("Infinity", "0.000008"))
PAIR_MINIMUMS = _tiers(("1e9", "2.00"), ("2e9", "1.50"), ("5e9", "1.25"), ("Infinity", "1.00"))


class FeeModel(Protocol):
    def order_fee(self, instrument: Instrument, quantity: Decimal, value: Decimal, month_volume: Decimal) -> Decimal:
        """The cost of the filled part of one order: `quantity` units worth `value` in the base currency.

        `month_volume` is what the account traded of this security type in the month before the order: in units, for
        pairs in value. The fee of a fill is the fee of its order with the fill less the fee without it.
        """


class NoFees:
    def order_fee(self, instrument: Instrument, quantity: Decimal, value: Decimal, month_volume: Decimal) -> Decimal:
        return ZERO


class PerUnitFees:
    """The same rate for every unit, without minimum and maximum."""

    def __init__(self, rate: Decimal) -> None:
        self._rate = rate

    def order_fee(self, instrument: Instrument, quantity: Decimal, value: Decimal, month_volume: Decimal) -> Decimal:
        return quantity * self._rate


class FixedFees:
    """IB's fixed schedule; the default."""

    def order_fee(self, instrument: Instrument, quantity: Decimal, value: Decimal, month_volume: Decimal) -> Decimal:
        if not quantity:
            return ZERO
        match instrument.sec_type:
            case SecType.STOCK if instrument.currency == "USD":
                return min(max(quantity * STOCK_RATE, STOCK_MINIMUM), value * STOCK_MAXIMUM)
            case SecType.STOCK:
                return max(value * Decimal("0.0005"), Decimal("3.00"))
            case SecType.CASH:
                return max(value * Decimal("0.00002"), Decimal("2.00"))
            case SecType.OPTION:
                return max(quantity * Decimal("0.65"), Decimal("1.00"))
            case SecType.FUTURE | SecType.CONTINUOUS_FUTURE:
                return quantity * FUTURE_RATES.get(instrument.symbol, FUTURE_RATE)
            case _:
                return quantity * FUTURE_RATE


class TieredFees:
    """IB's tiered schedule. An order that crosses a bound pays each rate for its part."""

    def order_fee(self, instrument: Instrument, quantity: Decimal, value: Decimal, month_volume: Decimal) -> Decimal:
        if not quantity:
            return ZERO
        match instrument.sec_type:
            case SecType.STOCK if instrument.currency == "USD":
                commission = max(tiered(STOCK_TIERS, month_volume, quantity), Decimal("0.35"))
                return min(commission, value * STOCK_MAXIMUM) + quantity * CLEARING
            case SecType.STOCK:
                return max(value * Decimal("0.0005"), Decimal("1.25"))
            case SecType.CASH:
                return max(tiered(PAIR_TIERS, month_volume, value), rate_at(PAIR_MINIMUMS, month_volume))
            case SecType.OPTION:
                premium = value / quantity / instrument.unit_value
                cost = min(tiered(OPTION_TIERS, month_volume, quantity), quantity * rate_at(CHEAP_OPTIONS, premium))
                return max(cost, Decimal("1.00"))
            case _:
                return tiered(FUTURE_TIERS, month_volume, quantity)


def tiered(tiers: Tiers, before: Decimal, amount: Decimal) -> Decimal:
    """The cost of `amount` that follows `before`, each part at the rate of its tier."""
    cost, low, high = ZERO, before, before + amount
    for bound, rate in tiers:
        part = min(high, bound) - low
        if part > 0:
            cost += part * rate
            low += part
    return cost


def rate_at(tiers: Tiers, amount: Decimal) -> Decimal:
    """The rate of the tier in which `amount` lies."""
    return next(rate for bound, rate in tiers if amount < bound)
