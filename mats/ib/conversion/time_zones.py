"""The names that gateways give to time zones.

A gateway writes its own zone into its times, by whatever name its machine has for it: IANA's, an abbreviation, an
offset, or on Windows a name of Microsoft's. Source of the latter: Unicode CLDR, `windowsZones.xml`, territory 001.
Abbreviations are offsets: they name standard or summer time, so that the hour that autumn repeats is told apart. Those
that several zones share are no name at all.
"""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from types import MappingProxyType
from zoneinfo import ZoneInfo

HOUR_MINUTES = 60

AMBIGUOUS = MappingProxyType(
    {
        "AST": ("America/Halifax", "Asia/Riyadh"),
        "BST": ("Europe/London", "Asia/Dhaka"),
        "CDT": ("America/Chicago", "America/Havana"),
        "CST": ("America/Chicago", "Asia/Shanghai", "America/Havana"),
        "ECT": ("Europe/Paris", "America/Guayaquil"),
        "GST": ("Asia/Dubai", "Atlantic/South_Georgia"),
        "IST": ("Asia/Kolkata", "Asia/Jerusalem", "Europe/Dublin"),
        "PST": ("America/Los_Angeles", "Asia/Manila"),
        "SST": ("Pacific/Pago_Pago", "Pacific/Guadalcanal"),
    }
)
"""Abbreviations, each with the zones that it can mean."""

OFFSETS = MappingProxyType(
    {
        "ACDT": 630, "ACST": 570, "ADT": -180, "AEDT": 660, "AEST": 600, "AKDT": -480, "AKST": -540, "AWST": 480,
        "CEST": 120, "EAT": 180, "EDT": -240, "EEST": 180, "HKT": 480, "JST": 540, "KST": 540, "MDT": -360,
        "MESZ": 120, "MEZ": 60, "MSK": 180, "NZDT": 780, "NZST": 720, "PDT": -420, "SAST": 120, "SGT": 480,
        "WEST": 60, "Z": 0,
    }
)  # fmt: skip
"""Abbreviations that mean one offset, in minutes east of Greenwich."""

