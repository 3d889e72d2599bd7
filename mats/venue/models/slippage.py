"""Slippage: by how much fills are worse than the quote."""

from decimal import Decimal
from typing import Protocol

from mats.model import ZERO, Instrument, Side


class SlippageModel(Protocol):
    def price(self, instrument: Instrument, side: Side, quantity: Decimal, quoted: Decimal, size: Decimal) -> Decimal:
        """The price of a fill of `quantity` at a quote of `size`; the venue caps it at the order's limit."""


class NoSlippage:
    """Fills at the quote. The part above its size waits for the next quote, which is sufficient for most purposes."""

    def price(self, instrument: Instrument, side: Side, quantity: Decimal, quoted: Decimal, size: Decimal) -> Decimal:
        return quoted


class FixedSlippage:
    """A constant number of ticks worse than the quote."""

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks

    def price(self, instrument: Instrument, side: Side, quantity: Decimal, quoted: Decimal, size: Decimal) -> Decimal:
        return max(quoted + side.sign * self._ticks * instrument.tick_at(quoted), instrument.tick_size)


class ImpactSlippage:
    """`ticks` worse for a fill of the whole quoted size; for less, scaled by the square root of its share.

    Source: the square-root law of market impact; Almgren, Thum, Hauptmann and Li, "Direct Estimation of Equity Market
    Impact", 2005, measure an exponent of about 0.6 for US stocks.
    """

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks

    def price(self, instrument: Instrument, side: Side, quantity: Decimal, quoted: Decimal, size: Decimal) -> Decimal:
        share = min(quantity / size, Decimal(1)) if size else ZERO
        worse = (self._ticks * share.sqrt()).to_integral_value("ROUND_CEILING")
        return max(quoted + side.sign * worse * instrument.tick_at(quoted), instrument.tick_size)
