"""Messages of the gateway, in the layouts of server version 178.

Source of the layouts: the decoders of the TWS API reference clients.
"""

from datetime import datetime
from decimal import Decimal

from mats.gateway.protocol.wire import Field, Message
from mats.model import SECOND, Instrument, Nanos, SecType, to_datetime

UNSET = "1.7976931348623157E308"


def format_time(instant: Nanos) -> str:
    """An instant in the wire format: `20260413 15:27:04 UTC`."""
    return to_datetime(instant).strftime("%Y%m%d %H:%M:%S UTC")


def contract(instrument: Instrument, *, exchange: str | None = None) -> Message:
    """The eleven contract fields of most messages."""
    return (
        instrument.con_id,
        instrument.symbol,
        instrument.sec_type.value,
        instrument.expiry,
        instrument.strike,
        instrument.right,
        multiplier(instrument),
        instrument.exchange if exchange is None else exchange,
        instrument.currency,
        instrument.local_symbol,
        instrument.trading_class,
    )


UNMULTIPLIED = frozenset({SecType.STOCK, SecType.CASH, SecType.INDEX, SecType.CRYPTO, SecType.BOND})
"""Types without a multiplier; the others state theirs even where it is 1."""


def multiplier(instrument: Instrument) -> Field:
    return "" if instrument.sec_type in UNMULTIPLIED else instrument.multiplier


def handshake(version: int, now: datetime) -> Message:
    return (version, now.strftime("%Y%m%d %H:%M:%S UTC"))


def managed_accounts(accounts: tuple[str, ...]) -> Message:
    return (15, 1, ",".join(accounts))


def next_valid_id(order_id: int) -> Message:
    return (9, 1, order_id)


def error(request_id: int, code: int, text: str) -> Message:
    return (4, 2, request_id, code, text, "")


def current_time(now: Nanos) -> Message:
    return (49, 1, now // SECOND)


def position(account: str, instrument: Instrument, quantity: Decimal, average_cost: Decimal) -> Message:
    """A position; IB leaves the exchange out, and writes the strike with its point where there is none."""
    con_id, symbol, kind, expiry, strike, *rest = contract(instrument, exchange="")
    return (61, 3, account, con_id, symbol, kind, expiry, text_of_strike(strike), *rest, quantity, number(average_cost))


def text_of_strike(strike: Field) -> str:
    return str(float(str(strike)))


def position_end() -> Message:
    return (62, 1)


def account_value(account: str, tag: str, value: str, currency: str) -> Message:
    return (6, 2, tag, value, currency, account)


def account_time(now: Nanos) -> Message:
    return (8, 1, to_datetime(now).strftime("%H:%M"))


def account_download_end(account: str) -> Message:
    return (54, 1, account)


def portfolio_value(
    account: str, instrument: Instrument, quantity: Decimal, price: Decimal, cost: Decimal, realized: Decimal
) -> Message:
    """A position at its mark; `price` and `cost` are per unit, the amounts in the instrument's currency."""
    value = quantity * price * instrument.unit_value
    unrealized = quantity * (price - cost) * instrument.unit_value
    average_cost = cost * instrument.unit_value
    return (
        7,
        8,
        *contract(instrument, exchange=instrument.primary_exchange or instrument.exchange),
        quantity,
        number(price),
        number(value),
        number(average_cost),
        number(unrealized),
        number(realized),
        account,
    )


def account_update_multi(request_id: int, account: str, model: str, tag: str, value: str, currency: str) -> Message:
    return (73, 1, request_id, account, model, tag, value, currency)


def account_update_multi_end(request_id: int) -> Message:
    return (74, 1, request_id)


def account_summary(request_id: int, account: str, tag: str, value: str, currency: str) -> Message:
    return (63, 1, request_id, account, tag, value, currency)


def account_summary_end(request_id: int) -> Message:
    return (64, 1, request_id)


def position_multi(request_id: int, account: str, position: Message, model: str) -> Message:
    """`position` is the contract, the quantity and the average cost."""
    return (71, 1, request_id, account, *position, model)


def position_multi_end(request_id: int) -> Message:
    return (72, 1, request_id)


def pnl(request_id: int, daily: Decimal, unrealized: Decimal, realized: Decimal) -> Message:
    return (94, request_id, number(daily), number(unrealized), number(realized))


def pnl_single(
    request_id: int, quantity: Decimal, daily: Decimal, unrealized: Decimal, realized: Decimal, value: Decimal
) -> Message:
    return (95, request_id, quantity, number(daily), number(unrealized), number(realized), number(value))


def open_order_end() -> Message:
    return (53, 1)


def completed_orders_end() -> Message:
    return (102,)


def executions_end(request_id: int) -> Message:
    return (55, 1, request_id)


def number(value: Decimal) -> Field:
    """A derived amount, rounded to eight digits."""
    return round(value, 8)