WINDOWS = MappingProxyType(
    {
        "AUS Central Standard Time": "Australia/Darwin",
        "AUS Eastern Standard Time": "Australia/Sydney",
        "Afghanistan Standard Time": "Asia/Kabul",
        "Alaskan Standard Time": "America/Anchorage",
        "Aleutian Standard Time": "America/Adak",
        "Altai Standard Time": "Asia/Barnaul",
        "Arab Standard Time": "Asia/Riyadh",
        "Arabian Standard Time": "Asia/Dubai",
        "Arabic Standard Time": "Asia/Baghdad",
        "Argentina Standard Time": "America/Argentina/Buenos_Aires",
        "Astrakhan Standard Time": "Europe/Astrakhan",
        "Atlantic Standard Time": "America/Halifax",
        "Aus Central W. Standard Time": "Australia/Eucla",
        "Azerbaijan Standard Time": "Asia/Baku",
        "Azores Standard Time": "Atlantic/Azores",
        "Bahia Standard Time": "America/Bahia",
        "Bangladesh Standard Time": "Asia/Dhaka",
        "Belarus Standard Time": "Europe/Minsk",
        "Bougainville Standard Time": "Pacific/Bougainville",
        "Canada Central Standard Time": "America/Regina",
        "Cape Verde Standard Time": "Atlantic/Cape_Verde",
        "Caucasus Standard Time": "Asia/Yerevan",
        "Cen. Australia Standard Time": "Australia/Adelaide",
        "Central America Standard Time": "America/Guatemala",
        "Central Asia Standard Time": "Asia/Bishkek",
        "Central Brazilian Standard Time": "America/Cuiaba",
        "Central Europe Standard Time": "Europe/Budapest",
        "Central European Standard Time": "Europe/Warsaw",
        "Central Pacific Standard Time": "Pacific/Guadalcanal",
        "Central Standard Time": "America/Chicago",
        "Central Standard Time (Mexico)": "America/Mexico_City",
        "Chatham Islands Standard Time": "Pacific/Chatham",
        "China Standard Time": "Asia/Shanghai",
        "Cuba Standard Time": "America/Havana",
        "Dateline Standard Time": "Etc/GMT+12",
        "E. Africa Standard Time": "Africa/Nairobi",
        "E. Australia Standard Time": "Australia/Brisbane",
        "E. Europe Standard Time": "Europe/Chisinau",
        "E. South America Standard Time": "America/Sao_Paulo",
        "Easter Island Standard Time": "Pacific/Easter",
        "Eastern Standard Time": "America/New_York",
        "Eastern Standard Time (Mexico)": "America/Cancun",
        "Egypt Standard Time": "Africa/Cairo",
        "Ekaterinburg Standard Time": "Asia/Yekaterinburg",
        "FLE Standard Time": "Europe/Kyiv",
        "Fiji Standard Time": "Pacific/Fiji",
        "GMT Standard Time": "Europe/London",
        "GTB Standard Time": "Europe/Bucharest",
        "Georgian Standard Time": "Asia/Tbilisi",
        "Greenland Standard Time": "America/Nuuk",
        "Greenwich Standard Time": "Atlantic/Reykjavik",
        "Haiti Standard Time": "America/Port-au-Prince",
        "Hawaiian Standard Time": "Pacific/Honolulu",
        "India Standard Time": "Asia/Kolkata",
        "Iran Standard Time": "Asia/Tehran",
        "Israel Standard Time": "Asia/Jerusalem",
        "Jordan Standard Time": "Asia/Amman",
        "Kaliningrad Standard Time": "Europe/Kaliningrad",
        "Korea Standard Time": "Asia/Seoul",
        "Libya Standard Time": "Africa/Tripoli",
        "Line Islands Standard Time": "Pacific/Kiritimati",
        "Lord Howe Standard Time": "Australia/Lord_Howe",
        "Magadan Standard Time": "Asia/Magadan",
        "Magallanes Standard Time": "America/Punta_Arenas",
        "Marquesas Standard Time": "Pacific/Marquesas",
        "Mauritius Standard Time": "Indian/Mauritius",
        "Middle East Standard Time": "Asia/Beirut",
        "Montevideo Standard Time": "America/Montevideo",
        "Morocco Standard Time": "Africa/Casablanca",
        "Mountain Standard Time": "America/Denver",
        "Mountain Standard Time (Mexico)": "America/Mazatlan",
        "Myanmar Standard Time": "Asia/Yangon",
        "N. Central Asia Standard Time": "Asia/Novosibirsk",
        "Namibia Standard Time": "Africa/Windhoek",
        "Nepal Standard Time": "Asia/Kathmandu",
        "New Zealand Standard Time": "Pacific/Auckland",
        "Newfoundland Standard Time": "America/St_Johns",
        "Norfolk Standard Time": "Pacific/Norfolk",
        "North Asia East Standard Time": "Asia/Irkutsk",
        "North Asia Standard Time": "Asia/Krasnoyarsk",
        "North Korea Standard Time": "Asia/Pyongyang",
        "Omsk Standard Time": "Asia/Omsk",
        "Pacific SA Standard Time": "America/Santiago",
        "Pacific Standard Time": "America/Los_Angeles",
        "Pacific Standard Time (Mexico)": "America/Tijuana",
        "Pakistan Standard Time": "Asia/Karachi",
        "Paraguay Standard Time": "America/Asuncion",
        "Qyzylorda Standard Time": "Asia/Qyzylorda",
        "Romance Standard Time": "Europe/Paris",
        "Russia Time Zone 10": "Asia/Srednekolymsk",
        "Russia Time Zone 11": "Asia/Kamchatka",
        "Russia Time Zone 3": "Europe/Samara",
        "Russian Standard Time": "Europe/Moscow",
        "SA Eastern Standard Time": "America/Cayenne",
        "SA Pacific Standard Time": "America/Bogota",
        "SA Western Standard Time": "America/La_Paz",
        "SE Asia Standard Time": "Asia/Bangkok",
        "Saint Pierre Standard Time": "America/Miquelon",
        "Sakhalin Standard Time": "Asia/Sakhalin",
        "Samoa Standard Time": "Pacific/Apia",
        "Sao Tome Standard Time": "Africa/Sao_Tome",
        "Saratov Standard Time": "Europe/Saratov",
        "Singapore Standard Time": "Asia/Singapore",
        "South Africa Standard Time": "Africa/Johannesburg",
        "South Sudan Standard Time": "Africa/Juba",
        "Sri Lanka Standard Time": "Asia/Colombo",
        "Sudan Standard Time": "Africa/Khartoum",
        "Syria Standard Time": "Asia/Damascus",
        "Taipei Standard Time": "Asia/Taipei",
        "Tasmania Standard Time": "Australia/Hobart",
        "Tocantins Standard Time": "America/Araguaina",
        "Tokyo Standard Time": "Asia/Tokyo",
        "Tomsk Standard Time": "Asia/Tomsk",
        "Tonga Standard Time": "Pacific/Tongatapu",
        "Transbaikal Standard Time": "Asia/Chita",
        "Turkey Standard Time": "Europe/Istanbul",
        "Turks And Caicos Standard Time": "America/Grand_Turk",
        "US Eastern Standard Time": "America/Indiana/Indianapolis",
        "US Mountain Standard Time": "America/Phoenix",
        "UTC-02": "Etc/GMT+2",
        "UTC-08": "Etc/GMT+8",
        "UTC-09": "Etc/GMT+9",
        "UTC-11": "Etc/GMT+11",
        "UTC+12": "Etc/GMT-12",
        "UTC+13": "Etc/GMT-13",
        "Ulaanbaatar Standard Time": "Asia/Ulaanbaatar",
        "Venezuela Standard Time": "America/Caracas",
        "Vladivostok Standard Time": "Asia/Vladivostok",
        "Volgograd Standard Time": "Europe/Volgograd",
        "W. Australia Standard Time": "Australia/Perth",
        "W. Central Africa Standard Time": "Africa/Lagos",
        "W. Europe Standard Time": "Europe/Berlin",
        "W. Mongolia Standard Time": "Asia/Hovd",
        "West Asia Standard Time": "Asia/Tashkent",
        "West Bank Standard Time": "Asia/Hebron",
        "West Pacific Standard Time": "Pacific/Port_Moresby",
        "Yakutsk Standard Time": "Asia/Yakutsk",
        "Yukon Standard Time": "America/Whitehorse",
    }
)
"""Microsoft's names."""

