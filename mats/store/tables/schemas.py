"""The schemas of all tables, and how each is written. docs/storage.md describes the same."""

from collections.abc import Mapping
from enum import Enum

import msgspec

from mats.model import DAY, MINUTE, Nanos


class Kind(Enum):
    """What a column holds. TEXT, FLOAT and TIME may be missing (None, NaN, NaT); INT and BOOL never are."""

    TEXT = "object"
    FLOAT = "float64"
    INT = "int64"
    BOOL = "bool"
    TIME = "datetime64[ns]"

    __hash__ = object.__hash__  # each is one object; an enum's own hash is computed anew at each look-up


TEXT, FLOAT, INT, BOOL, TIME = Kind.TEXT, Kind.FLOAT, Kind.INT, Kind.BOOL, Kind.TIME


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a table, in order, and its write pattern.

    `key` names the columns that identify a row, where rows are looked up again. `rows_per_segment` is small where
    `update` is frequent. `cached` is how many of the newest rows the writer keeps in memory. Changes to older rows
    that lie further apart than `run_gap` are separate calls. Columns whose name ends in `_utc` are naive UTC times.
    `added` are columns that tables of earlier versions lack, with the value that their rows have; such a table is read
    as it is and gets them with its next change, for which all of its rows must be cached.
    """

    columns: dict[str, Kind]
    key: tuple[str, ...] = ()
    rows_per_segment: int = 100_000
    cached: int = 1
    run_gap: Nanos = MINUTE
    added: Mapping[str, str | int] = {}


_FILL: dict[str, Kind] = {
    "seq": INT, "fill_id": TEXT, "family": TEXT, "revision": INT, "order_ref": TEXT, "intent_id": TEXT,
    "strategy": TEXT, "symbol": TEXT, "sec_type": TEXT, "side": TEXT,
    "quantity": FLOAT, "quantity_exact": TEXT, "price": FLOAT, "price_exact": TEXT, "multiplier": FLOAT,
    "currency": TEXT, "rate_exact": TEXT, "commission": FLOAT, "commission_exact": TEXT, "commission_currency": TEXT,
    "commission_rate_exact": TEXT, "commission_id": TEXT, "commission_seq": INT, "commission_recorded_utc": TIME,
    "perm_id": INT, "client_id": INT, "order_id": INT, "exchange": TEXT,
    "event_time_utc": TIME, "recorded_utc": TIME,
}  # fmt: skip

_POSITION: dict[str, Kind] = {
    "account": TEXT, "strategy": TEXT, "symbol": TEXT, "sec_type": TEXT, "quantity": FLOAT, "quantity_exact": TEXT,
    "average_cost": FLOAT, "cost_exact": TEXT, "multiplier": FLOAT, "currency": TEXT,
    "market_price": FLOAT, "market_value": FLOAT, "realized_pnl": FLOAT, "realized_exact": TEXT,
    "unrealized_pnl": FLOAT, "commission": FLOAT, "commission_exact": TEXT, "fills_seq": INT,
    "event_time_utc": TIME, "marked_utc": TIME,
}  # fmt: skip

FILLS = Schema(columns=_FILL, key=("family",), rows_per_segment=10_000, cached=2_048)
"""`fills`/account: append; a late row, a correction or a commission is an update of exactly that row."""

FILL_CORRECTIONS = Schema(columns=_FILL | {"superseded_by": TEXT, "superseded_seq": INT})
"""`fill_corrections`/account: append of a row of `fills` as it was before entry `superseded_seq` replaced its execution
or its commission, so that every entry of the log is in one of the two. `seq` is 0 where only the commission counts:
one that arrived after a later one."""

ADJUSTMENTS = Schema(
    columns={
        "seq": INT, "strategy": TEXT, "symbol": TEXT, "quantity": FLOAT, "quantity_exact": TEXT, "price": FLOAT,
        "price_exact": TEXT, "currency": TEXT, "multiplier": FLOAT, "rate_exact": TEXT, "cost_exact": TEXT,
        "realized_exact": TEXT, "assignment": TEXT, "reverses": TEXT, "reason": TEXT, "event_time_utc": TIME,
    }
)  # fmt: skip
"""`adjustments`/account: append of changes booked without an execution."""

ORDERS = Schema(
    columns={
        "intent_id": TEXT, "order_ref": TEXT, "strategy": TEXT, "symbol": TEXT, "side": TEXT, "quantity": FLOAT,
        "order_type": TEXT, "limit_price": FLOAT, "stop_price": FLOAT, "tif": TEXT, "status": TEXT, "filled": FLOAT,
        "remaining": FLOAT, "avg_fill_price": FLOAT, "order_id": INT, "perm_id": INT, "client_id": INT,
        "submitted_utc": TIME, "updated_utc": TIME, "note": TEXT,
    },
    key=("intent_id",), rows_per_segment=5_000, cached=2_048,
)  # fmt: skip
"""`orders`/account: append at creation, update of contiguous runs at changes; the index never moves."""

TRADES = Schema(
    columns={
        "trade_id": TEXT, "transaction_id": TEXT, "strategy": TEXT, "symbol": TEXT, "sec_type": TEXT, "side": TEXT,
        "quantity": FLOAT, "quantity_exact": TEXT, "open_price": FLOAT, "open_price_exact": TEXT, "close_price": FLOAT,
        "close_price_exact": TEXT, "multiplier": FLOAT, "currency": TEXT, "gross_pnl": FLOAT, "gross_pnl_exact": TEXT,
        "commission": FLOAT, "commissions_exact": TEXT, "net_pnl": FLOAT, "net_pnl_exact": TEXT, "net_base": FLOAT,
        "net_base_exact": TEXT, "open_intent": TEXT, "close_intent": TEXT, "close_fill": TEXT, "held_seconds": FLOAT,
        "opened_utc": TIME, "event_time_utc": TIME,
    },
    key=("trade_id",), cached=2_048,
)  # fmt: skip
"""`trades`/account: completed round trips at their closing time; a change of the past updates exactly their rows."""

PORTFOLIO = Schema(columns=_POSITION, key=("strategy", "symbol"), rows_per_segment=5_000, cached=1_000_000)
"""`portfolio`/account: one row per open position, at an index fixed while it is open; all rows cached."""

PORTFOLIO_HISTORY = Schema(
    columns=_POSITION | {"reason": TEXT, "snapshot_utc": TIME, "snapshot_seq": INT, "reconciled_seq": INT}
)
"""`portfolio_history`/account: append of whole snapshots after entry `snapshot_seq`; `reconciled_seq` is the last entry
after which the books were found equal to the broker's positions."""

