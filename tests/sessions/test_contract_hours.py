"""The hours that IB states for contracts, in each form that it has used."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.timestamp import Nanos, from_datetime, iso
from mats.sessions import Session, SessionCalendar, calendar_of
from mats.sessions.contract_hours import read_hours

NEW_YORK, CHICAGO, HONG_KONG = map(ZoneInfo, ("US/Eastern", "US/Central", "Asia/Hong_Kong"))
STOCK = replace(
    parse_instrument("SPY"),
    trading_hours="20261125:0400-20261125:2000;20261126:CLOSED;20261127:0400-20261127:1700;20261128:CLOSED;"
    "20261130:0400-20261130:2000",
    liquid_hours="20261125:0930-20261125:1600;20261126:CLOSED;20261127:0930-20261127:1300;20261128:CLOSED;"
    "20261130:0930-20261130:1600",
)
FUTURE = replace(
    parse_instrument("ES:20261218"),
    time_zone="US/Central",
    trading_hours="20261129:CLOSED;20261129:1700-20261130:1600;20261130:1700-20261201:1600",
    liquid_hours="20261130:0830-20261130:1600;20261201:0830-20261201:1600",
)


def moment(text: str) -> Nanos:
    return from_datetime(datetime.fromisoformat(text))


def shown(session: Session | None) -> tuple[str, str, str] | None:
    return session and (str(session.date), iso(session.open)[5:16], iso(session.close)[5:16])


def on(calendar: SessionCalendar, day: str) -> Session | None:
    return calendar.on(date.fromisoformat(day))


def test_a_share_has_the_sessions_of_its_liquid_hours_and_extended_ones_around_them() -> None:
    calendar = calendar_of(STOCK)
    half = on(calendar, "2026-11-27")
    assert half is not None
    assert shown(half) == ("2026-11-27", "11-27T14:30", "11-27T18:00")
    assert (iso(half.extended_open)[5:16], iso(half.extended_close)[5:16]) == ("11-27T09:00", "11-27T22:00")
    assert half.early_close and not calendar.next_session(half.close).early_close
    assert on(calendar, "2026-11-26") is None
    assert calendar.name == "contract hours, else XNYS"


def test_days_that_are_not_stated_have_the_hours_of_the_exchange() -> None:
    calendar = calendar_of(STOCK)
    assert shown(on(calendar, "2013-11-29")) == ("2013-11-29", "11-29T14:30", "11-29T18:00")
    assert shown(on(calendar, "2026-12-24")) == ("2026-12-24", "12-24T14:30", "12-24T18:00")
    assert shown(calendar.previous(moment("2026-11-25T12:00+00:00"))) == ("2026-11-24", "11-24T14:30", "11-24T21:00")


def test_a_stated_holiday_counts_though_the_exchange_publishes_a_session() -> None:
    closed = replace(STOCK, liquid_hours="20261123:0930-20261123:1600;20261124:CLOSED;20261125:0930-20261125:1600")
    assert on(calendar_of(closed), "2026-11-24") is None
    assert on(calendar_of(parse_instrument("SPY")), "2026-11-24") is not None


def test_a_future_has_the_session_of_its_trading_hours_across_midnight() -> None:
    calendar = calendar_of(FUTURE)
    assert shown(on(calendar, "2026-11-30")) == ("2026-11-30", "11-29T23:00", "11-30T22:00")
    assert shown(calendar.session_at(moment("2026-12-01T03:00+00:00"))) == ("2026-12-01", "11-30T23:00", "12-01T22:00")
    assert not calendar.is_open(moment("2026-11-30T22:30+00:00"))


@pytest.mark.parametrize(
    ("text", "zone", "hours"),
    [
        ("20261127:0930-20261127:1300", NEW_YORK, {"2026-11-27": ("11-27T14:30", "11-27T18:00")}),
        (
            "20261127:0930-1300;20261128:CLOSED",
            NEW_YORK,
            {"2026-11-27": ("11-27T14:30", "11-27T18:00"), "2026-11-28": None},
        ),
        ("20261130:0930-1200,1300-1600", HONG_KONG,
         {"2026-11-30": ("11-30T01:30", "11-30T04:00", "11-30T05:00", "11-30T08:00")}),
        (
            "20261130:0930-20261130:1200;20261130:1300-20261130:1600",
            HONG_KONG,
            {"2026-11-30": ("11-30T01:30", "11-30T04:00", "11-30T05:00", "11-30T08:00")},
        ),
        ("20261130:1300-1600,0930-1300", HONG_KONG, {"2026-11-30": ("11-30T01:30", "11-30T08:00")}),
        ("20130903:1700-1515,1530-1615", CHICAGO,
         {"2013-09-03": ("09-02T22:00", "09-03T20:15", "09-03T20:30", "09-03T21:15")}),
        ("20261128:0000-20261128:2400;", NEW_YORK, {"2026-11-28": ("11-28T05:00", "11-29T05:00")}),
        ("20261127:1900-20261128:1900", NEW_YORK, {"2026-11-28": ("11-28T00:00", "11-29T00:00")}),
        ("20261031:0000-20261101:0000;20261101:0000-20261102:0000", NEW_YORK,
         {"2026-10-31": ("10-31T04:00", "11-01T04:00"), "2026-11-01": ("11-01T04:00", "11-02T05:00")}),
        ("", NEW_YORK, {}),
    ],
)  # fmt: skip
def test_each_form_of_the_hours_is_read(text: str, zone: ZoneInfo, hours: dict[str, tuple[str, ...] | None]) -> None:
    found = read_hours(text, zone)
    edges = {day: known and tuple(iso(edge)[5:16] for span in known for edge in span) for day, known in found.items()}
    assert {str(day): known for day, known in edges.items()} == hours


def test_a_contract_that_rests_at_noon_has_a_session_with_a_break() -> None:
    hours = "20261130:0930-1200,1300-1600"
    share = replace(parse_instrument("700.HKD"), time_zone="Asia/Hong_Kong", liquid_hours=hours, trading_hours=hours)
    calendar, noon = calendar_of(share), moment("2026-11-30T04:30+00:00")
    session = calendar.session_at(noon)
    assert shown(session) == ("2026-11-30", "11-30T01:30", "11-30T08:00")
    assert session is not None
    assert session.breaks == ((moment("2026-11-30T04:00+00:00"), moment("2026-11-30T05:00+00:00")),)
    assert not calendar.is_open(noon)
    assert [iso(edge)[11:16] for span in session.stretches("extended") for edge in span] == [
        "01:30", "04:00", "05:00", "08:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["tomorrow", "20261127:9-16", "20261127:1300-20261126:0930", "20261127:0930-20261127:0930"]
)
def test_hours_that_are_none_are_refused_and_the_exchange_counts(text: str) -> None:
    with pytest.raises(ValueError, match=r"hours|time data|unconverted"):
        read_hours(text, NEW_YORK)
    calendar = calendar_of(replace(STOCK, liquid_hours=text, trading_hours=text))
    assert calendar.name == "XNYS; the contract's hours cannot be read"
    assert on(calendar, "2026-11-27") == on(calendar_of(parse_instrument("SPY")), "2026-11-27")


def test_hours_in_a_zone_that_is_not_known_are_not_read() -> None:
    assert "cannot be read" in calendar_of(replace(STOCK, time_zone="Nowhere Standard Time")).name


def test_where_the_sources_meet_the_stated_session_counts() -> None:
    always = replace(STOCK, trading_hours="20261127:1900-20261128:1900", liquid_hours="20261127:1900-20261128:1900")
    friday, saturday = calendar_of(always).sessions(moment("2026-11-27T00:00+00:00"), moment("2026-11-28T12:00+00:00"))
    assert (shown(friday), iso(friday.extended_close)[5:16]) == (
        ("2026-11-27", "11-27T14:30", "11-27T18:00"),
        "11-27T22:00",
    )
    assert shown(saturday) == ("2026-11-28", "11-28T00:00", "11-29T00:00")