_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2})(?::?(\d\d))?", re.ASCII)
SETTING = "gateway.time_zone"


class UnknownZone(ValueError):
    """A zone that cannot be told; the text says which, and the setting to write."""


class TimeZones:
    """The zones of one gateway. `own` is the IANA name from the settings, for names that say nothing by themselves."""

    def __init__(self, own: str = "") -> None:
        self._own = ZoneInfo(own) if own else None
        self._found: dict[str, tzinfo] = {}

    def find(self, name: str) -> tzinfo:
        """The zone that the gateway means by `name`, empty where it wrote none. Raises UnknownZone."""
        if (found := self._found.get(name)) is None:
            found = self._found[name] = _known(name) or self._own or _refuse(name)
        return found


KNOWN_ZONES = TimeZones()
"""Nothing but the names that are clear by themselves."""


def _known(name: str) -> tzinfo | None:
    if name in AMBIGUOUS or not name:
        return None
    if name in OFFSETS:
        return timezone(timedelta(minutes=OFFSETS[name]))
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes = offset.groups()
        return _fixed(sign, int(hours) * HOUR_MINUTES + int(minutes or 0))
    try:
        return ZoneInfo(WINDOWS.get(name, name))
    except (KeyError, ValueError, OSError):
        return None


def _fixed(sign: str, minutes: int) -> tzinfo | None:
    """`GMT+08:00` is east of Greenwich, unlike IANA's `Etc/GMT+8`."""
    if minutes >= 24 * HOUR_MINUTES:
        return None
    return timezone(timedelta(minutes=minutes if sign == "+" else -minutes)) if minutes else UTC


def _refuse(name: str) -> tzinfo:
    if not name:
        raise UnknownZone(f"no zone; set {SETTING} to that of the gateway, for example America/New_York")
    if name in AMBIGUOUS:
        raise UnknownZone(f"the ambiguous zone {name!r}; set {SETTING} to the one that is meant: "
                          f"{', '.join(AMBIGUOUS[name])}")  # fmt: skip
    raise UnknownZone(f"the unknown zone {name!r}; set {SETTING} to its IANA name, for example Europe/Berlin")
