"""Whether an instrument trades now, by its contract's own hours."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.timestamp import from_datetime
from mats.sessions import StatedHours

STOCK = "20261126:CLOSED;20261127:0930-20261127:1300;20261128:CLOSED;20261129:CLOSED;20261130:0930-20261130:1600"
NOON = "20261130:0930-1200,1300-1600;20261201:0930-1200,1300-1600"
FUTURE = "20261128:CLOSED;20261129:1700-20261130:1600;20261130:1700-20261201:1600"


@pytest.mark.parametrize(
    ("hours", "zone", "at", "is_open"),
    [
        (STOCK, "US/Eastern", "2026-11-27T14:29:59", False),
        (STOCK, "US/Eastern", "2026-11-27T14:30:00", True),
        (STOCK, "US/Eastern", "2026-11-27T17:59:59", True),
        (STOCK, "US/Eastern", "2026-11-27T18:00:00", False),
        (STOCK, "US/Eastern", "2026-11-26T16:00:00", False),
        (STOCK, "US/Eastern", "2026-11-28T16:00:00", False),
        (STOCK, "US/Eastern", "2026-11-25T03:00:00", True),
        (STOCK, "US/Eastern", "2026-12-07T03:00:00", True),
        (FUTURE, "US/Central", "2026-11-29T22:59:59", False),
        (FUTURE, "US/Central", "2026-11-29T23:00:00", True),
        (FUTURE, "US/Central", "2026-11-30T22:30:00", False),
        (FUTURE, "US/Central", "2026-11-30T23:30:00", True),
        (FUTURE, "US/Central", "2026-12-01T23:30:00", True),
        (NOON, "Asia/Hong_Kong", "2026-11-30T03:59:59", True),
        (NOON, "Asia/Hong_Kong", "2026-11-30T04:00:00", False),
        (NOON, "Asia/Hong_Kong", "2026-11-30T05:00:00", True),
        ("", "US/Eastern", "2026-11-28T16:00:00", True),
        ("whenever", "US/Eastern", "2026-11-28T16:00:00", True),
        (STOCK, "Mars/Olympus", "2026-11-28T16:00:00", True),
    ],
)
def test_it_is_open_in_its_hours_and_where_they_are_not_known(hours: str, zone: str, at: str, is_open: bool) -> None:
    instrument = replace(parse_instrument("SPY"), liquid_hours=hours, time_zone=zone)
    time = from_datetime(datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert StatedHours().is_open(instrument, time) is is_open
