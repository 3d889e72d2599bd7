"""Order tickets: `market()`, `limit(167.65)`, `stop(160)`, `stop_limit(160, 159.5)`."""

from decimal import Decimal

from mats.model import OrderTicket, OrderType, TimeInForce, exact

Price = Decimal | float | int


def market(tif: TimeInForce = TimeInForce.DAY) -> OrderTicket:
    """At the best available price: now in regular hours, else at the next open."""
    return OrderTicket(order_type=OrderType.MARKET, tif=tif)


def limit(price: Price, tif: TimeInForce = TimeInForce.DAY, *, outside_rth: bool = False) -> OrderTicket:
    """At `price` or better; the price must lie on the instrument's tick grid.

    Here as below, `outside_rth` lets the order trade outside of regular hours too; an order without a limit the
    broker may hold until the open all the same.
    """
    return OrderTicket(order_type=OrderType.LIMIT, limit_price=order_price(price), tif=tif, outside_rth=outside_rth)


def stop(price: Price, tif: TimeInForce = TimeInForce.DAY, *, outside_rth: bool = False) -> OrderTicket:
    """A market order once the market trades at `price` or through it."""
    return OrderTicket(order_type=OrderType.STOP, stop_price=order_price(price), tif=tif, outside_rth=outside_rth)


def stop_limit(
    price: Price, limit_price: Price, tif: TimeInForce = TimeInForce.DAY, *, outside_rth: bool = False
) -> OrderTicket:
    """A limit order at `limit_price` once the market trades at `price` or through it."""
    return OrderTicket(
        order_type=OrderType.STOP_LIMIT,
        stop_price=order_price(price),
        limit_price=order_price(limit_price),
        tif=tif,
        outside_rth=outside_rth,
    )


def order_price(price: Price) -> Decimal:
    """The exact price; a float is rounded to 8 decimals, so that `100.3 - 0.2` is 100.1."""
    return exact(round(price, 8) if isinstance(price, float) else price)
