"""The fields of an execDetails message as plain data; what nobody reads of it is not made."""

from collections.abc import Sequence
from typing import NamedTuple

from ib_async.contract import Contract

from mats.ib.conversion.contracts import name_of, or_zero, stated, unit_value_of
from mats.ib.conversion.orders import side_of
from mats.ib.conversion.time_zones import TimeZones
from mats.ib.conversion.timestamps import instant
from mats.instruments import InstrumentRegistry
from mats.model import Execution

PRICE_REVISION_VERSION = 178
"""The server version from which on a message has one more field."""


class ExecDetails(NamedTuple):
    """The fields in their order, as IB's protocol has them from version 157 on. `traded_at`: where it was executed."""

    number: str
    request_id: str
    order_id: str
    con_id: str
    symbol: str
    kind: str
    expiry: str
    strike: str
    right: str
    multiplier: str
    exchange: str
    currency: str
    local_symbol: str
    trading_class: str
    exec_id: str
    time: str
    account: str
    traded_at: str
    side: str
    quantity: str
    price: str
    perm_id: str
    client_id: str
    liquidation: str
    cumulative_quantity: str
    average_price: str
    order_ref: str
    rule: str
    rule_multiplier: str
    model: str
    liquidity: str


FIELDS = len(ExecDetails._fields)


def to_execution(
    fields: Sequence[str], server_version: int, zones: TimeZones, registry: InstrumentRegistry
) -> tuple[int, Contract, Execution]:
    """The request id, what was traded, and the execution. A message that is cut short is a `ValueError`."""
    wanted = FIELDS + (server_version >= PRICE_REVISION_VERSION)
    if len(fields) < wanted:
        raise ValueError(f"{len(fields)} fields where an execution has {wanted}")
    wire = ExecDetails._make(fields[:FIELDS])
    contract = Contract(
        conId=int(wire.con_id or 0),
        symbol=wire.symbol,
        secType=wire.kind,
        lastTradeDateOrContractMonth=wire.expiry,
        strike=float(wire.strike or 0),
        right=wire.right,
        multiplier=wire.multiplier,
        exchange=wire.exchange,
        currency=wire.currency,
        localSymbol=wire.local_symbol,
        tradingClass=wire.trading_class,
    )
    execution = Execution(
        account=wire.account,
        exec_id=wire.exec_id,
        instrument=name_of(contract, registry),
        side=side_of(wire.side),
        quantity=stated("quantity", float(wire.quantity) if wire.quantity else None),
        price=stated("price", float(wire.price) if wire.price else None),
        time=instant(wire.time, zones),
        currency=contract.currency,
        multiplier=unit_value_of(contract, registry),
        order_ref=wire.order_ref,
        perm_id=int(wire.perm_id or 0),
        client_id=int(wire.client_id or 0),
        order_id=int(wire.order_id or 0),
        cumulative_quantity=or_zero(float(wire.cumulative_quantity or 0)),
        average_price=or_zero(float(wire.average_price or 0)),
        exchange=wire.traded_at,
        con_id=contract.conId,
    )
    return int(wire.request_id), contract, execution
