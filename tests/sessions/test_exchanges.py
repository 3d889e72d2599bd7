"""Sessions of exchanges against the package they come from, and those of currencies against their definition."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import exchange_calendars
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.instrument import Instrument, SecType
from mats.model.timestamp import DAY, HOUR, MINUTE, Nanos, from_datetime, iso, to_datetime
from mats.sessions import calendar_of, check_exchange, exchange_calendar, unknown_calendar
from mats.sessions.selection import ALWAYS, CURRENCIES, EXCHANGES, UNKNOWN

NEW_YORK = ZoneInfo("America/New_York")
CODES = ("XNYS", "XETR", "XLON", "CMES", "XTKS", "XHKG")
FIRST, LAST = datetime(2005, 1, 10, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)

instants = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None)).map(
    lambda moment: from_datetime(moment.replace(tzinfo=UTC))
)


@cache
def reference(code: str) -> exchange_calendars.ExchangeCalendar:
    return exchange_calendars.get_calendar(code, start="2004-01-01", end="2027-06-30")


def stamp(instant: Nanos) -> pd.Timestamp:
    return pd.Timestamp(instant, tz="UTC")


def moment(text: str) -> Nanos:
    return from_datetime(datetime.fromisoformat(text))


@settings(max_examples=300, deadline=None)
@given(code=st.sampled_from(CODES), instant=instants)
def test_the_session_at_an_instant_is_the_published_one(code: str, instant: Nanos) -> None:
    calendar, published = exchange_calendar(code), reference(code)
    schedule = published.schedule
    under_way = schedule[(schedule["open"] <= stamp(instant)) & (stamp(instant) < schedule["close"])]
    found = calendar.session_at(instant)
    assert ([found.date] if found else []) == [label.date() for label in under_way.index]
    resting = under_way[(under_way["break_start"] <= stamp(instant)) & (stamp(instant) < under_way["break_end"])]
    assert calendar.is_open(instant) == bool(len(under_way) and not len(resting))
    if found:
        row = under_way.iloc[0]
        assert (stamp(found.open), stamp(found.close)) == (row["open"], row["close"])
        rest = [(stamp(begin), stamp(end)) for begin, end in found.breaks]
        assert rest == ([] if pd.isna(row["break_start"]) else [(row["break_start"], row["break_end"])])
        assert found.early_close == (under_way.index[0] in published.early_closes)
    later, earlier = calendar.next_session(instant), calendar.previous(instant)
    assert stamp(later.open) == schedule["open"][schedule["open"] > stamp(instant)].iloc[0]
    assert stamp(earlier.close) == schedule["close"][schedule["close"] <= stamp(instant)].iloc[-1]


@settings(max_examples=60, deadline=None)
@given(code=st.sampled_from(CODES), start=instants, days=st.integers(0, 60))
def test_the_sessions_of_a_range_are_all_that_touch_it(code: str, start: Nanos, days: int) -> None:
    end = start + days * DAY
    schedule = reference(code).schedule
    touched = schedule[(schedule["close"] > stamp(start)) & (schedule["open"] < stamp(end))] if days else []
    found = exchange_calendar(code).sessions(start, end)
    assert [session.date for session in found] == ([label.date() for label in touched.index] if days else [])


def test_half_days_and_holidays_of_new_york() -> None:
    calendar = exchange_calendar("XNYS")
    friday = calendar.on(date(2026, 11, 27))
    assert friday is not None and friday.early_close
    assert (iso(friday.open), iso(friday.close)) == ("2026-11-27T14:30:00.000Z", "2026-11-27T18:00:00.000Z")
    assert (iso(friday.extended_open), iso(friday.extended_close)) == (
        "2026-11-27T09:00:00.000Z",
        "2026-11-27T22:00:00.000Z",
    )
    assert calendar.on(date(2026, 11, 26)) is None
    assert calendar.next_session(moment("2026-11-25T21:00+00:00")) == friday


def test_the_open_moves_with_daylight_saving() -> None:
    calendar = exchange_calendar("XNYS")
    opens = [
        session.open
        for session in calendar.sessions(moment("2026-03-05T00:00+00:00"), moment("2026-03-11T00:00+00:00"))
    ]
    assert [iso(instant)[5:16] for instant in opens] == ["03-05T14:30", "03-06T14:30", "03-09T13:30", "03-10T13:30"]


def test_a_session_of_futures_crosses_midnight_and_has_the_date_of_its_close() -> None:
    calendar = calendar_of(parse_instrument("ES:20261218@CME"))
    session = calendar.session_at(moment("2026-11-24T03:00+00:00"))
    assert session is not None and calendar.name == "CMES"
    assert (session.date, iso(session.open)) == (date(2026, 11, 24), "2026-11-23T23:00:00.000Z")


@settings(max_examples=200, deadline=None)
@given(instant=instants)
def test_a_pair_trades_from_sunday_to_friday_by_days_that_change_at_five_in_new_york(instant: Nanos) -> None:
    local = to_datetime(instant).astimezone(NEW_YORK)
    label = (local + timedelta(hours=7)).replace(tzinfo=None).date()
    session = calendar_of(parse_instrument("EURUSD")).session_at(instant)
    assert (session.date if session else None) == (label if label.weekday() < 5 else None)
    if session:
        ends = to_datetime(session.close).astimezone(NEW_YORK)
        begins = to_datetime(session.open).astimezone(NEW_YORK)
        assert (begins.hour, ends.hour, ends.date()) == (17, 17, session.date)
        assert session.close - session.open in (23 * HOUR, 24 * HOUR, 25 * HOUR)


def test_what_trades_at_unknown_hours_says_so_and_has_days_of_utc() -> None:
    calendar = calendar_of(Instrument(id="X", symbol="X", sec_type=SecType.FUTURE, currency="EUR", exchange="NOWHERE"))
    session = calendar.session_at(moment("2026-11-29T12:00+00:00"))
    assert (calendar.known, calendar.name) == (False, UNKNOWN)
    assert session is not None
    assert (session.open % DAY, session.close - session.open, session.date) == (0, DAY, date(2026, 11, 29))
    assert calendar_of(parse_instrument("SPY")).known
    assert ALWAYS != UNKNOWN


def test_the_name_of_a_future_says_no_hours_and_its_contract_does() -> None:
    named = parse_instrument("ES:20261218")
    assert calendar_of(named) is unknown_calendar()
    assert calendar_of(replace(named, exchange="CME", currency="USD")).name == "CMES"
    assert calendar_of(replace(named, exchange="EUREX", currency="EUR")).name == "XEUR"


def test_beyond_the_data_of_an_exchange_days_of_utc_count() -> None:
    session = exchange_calendar("XHKG").session_at(moment("2055-01-01T12:00+00:00"))
    assert session is not None and session.close - session.open == DAY


def test_each_calendar_that_is_named_exists() -> None:
    names = set(exchange_calendars.get_calendar_names())
    assert set(EXCHANGES.values()) | set(CURRENCIES.values()) <= names


@pytest.mark.parametrize(
    ("instrument", "code"),
    [
        (parse_instrument("SAP.EUR"), "XETR"),
        (parse_instrument("VOD.GBP"), "XLON"),
        (Instrument(id="A", symbol="A", sec_type=SecType.STOCK, currency="EUR", primary_exchange="SBF"), "XPAR"),
        (Instrument(id="A", symbol="A", sec_type=SecType.FUTURE, currency="EUR", exchange="EUREX"), "XEUR"),
        (Instrument(id="A", symbol="A", sec_type=SecType.INDEX, currency="USD", exchange="CBOE"), "XNYS"),
    ],
)
def test_an_instrument_keeps_the_calendar_of_its_exchange(instrument: Instrument, code: str) -> None:
    assert calendar_of(instrument).name == code


def test_an_unknown_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="calendar 'XXXX' is unknown; use XNYS"):
        check_exchange("XXXX")


def test_extended_hours_are_asked_for() -> None:
    calendar, early = exchange_calendar("XNYS"), moment("2026-11-24T12:00+00:00")
    assert not calendar.is_open(early)
    assert calendar.is_open(early, "extended")
    assert calendar.next_session(early, "extended").date == date(2026, 11, 25)
    assert calendar.next_session(early).open == early + 2 * HOUR + 30 * MINUTE
