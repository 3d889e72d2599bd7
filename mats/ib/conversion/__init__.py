"""Between ib_async's objects and ours: instruments, orders, bars, instants."""

from mats.ib.conversion.contracts import (
    amount,
    described,
    from_details,
    name_of,
    or_zero,
    stated,
    to_contract,
    to_instrument,
    unit_value_of,
)
from mats.ib.conversion.executions import ExecDetails, to_execution
from mats.ib.conversion.history import (
    HistoricalBars,
    bar_size,
    duration,
    longest_span,
    part_size,
    source_of,
    to_bar,
)
from mats.ib.conversion.orders import (
    UNKNOWN_CLIENT_ID,
    side_of,
    status_of,
    to_broker_order,
    to_completed_order,
    to_order,
)
from mats.ib.conversion.time_zones import KNOWN_ZONES, TimeZones
from mats.ib.conversion.timestamps import UnknownTime, instant, utc_text
from mats.ib.conversion.unvalued import UnvaluedExecutions, is_valued, valued

__all__ = [
    "KNOWN_ZONES",
    "UNKNOWN_CLIENT_ID",
    "ExecDetails",
    "HistoricalBars",
    "TimeZones",
    "UnknownTime",
    "UnvaluedExecutions",
    "amount",
    "bar_size",
    "described",
    "duration",
    "from_details",
    "instant",
    "is_valued",
    "longest_span",
    "name_of",
    "or_zero",
    "part_size",
    "side_of",
    "source_of",
    "stated",
    "status_of",
    "to_bar",
    "to_broker_order",
    "to_completed_order",
    "to_contract",
    "to_execution",
    "to_instrument",
    "to_order",
    "unit_value_of",
    "utc_text",
    "valued",
]
