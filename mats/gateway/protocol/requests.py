"""Parses the requests that have more than a few fields."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from mats.gateway.protocol.wire import Fields, WireError
from mats.model import Nanos, from_datetime
from mats.venue.markets import ContractQuery

PROFILE_DROPPED = 177
"""The server version from which placeOrder has no faProfile field."""


ORDER_TYPES = {"STPLMT": "STP LMT", "TRAILLIMIT": "TRAIL LIMIT"}
"""Alternative spellings that TWS accepts."""


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A placeOrder request: a new order, a modification of a working one, or a what-if."""

    order_id: int
    contract: ContractQuery
    action: str
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None
    aux_price: Decimal | None
    tif: str
    oca_group: str
    oca_type: int
    account: str
    order_ref: str
    transmit: bool
    parent_id: int
    outside_rth: bool
    good_after: str
    good_till: str
    advisor_group: str
    all_or_none: bool
    trail_stop: Decimal | None
    trail_percent: Decimal | None
    limit_offset: Decimal | None
    conditions: int
    what_if: bool


class ExecutionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which executions to report; an empty field matches all. `since` is an instant."""

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
    """Reads the request field by field with its optional blocks; of a combination only the head."""
    order_id, contract = fields.integer(), contract_query(fields)
    fields.skip(2)
    action, quantity, order_type = fields.text(), fields.decimal(), fields.text()
    limit_price, aux_price, tif, oca_group = fields.optional(), fields.optional(), fields.text(), fields.text()
    account = fields.text()
    fields.skip(2)
    order_ref, transmit, parent_id = fields.text(), fields.flag(), fields.integer()
    fields.skip(4)
    outside_rth = fields.flag()
    fields.skip(1)
    extended = _ExtendedFields() if contract.sec_type == "BAG" else _extended_fields(fields, version, order_type)
    return PlaceOrder(
        order_id=order_id,
        contract=contract,
        action=action,
        quantity=quantity,
        order_type=ORDER_TYPES.get(order_type, order_type),
        limit_price=limit_price,
        aux_price=aux_price,
        tif=tif or "DAY",
        oca_group=oca_group,
        account=account,
        order_ref=order_ref,
        transmit=transmit,
        parent_id=parent_id,
        outside_rth=outside_rth,
        **extended._asdict(),
    )


class _ExtendedFields(NamedTuple):
    """The fields of an order after its head."""

    oca_type: int = 3
    good_after: str = ""
    good_till: str = ""
    advisor_group: str = ""
    all_or_none: bool = False
    trail_stop: Decimal | None = None
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    conditions: int = 0
    what_if: bool = False


def _extended_fields(fields: Fields, version: int, order_type: str) -> _ExtendedFields:
    fields.skip(2)  # retired, discretionaryAmt
    good_after, good_till, advisor_group = fields.text(), fields.text(), fields.text()
    fields.skip(2 + (version < PROFILE_DROPPED) + 4)  # the group's method and share, model, short sale
    oca_type = fields.integer()
    fields.skip(2)
    all_or_none = fields.flag()
    fields.skip(14)
    fields.skip(9 if fields.text() else 1)  # delta neutral
    fields.skip(2)
    trail_stop, trail_percent = fields.optional(), fields.optional()
    fields.skip(2)
    if (fields.optional() or 0) > 0:  # scale
        fields.skip(7)
    fields.skip(3)
    if fields.text():  # hedge
        fields.skip(1)
    fields.skip(4)
    if fields.flag():  # delta neutral contract
        fields.skip(3)
    if fields.text():  # algorithm
        fields.skip(2 * fields.integer())
    fields.skip(1)
    what_if = fields.flag()
    fields.skip(4 + 5 * (order_type in ("PEG BENCH", "PEGBENCH")))
    conditions = fields.integer()
    if conditions:
        limit_offset = None
    else:
        fields.skip(2)
        limit_offset = fields.optional()
    return _ExtendedFields(
        oca_type=oca_type or 3,
        good_after=good_after,
        good_till=good_till,
        advisor_group=advisor_group,
        all_or_none=all_or_none,
        trail_stop=trail_stop,
        trail_percent=trail_percent,
        limit_offset=limit_offset,
        conditions=conditions,
        what_if=what_if,
    )


def execution_filter(fields: Fields) -> ExecutionFilter:
    client_id, account, since = fields.integer(), fields.text(), fields.text()
    symbol, sec_type = fields.text(), fields.text()
    fields.skip(1)
    return ExecutionFilter(
        client_id=client_id,
        account=account,
        since=parse_time(since) if since else 0,
        symbol=symbol,
        sec_type=sec_type,
        side={"BUY": "BUY", "BOT": "BUY", "SELL": "SELL", "SLD": "SELL"}.get(fields.text(), ""),
    )


def parse_time(text: str) -> Nanos:
    """`yyyymmdd hh:mm:ss ZONE` or `yyyymmdd-hh:mm:ss`; UTC if no zone is given. Raises WireError."""
    match = re.fullmatch(r"(\d{8})[ -]+(\d\d:\d\d:\d\d)(?: (\S+))?", text)
    try:
        if not match:
            raise ValueError(text)
        moment = datetime.strptime(match[1] + match[2], "%Y%m%d%H:%M:%S").replace(tzinfo=UTC)  # zone follows
        return from_datetime(moment.replace(tzinfo=ZoneInfo(match[3])) if match[3] else moment)
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise WireError(f"{text!r} is not a time; write yyyymmdd hh:mm:ss ZONE") from error
