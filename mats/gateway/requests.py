"""What clients ask, as far as it takes more than a field or two to read."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from mats.gateway.wire import Fields, WireError
from mats.model.timestamp import DAY, SECOND, Nanos, from_datetime
from mats.venue.universe import ContractQuery

PROFILE_DROPPED = 177
"""The server version from which placeOrder has no faProfile field."""


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A placeOrder request: a new order, a change of a working one, or a question what one would cost."""

    order_id: int
    contract: ContractQuery
    action: str
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    tif: str
    oca_group: str
    account: str
    order_ref: str
    transmit: bool
    parent_id: int
    outside_rth: bool
    what_if: bool


class ExecutionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which executions to report; an empty field lets all pass. `since` is an instant."""

    client_id: int
    account: str
    since: Nanos
    symbol: str
    sec_type: str
    side: str


def contract_query(fields: Fields) -> ContractQuery:
    """Reads the twelve contract fields of a request."""
    con_id, symbol, sec_type, expiry = fields.integer(), fields.text(), fields.text(), fields.text()
    strike, right, multiplier = fields.decimal(), fields.text(), fields.text()
    exchange, primary_exchange, currency = fields.text(), fields.text(), fields.text()
    return ContractQuery(
        con_id=con_id,
        symbol=symbol,
        sec_type=sec_type,
        expiry=expiry,
        strike=strike,
        right=right,
        multiplier=multiplier,
        exchange=exchange,
        primary_exchange=primary_exchange,
        currency=currency,
        local_symbol=fields.text(),
        trading_class=fields.text(),
    )


def place_order(fields: Fields, version: int) -> PlaceOrder:
    """Reads the head of the request, and walks its optional blocks to `whatIf`. Combinations are refused as unknown."""
    order_id, contract = fields.integer(), contract_query(fields)
    fields.skip(2)
    action, quantity, order_type = fields.text(), fields.decimal(), fields.text()
    limit_price, stop_price, tif, oca_group = fields.optional(), fields.optional(), fields.text(), fields.text()
    account = fields.text()
    fields.skip(2)
    order_ref, transmit, parent_id = fields.text(), fields.flag(), fields.integer()
    fields.skip(4)
    outside_rth = fields.flag()
    fields.skip(1)
    return PlaceOrder(
        order_id=order_id,
        contract=contract,
        action=action,
        quantity=quantity,
        order_type=order_type.replace("STPLMT", "STP LMT"),
        limit_price=limit_price,
        stop_price=stop_price,
        tif=tif or "DAY",
        oca_group=oca_group,
        account=account,
        order_ref=order_ref,
        transmit=transmit,
        parent_id=parent_id,
        outside_rth=outside_rth,
        what_if=contract.sec_type != "BAG" and _what_if(fields, version),
    )


def _what_if(fields: Fields, version: int) -> bool:
    fields.skip(7 + (version < PROFILE_DROPPED) + 22)
    if fields.text():
        fields.skip(9)
    else:
        fields.skip(1)
    fields.skip(6)
    if fields.decimal() > 0:
        fields.skip(7)
    fields.skip(3)
    if fields.text():
        fields.skip(1)
    fields.skip(4)
    if fields.flag():
        fields.skip(3)
    if fields.text():
        fields.skip(2 * fields.integer())
    fields.skip(1)
    return fields.flag()


def execution_filter(fields: Fields) -> ExecutionFilter:
    client_id, account, since = fields.integer(), fields.text(), fields.text()
    symbol, sec_type = fields.text(), fields.text()
    fields.skip(1)
    return ExecutionFilter(
        client_id=client_id,
        account=account,
        since=instant(since) if since else 0,
        symbol=symbol,
        sec_type=sec_type,
        side={"BUY": "BUY", "BOT": "BUY", "SELL": "SELL", "SLD": "SELL"}.get(fields.text(), ""),
    )


def instant(text: str) -> Nanos:
    """`yyyymmdd hh:mm:ss ZONE` or `yyyymmdd-hh:mm:ss`; UTC where no zone is named. Raises WireError."""
    match = re.fullmatch(r"(\d{8})[ -]+(\d\d:\d\d:\d\d)(?: (\S+))?", text)
    try:
        if not match:
            raise ValueError(text)
        moment = datetime.strptime(match[1] + match[2], "%Y%m%d%H:%M:%S").replace(tzinfo=UTC)  # zone follows
        return from_datetime(moment.replace(tzinfo=ZoneInfo(match[3])) if match[3] else moment)
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise WireError(f"{text!r} is not a time; write yyyymmdd hh:mm:ss ZONE") from error


DURATIONS: dict[str, Nanos] = {"S": SECOND, "D": DAY, "W": 7 * DAY, "M": 31 * DAY, "Y": 366 * DAY}

BAR_SIZES: dict[str, int] = {
    **{f"{n} secs": n for n in (5, 10, 15, 30)},
    **{f"{n} min{'s' if n > 1 else ''}": 60 * n for n in (1, 2, 3, 5, 10, 15, 20, 30)},
    "1 hour": 3600,
    **{f"{n} hours": 3600 * n for n in (2, 3, 4, 8)},
    "1 day": 86400,
}
"""Seconds of each bar size."""


def duration(text: str) -> Nanos:
    """`3600 S`, `2 D`, `1 W`, `1 M`, `1 Y`; 0 where it is none of them."""
    count, _, unit = text.partition(" ")
    return int(count) * DURATIONS[unit] if count.isdigit() and unit in DURATIONS else 0
