"""How much worse than the quote an order trades."""

from decimal import Decimal
from typing import Protocol

from mats.model import ZERO, Instrument, Side


class SlippageModel(Protocol):
    def price(self, instrument: Instrument, side: Side, quantity: Decimal, quoted: Decimal, size: Decimal) -> Decimal:
        """What a fill of `quantity` is paid at a quote of `size`; the venue cuts it at the order's limit."""


class NoSlippage:
    """At the quote. What exceeds its size waits for the next one, which is slippage enough for most purposes."""

    def price(self, instrument: Instrument, side: Side, quantity: Decimal, quoted: Decimal, size: Decimal) -> Decimal:
        return quoted


class FixedSlippage:
    """So many ticks worse than the quote, always."""

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks

    def price(self, instrument: Instrument, side: Side, quantity: Decimal, quoted: Decimal, size: Decimal) -> Decimal:
        return max(quoted + side.sign * self._ticks * instrument.tick_size, instrument.tick_size)


class ImpactSlippage:
    """`ticks` worse for a fill that takes the whole quoted size, and the square root of its share of it for less.

    Source: the square-root law of market impact; Almgren, Thum, Hauptmann and Li, "Direct Estimation of Equity Market
    Impact", 2005, measure an exponent of about 0.6 for US stocks.
    """

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks

    def price(self, instrument: Instrument, side: Side, quantity: Decimal, quoted: Decimal, size: Decimal) -> Decimal:
        share = min(quantity / size, Decimal(1)) if size else ZERO
        worse = (self._ticks * share.sqrt()).to_integral_value("ROUND_CEILING")
        return max(quoted + side.sign * worse * instrument.tick_size, instrument.tick_size)