POSITIONS = Schema(columns=_POSITION, key=("fills_seq",), cached=64)
"""`positions/STRATEGY`/instrument: append at every change; the last row is the present position."""

SUMMARY_TAGS = {
    "NetLiquidation": "net_liquidation", "TotalCashValue": "total_cash", "SettledCash": "settled_cash",
    "AccruedCash": "accrued_cash", "BuyingPower": "buying_power", "EquityWithLoanValue": "equity_with_loan",
    "GrossPositionValue": "gross_position_value", "AvailableFunds": "available_funds",
    "ExcessLiquidity": "excess_liquidity", "InitMarginReq": "initial_margin",
    "MaintMarginReq": "maintenance_margin", "Leverage": "leverage", "Cushion": "cushion",
    "RealizedPnL": "realized_pnl", "UnrealizedPnL": "unrealized_pnl",
}  # fmt: skip
"""IB's account tags and the columns they fill."""

ACCOUNT_SUMMARY = Schema(
    columns={"currency": TEXT, **dict.fromkeys(SUMMARY_TAGS.values(), FLOAT), "event_time_utc": TIME}
)
"""`<account>`/`account_summary`: append of one wide row."""

EQUITY = Schema(columns={"equity": FLOAT, "equity_exact": TEXT, "currency": TEXT, "event_time_utc": TIME})
"""`<account>`/`strategy_STRATEGY_equity`: append; the last row is the explicit equity of the strategy."""

STRATEGIES = Schema(
    columns={
        "name": TEXT, "file": TEXT, "class": TEXT, "params": TEXT, "target_weight": FLOAT, "account": TEXT,
        "active": BOOL, "updated_utc": TIME, "host": TEXT, "process": TEXT, "memory_mb": INT,
        "trade_before_warm": BOOL,
    },
    key=("name",), rows_per_segment=5_000, cached=1_000_000,
    added={"host": "", "process": "", "memory_mb": 0, "trade_before_warm": False},
)  # fmt: skip
"""`general`/`strategies`: one row per strategy at a fixed index; `params` is JSON."""

INSTRUMENTS = Schema(
    columns={
        "con_id": INT, "instrument": TEXT, "sec_type": TEXT, "symbol": TEXT, "local_symbol": TEXT,
        "trading_class": TEXT, "exchange": TEXT, "primary_exchange": TEXT, "currency": TEXT, "expiry": TEXT,
        "strike_exact": TEXT, "right": TEXT, "multiplier_exact": TEXT, "price_magnifier_exact": TEXT,
        "tick_size_exact": TEXT, "market_rule_ids": TEXT, "size_increment_exact": TEXT, "min_size_exact": TEXT,
        "underlying": TEXT, "under_con_id": INT, "time_zone": TEXT, "trading_hours": TEXT, "liquid_hours": TEXT,
        "name": TEXT, "price_increments": TEXT, "complete": BOOL, "whole_units": BOOL, "updated_utc": TIME,
    },
    key=("con_id",), rows_per_segment=5_000, cached=1_000_000, added={"price_increments": ""},
)  # fmt: skip
"""`general`/`instruments`: one row per contract at a fixed index; a copy of the journal's registry. `price_increments`
are levels and their ticks, `0:0.05 3:0.10`."""

BARS = Schema(
    columns={
        "open": FLOAT, "high": FLOAT, "low": FLOAT, "close": FLOAT, "volume": FLOAT, "wap": FLOAT, "count": INT,
        "spread": FLOAT,
    },
    cached=64, run_gap=3_660 * DAY,
)  # fmt: skip
"""`bars/SIZE`/instrument: the index is the bar's start; append, overlap by update. `spread` is quoted at the close."""

COVERAGE = Schema(columns={"end_utc": TIME, "known": TEXT, "source": TEXT})
"""`coverage/SIZE`/instrument: ranges of the past, from the index to `end_utc`, of which something is known: `bars`,
`empty` (the broker has none) or `closed` (its exchange was); `source` is the kind of prices."""

ACTIONS = Schema(columns={"kind": TEXT, "value_exact": TEXT, "currency": TEXT})
"""`actions`/instrument: splits (ratio) and dividends (amount a unit) from the instant on that is the index."""

LIBRARIES = frozenset(
    "fills fill_corrections adjustments orders trades portfolio portfolio_history"
    " positions general backtests bars coverage actions".split()
)
"""Names no account library may take."""
