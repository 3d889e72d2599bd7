"""The limits that pre-trade checks hold orders against: the one place where each has its name, default and meaning.

Section [risk] of the settings has the same fields, see `mats.settings`.
"""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct, field

BAND = {"ge": 0}
"""What the setting of a band may be: at zero there is none. Every other limit is above zero."""


class Limits(Struct, frozen=True, kw_only=True):
    """Amounts are in the base currency. Orders that only reduce a position are free of every limit but the tick.

    The least changes may be zero, every other is above it. `name` of a field is what stored backtests call it.
    """

    max_order_quantity: Annotated[Decimal, Meta(description="units in one order")] = Decimal(100_000)
    max_order_notional: Annotated[Decimal, Meta(description="value of one order")] = Decimal(500_000)
    max_position_notional: Annotated[
        Decimal, Meta(description="value of one strategy's position in one instrument if its orders on that side fill")
    ] = Decimal(1_000_000)
    max_account_notional: Annotated[
        Decimal,
        Meta(description="value of an account's net position in one instrument if all orders on that side fill"),
    ] = Decimal(5_000_000)
    max_orders_per_minute: Annotated[int, Meta(description="new orders of one strategy within 60 seconds")] = 120
    least_change_share: Annotated[
        Decimal,
        Meta(description="a target that differs from the position by less than this share trades nothing", extra=BAND),
    ] = Decimal("0.01")
    least_change_value: Annotated[
        Decimal,
        Meta(description="nor does one that differs by less than this value; 0: only the share counts", extra=BAND),
    ] = Decimal(0)
    max_price_age_seconds: Annotated[float, Meta(description="with an older price no new risk is taken")] = field(
        default=30.0, name="stale_after"
    )
    max_rate_age_seconds: Annotated[float, Meta(description="an older exchange rate counts as unknown")] = field(
        default=86_400.0, name="rate_stale_after"
    )


UNLIMITED = Limits(
    max_order_quantity=Decimal(10) ** 24,
    max_order_notional=Decimal(10) ** 24,
    max_position_notional=Decimal(10) ** 24,
    max_account_notional=Decimal(10) ** 24,
    max_orders_per_minute=10**9,
)
"""Limits that no order reaches; data must be fresh all the same."""
