"""The values that tables store, and their conversion from the model into rows."""

import json
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Literal

import msgspec

from mats.instruments import KnownInstrument, try_parse_instrument
from mats.ledger.books import Book, Trade
from mats.model import (
    ZERO,
    AccountId,
    AccountValue,
    AdjustmentRecorded,
    CommissionRecorded,
    Currency,
    Execution,
    FillCorrected,
    FillRecorded,
    Instrument,
    InstrumentId,
    Nanos,
    OrderView,
    SecType,
    StrategyName,
    StrategyRecord,
    exact,
    order_ref,
)
from mats.store.tables.frames import Raw, Row
from mats.store.tables.schemas import SUMMARY_TAGS
from mats.store.tables.snapshot_policy import SnapshotInfo

NO_COMMISSION: Raw = {
    "commission": None, "commission_exact": None, "commission_currency": None,
    "commission_rate_exact": None, "commission_id": None, "commission_seq": 0, "commission_recorded_utc": None,
}  # fmt: skip
"""The columns of an execution without a commission yet."""

_TERMS = {
    field.name: f"{field.name}_exact" if field.type is Decimal else "instrument" if field.name == "id" else field.name
    for field in msgspec.structs.fields(Instrument)
}
"""The column of each field of an instrument."""
_LEVELS = "price_increments"
"""A field and its column, which is its levels as text."""


class PositionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy's position in one instrument after entry `fills_seq` of the log.

    `average_cost` is per unit, multiplier included, `cost` of the whole. P&L is in `currency`; `unrealized_pnl`
    and the market figures are None where no price is known. `time` is when that entry was booked, `marked` the price's.
    """

    account: AccountId
    strategy: StrategyName
    instrument: InstrumentId
    quantity: Decimal
    average_cost: Decimal
    currency: Currency
    time: Nanos
    multiplier: Decimal = Decimal(1)
    market_price: float | None = None
    market_value: float | None = None
    realized_pnl: Decimal = Decimal(0)
    unrealized_pnl: float | None = None
    commission: Decimal = Decimal(0)
    fills_seq: int = 0
    cost: Decimal = Decimal(0)
    marked: Nanos | None = None


class Mark(msgspec.Struct, frozen=True):
    """A price and the time of its arrival."""

    price: float
    time: Nanos


def book_row(book: Book, time: Nanos, mark: Mark | None) -> PositionRow:
    """A book as of `time`, valued at `mark`. Commissions in other currencies are not in `commission`."""
    row = PositionRow(
        account=book.account,
        strategy=book.strategy,
        instrument=book.instrument,
        quantity=book.quantity,
        average_cost=book.average_cost,
        cost=book.cost,
        currency=book.currency,
        time=time,
        multiplier=book.multiplier,
        realized_pnl=book.realized,
        commission=book.commissions.get(book.currency, ZERO),
        fills_seq=book.seq,
    )
    return revalued(row, mark)


def revalued(row: PositionRow, mark: Mark | None) -> PositionRow:
    """The position valued at another price; None: unknown."""
    value = None if mark is None else row.quantity * exact(mark.price) * row.multiplier
    return msgspec.structs.replace(
        row,
        market_price=None if mark is None else mark.price,
        market_value=None if value is None else float(value),
        unrealized_pnl=None if value is None else float(value - row.cost),
        marked=None if mark is None else mark.time,
    )


@lru_cache(4_096)
def sec_type_of(instrument: InstrumentId) -> SecType:
    """The type of an instrument by the form of its name."""
    known = try_parse_instrument(instrument)
    return SecType.UNKNOWN if known is None else known.sec_type


def execution_row(entry: FillRecorded | FillCorrected, execution: Execution) -> Raw:
    """The row of an execution whose commission is not known yet."""
    return {
        "seq": entry.seq,
        "fill_id": execution.exec_id,
        "family": execution.family,
        "revision": execution.revision,
        "order_ref": execution.order_ref,
        "intent_id": entry.intent_id,
        "strategy": entry.strategy,
        "symbol": execution.instrument,
        "sec_type": sec_type_of(execution.instrument),
        "side": execution.side,
        "quantity": execution.quantity,
        "quantity_exact": str(execution.quantity),
        "price": execution.price,
        "price_exact": str(execution.price),
        "multiplier": execution.multiplier,
        "currency": execution.currency,
        "rate_exact": _known(entry.rate),
        **NO_COMMISSION,
        "perm_id": execution.perm_id,
        "client_id": execution.client_id,
        "order_id": execution.order_id,
        "exchange": execution.exchange,
        "event_time_utc": execution.time,
        "recorded_utc": entry.recorded,
    }


def commission_columns(entry: CommissionRecorded) -> Raw:
    """The columns that a commission sets in the row of its execution."""
    return {
        "commission": entry.commission.amount,
        "commission_exact": str(entry.commission.amount),
        "commission_currency": entry.commission.currency,
        "commission_rate_exact": _known(entry.rate),
        "commission_id": entry.commission.exec_id,
        "commission_seq": entry.seq,
        "commission_recorded_utc": entry.recorded,
    }


def _known(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def adjustment_row(entry: AdjustmentRecorded) -> Raw:
    return {
        "seq": entry.seq,
        "strategy": entry.strategy,
        "symbol": entry.instrument,
        "quantity": entry.quantity,
        "quantity_exact": str(entry.quantity),
        "price": entry.price,
        "price_exact": str(entry.price),
        "currency": entry.currency,
        "multiplier": entry.multiplier,
        "rate_exact": _known(entry.rate),
        "cost_exact": _known(entry.cost),
        "realized_exact": str(entry.realized),
        "assignment": entry.assignment,
        "reverses": entry.reverses,
        "reason": entry.reason,
        "event_time_utc": entry.recorded,
    }


def order_row(view: OrderView) -> Raw:
    return {
        "intent_id": view.intent_id,
        "order_ref": order_ref(view.strategy, view.intent_id),
        "strategy": view.strategy,
        "symbol": view.instrument,
        "side": view.side,
        "quantity": view.quantity,
        "order_type": view.ticket.order_type,
        "limit_price": view.ticket.limit_price,
        "stop_price": view.ticket.stop_price,
        "tif": view.ticket.tif,
        "status": view.state,
        "filled": view.filled,
        "remaining": view.remaining,
        "avg_fill_price": view.average_price if view.filled else None,
        "order_id": view.order_id,
        "perm_id": view.perm_id,
        "client_id": view.client_id,
        "submitted_utc": view.created,
        "updated_utc": view.updated,
        "note": view.note,
    }


def position_row(row: PositionRow) -> Raw:
    return {
        "account": row.account,
        "strategy": row.strategy,
        "symbol": row.instrument,
        "sec_type": sec_type_of(row.instrument),
        "quantity": row.quantity,
        "quantity_exact": str(row.quantity),
        "average_cost": row.average_cost,
        "cost_exact": str(row.cost),
        "multiplier": row.multiplier,
        "currency": row.currency,
        "market_price": row.market_price,
        "market_value": row.market_value,
        "realized_pnl": row.realized_pnl,
        "realized_exact": str(row.realized_pnl),
        "unrealized_pnl": row.unrealized_pnl,
        "commission": row.commission,
        "commission_exact": str(row.commission),
        "fills_seq": row.fills_seq,
        "event_time_utc": row.time,
        "marked_utc": row.marked,
    }


def history_row(row: PositionRow, kept: SnapshotInfo, reason: str) -> Raw:
    return {
        **position_row(row),
        "reason": reason,
        "snapshot_utc": kept.time,
        "snapshot_seq": kept.snapshot_seq,
        "reconciled_seq": kept.reconciled_seq,
    }


def trade_row(trade: Trade) -> Raw:
    """A round trip. Figures that are unknown yet, or not in one currency, are missing."""
    whole = not trade.uncharged and trade.commissions.keys() <= {trade.currency}
    return {
        "trade_id": trade.id,
        "transaction_id": trade.entry_id,
        "strategy": trade.strategy,
        "symbol": trade.instrument,
        "sec_type": sec_type_of(trade.instrument),
        "side": trade.side,
        "quantity": trade.quantity,
        "quantity_exact": str(trade.quantity),
        "open_price": trade.entry_price,
        "open_price_exact": str(trade.entry_price),
        "close_price": trade.exit_price,
        "close_price_exact": str(trade.exit_price),
        "multiplier": trade.multiplier,
        "currency": trade.currency,
        "gross_pnl": trade.gross,
        "gross_pnl_exact": str(trade.gross),
        "commission": trade.commissions.get(trade.currency, ZERO) if whole else None,
        "commissions_exact": " ".join(f"{amount} {unit}" for unit, amount in sorted(trade.commissions.items())),
        "net_pnl": trade.net,
        "net_pnl_exact": _text(trade.net),
        "net_base": trade.net_base,
        "net_base_exact": _text(trade.net_base),
        "open_intent": trade.entry_intent,
        "close_intent": trade.exit_intent,
        "close_fill": trade.exit_id,
        "held_seconds": trade.seconds,
        "opened_utc": trade.entry_time,
        "event_time_utc": trade.exit_time,
    }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def summary_row(values: Iterable[AccountValue], currency: Currency, time: Nanos) -> Raw:
    """One wide row of the known tags in `currency` or in none; a tag that was not reported is missing."""
    row: dict[str, object] = {"currency": currency, **dict.fromkeys(SUMMARY_TAGS.values()), "event_time_utc": time}
    for value in values:
        if value.tag in SUMMARY_TAGS and value.currency in (currency, ""):
            row[SUMMARY_TAGS[value.tag]] = Decimal(value.value)
    return row


def strategy_row(record: StrategyRecord, time: Nanos) -> Raw:
    return {
        "name": record.name,
        "file": record.file,
        "class": record.class_name,
        "params": json.dumps(record.params, sort_keys=True),
        "target_weight": record.target_weight,
        "account": record.account,
        "active": record.active,
        "updated_utc": time,
        "host": record.host,
        "process": record.process,
        "memory_mb": record.memory_mb,
        "trade_before_warm": record.trade_before_warm,
    }


def instrument_row(known: KnownInstrument, time: Nanos) -> Raw:
    """What the registry knows of a contract."""
    values = {column: getattr(known.instrument, field) for field, column in _TERMS.items()}
    texts = {column: str(value) if column.endswith("_exact") else value for column, value in values.items()}
    texts[_LEVELS] = " ".join(f"{edge}:{tick}" for edge, tick in known.instrument.price_increments)
    return {**texts, "complete": known.complete, "whole_units": known.whole_units, "updated_utc": time}


def known_of(row: Row) -> KnownInstrument:
    """The contract of a row. Raises ValueError (msgspec.ValidationError) for one that was changed by hand."""
    values: dict[str, object] = {field: row[column] for field, column in _TERMS.items()}
    values[_LEVELS] = [level.split(":") for level in str(row[_LEVELS] or "").split()]
    instrument = msgspec.convert({name: value for name, value in values.items() if value is not None}, Instrument)
    return KnownInstrument(instrument=instrument, complete=bool(row["complete"]), whole_units=bool(row["whole_units"]))


def snapshot_of(row: Row) -> SnapshotInfo:
    """The snapshot that a stored row of the portfolio's history belongs to."""
    time, snapshot, reconciled = row["snapshot_utc"], row["snapshot_seq"], row["reconciled_seq"]
    return SnapshotInfo(int(time or 0), int(snapshot or 0), int(reconciled or 0))


def mark_of(row: Row) -> tuple[InstrumentId, Mark | None]:
    """The price at which a stored position is valued."""
    price, time = row["market_price"], row["marked_utc"]
    return str(row["symbol"]), None if price is None or time is None else Mark(float(price), int(time))


def strategy_of(row: Row) -> StrategyRecord:
    """The record of a stored row of the strategy table."""
    return StrategyRecord(
        name=str(row["name"]),
        file=str(row["file"]),
        class_name=str(row["class"]),
        params=json.loads(str(row["params"])),
        target_weight=float(row["target_weight"] or 0.0),
        account=str(row["account"]),
        active=bool(row["active"]),
        host=msgspec.convert(row["host"] or "", Literal["", "thread", "process"]),
        process=str(row["process"] or ""),
        memory_mb=int(row["memory_mb"] or 0),
        trade_before_warm=bool(row["trade_before_warm"]),
    )
