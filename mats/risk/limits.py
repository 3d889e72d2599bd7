"""The limits that pre-trade checks hold orders against."""

from decimal import Decimal

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts are in the base currency. Orders that only reduce a position are free of every limit but the tick."""

    max_order_quantity: Decimal = Decimal(100_000)
    """Units in one order."""

    max_order_notional: Decimal = Decimal(500_000)
    """Value of one order."""

    max_position_notional: Decimal = Decimal(1_000_000)
    """Value of one strategy's position in one instrument if all its orders on that side fill."""

    max_account_notional: Decimal = Decimal(5_000_000)
    """Value of the account's net position in one instrument if all orders on that side fill."""

    max_orders_per_minute: int = 120
    """New orders of one strategy within 60 seconds."""

    stale_after: float = 30.0
    """Seconds without data after which an instrument takes no new risk."""

    rate_stale_after: float = 86_400.0
    """Seconds after which an exchange rate is no longer known."""


UNLIMITED = Limits(
    max_order_quantity=Decimal(10) ** 24,
    max_order_notional=Decimal(10) ** 24,
    max_position_notional=Decimal(10) ** 24,
    max_account_notional=Decimal(10) ** 24,
    max_orders_per_minute=10**9,
)
"""Limits that no order reaches; data must be fresh all the same."""
