"""How IB writes instants."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.ib.conversion.time_zones import WINDOWS, TimeZones
from mats.ib.conversion.timestamps import UnknownTime, instant, utc_text
from mats.model.timestamp import HOUR, SECOND, iso


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("20260413 15:27:04 US/Eastern", "2026-04-13T19:27:04.000Z"),
        ("20260113 15:27:04 US/Eastern", "2026-01-13T20:27:04.000Z"),
        ("20221125 10:00:00 Europe/Amsterdam", "2022-11-25T09:00:00.000Z"),
        ("20260413 15:27:04 Etc/GMT-3", "2026-04-13T12:27:04.000Z"),
        ("20260413-19:27:04", "2026-04-13T19:27:04.000Z"),
        ("20260413 19:27:04 UTC", "2026-04-13T19:27:04.000Z"),
        ("20260413", "2026-04-13T00:00:00.000Z"),
        ("1776108424", "2026-04-13T19:27:04.000Z"),
    ],
)
def test_every_form_of_an_instant_is_read(text: str, meant: str) -> None:
    assert iso(instant(text)) == meant


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc", "America", "EDT5"])
def test_an_unknown_zone_is_refused_by_name(zone: str) -> None:
    with pytest.raises(UnknownTime, match="unknown zone") as caught:
        instant(f"20260413 15:27:04 {zone}")
    assert zone in str(caught.value)


@pytest.mark.parametrize("text", ["", "yesterday", "20261340", "20260413 15:27", "20260413 25:00:00 UTC", "12x"])
def test_a_text_that_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(UnknownTime):
        instant(text)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(UnknownTime, match=r"has no zone; set gateway\.time_zone"):
        instant("20260413  15:27:04")
    assert iso(instant("20260413  15:27:04", TimeZones("US/Eastern"))) == "2026-04-13T19:27:04.000Z"


@pytest.mark.parametrize(
    ("zone", "meant"),
    [
        ("JST", "06:27"),
        ("EDT", "19:27"),
        ("EST", "20:27"),
        ("CEST", "13:27"),
        ("GMT+08:00", "07:27"),
        ("GMT+1", "14:27"),
        ("GMT-0330", "18:57"),
        ("UTC", "15:27"),
        ("+05:30", "09:57"),
        ("Etc/GMT+8", "23:27"),
        ("China Standard Time", "07:27"),
        ("Central European Standard Time", "13:27"),
        ("Eastern Standard Time", "19:27"),
    ],
)
def test_a_zone_by_another_name_than_ianas_is_known(zone: str, meant: str) -> None:
    assert iso(instant(f"20260413 15:27:04 {zone}"))[:16] == f"2026-04-13T{meant}"


@pytest.mark.parametrize("zone", ["CST", "IST", "BST", "PST"])
def test_a_zone_that_can_mean_several_is_refused_unless_the_settings_tell(zone: str) -> None:
    with pytest.raises(UnknownTime, match=f"ambiguous zone '{zone}'; set gateway.time_zone") as caught:
        instant(f"20260413 15:27:04 {zone}")
    assert caught.value.zone_unknown
    assert iso(instant(f"20260413 15:27:04 {zone}", TimeZones("Asia/Shanghai"))) == "2026-04-13T07:27:04.000Z"


def test_a_zone_that_the_gateway_names_counts_before_the_settings() -> None:
    assert iso(instant("20260413 15:27:04 JST", TimeZones("Asia/Shanghai"))) == "2026-04-13T06:27:04.000Z"


def test_every_windows_name_has_a_zone() -> None:
    for name, zone in WINDOWS.items():
        assert instant(f"20260413 15:27:04 {name}") == instant(f"20260413 15:27:04 {zone}")


def test_of_a_repeated_hour_the_first_is_meant() -> None:
    repeated = instant("20261101 01:30:00 US/Eastern")
    assert instant("20261101 02:30:00 US/Eastern") - repeated == 2 * HOUR


@given(seconds=st.integers(min_value=0, max_value=4_000_000_000))
@settings(max_examples=100)
def test_what_we_write_is_read_back(seconds: int) -> None:
    assert instant(utc_text(seconds * SECOND)) == seconds * SECOND
