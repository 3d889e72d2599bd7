"""Which sessions an instrument has: those of its contract where the broker states them, else those of its exchange."""

from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mats.model import Instrument, SecType
from mats.sessions.around_clock import currency_days, utc_days
from mats.sessions.calendar import SessionCalendar, Source
from mats.sessions.contract_hours import preferring, read_hours, stated_sessions
from mats.sessions.exchanges import exchange_calendar, published

EXCHANGES = MappingProxyType(
    {
        **dict.fromkeys(("NYSE", "NASDAQ", "ARCA", "AMEX", "BATS", "ISLAND", "IEX", "PINK", "CBOE", "ISE"), "XNYS"),
        **dict.fromkeys(("CME", "GLOBEX", "CBOT", "ECBOT", "NYMEX", "COMEX"), "CMES"),
        **dict.fromkeys(("NYBOT", "IPE", "ICEUS", "ICEEU"), "IEPA"),
        **dict.fromkeys(("IBIS", "IBIS2"), "XETR"),
        **dict.fromkeys(("FWB", "FWB2"), "XFRA"),
        **dict.fromkeys(("EUREX", "DTB"), "XEUR"),
        **dict.fromkeys(("LSE", "LSEETF", "LSEIOB1"), "XLON"),
        **dict.fromkeys(("SBF", "MATIF", "MONEP"), "XPAR"),
        **dict.fromkeys(("AEB", "FTA"), "XAMS"),
        **dict.fromkeys(("BVME", "BVME.ETF", "IDEM"), "XMIL"),
        **dict.fromkeys(("BM", "MEFFRV"), "XMAD"),
        **dict.fromkeys(("EBS", "VIRTX", "SOFFEX"), "XSWX"),
        **dict.fromkeys(("SFB", "OMS"), "XSTO"),
        **dict.fromkeys(("TSE", "VENTURE", "CDE"), "XTSE"),
        **dict.fromkeys(("TSEJ", "OSE.JPN", "CHIXJ"), "XTKS"),
        **dict.fromkeys(("SEHK", "HKFE"), "XHKG"),
        **dict.fromkeys(("ASX", "SNFE"), "XASX"),
        **dict.fromkeys(("NSE", "BSE"), "XBOM"),
        **dict.fromkeys(("KSE", "KRX"), "XKRX"),
        "CFE": "XCBF",
        "BVL": "XLIS",
        "ENEXT.BE": "XBRU",
        "OSE": "XOSL",
        "CPH": "XCSE",
        "HEX": "XHEL",
        "VSE": "XWBO",
        "ISED": "XDUB",
        "SGX": "XSES",
        "MEXI": "XMEX",
        "TASE": "XTAE",
        "WSE": "XWAR",
        "PRA": "XPRA",
        "BUX": "XBUD",
        "JSE": "XJSE",
        "SEHKNTL": "XSHG",
        "SEHKSZSE": "XSHG",
    }
)
"""IB's names of exchanges, and the calendars of exchange_calendars that they keep."""

CURRENCIES = MappingProxyType(
    {
        "USD": "XNYS",
        "EUR": "XETR",
        "GBP": "XLON",
        "CHF": "XSWX",
        "JPY": "XTKS",
        "HKD": "XHKG",
        "CAD": "XTSE",
        "AUD": "XASX",
        "SEK": "XSTO",
        "NOK": "XOSL",
        "DKK": "XCSE",
        "SGD": "XSES",
        "PLN": "XWAR",
        "MXN": "XMEX",
        "ZAR": "XJSE",
        "ILS": "XTAE",
        "KRW": "XKRX",
        "CZK": "XPRA",
        "HUF": "XBUD",
        "INR": "XBOM",
        "TRY": "XIST",
        "CNH": "XSHG",
    }
)
"""The home of a currency: for a share that names no exchange of its own."""

UNKNOWN = "hours unknown, days of UTC"
ALWAYS = "around the clock, days of UTC"
CURRENCY_DAYS = "currencies, 17:00 to 17:00 in New York"

_AROUND_THE_CLOCK = frozenset(("CRYPTO",))
_BY_CURRENCY_DAYS = frozenset((SecType.CASH.value, "CMDTY"))
_WITHOUT_EXTENDED_HOURS = frozenset((SecType.FUTURE.value, "CONTFUT", "FOP", *_AROUND_THE_CLOCK, *_BY_CURRENCY_DAYS))
"""Types whose session is everything that is traded; of others the liquid hours are the session."""


@lru_cache(maxsize=4096)
def calendar_of(instrument: Instrument) -> SessionCalendar:
    """The sessions of an instrument.

    For the days that its contract states hours for, those; for other days the calendar of its exchange. The hours are
    not read where its zone is not known.
    """
    name, source = _usual(instrument)
    stated = instrument.liquid_hours or instrument.trading_hours
    known = name != UNKNOWN
    if stated:
        try:
            source, name, known = _stated(instrument, source), f"contract hours, else {name}", True
        except (ValueError, ZoneInfoNotFoundError):
            name = f"{name}; the contract's hours cannot be read"
    elif name in _SHARED:
        return _SHARED[name]
    elif known:
        return exchange_calendar(name)
    return SessionCalendar(name, source, known=known)


def unknown_calendar() -> SessionCalendar:
    """The sessions of what trades at hours that are not known: days of UTC."""
    return _SHARED[UNKNOWN]


_SHARED = {
    UNKNOWN: SessionCalendar(UNKNOWN, utc_days, known=False),
    ALWAYS: SessionCalendar(ALWAYS, utc_days),
    CURRENCY_DAYS: SessionCalendar(CURRENCY_DAYS, currency_days),
}


def _usual(instrument: Instrument) -> tuple[str, Source]:
    """The sessions of instruments of its kind, by name."""
    kind = instrument.sec_type.value
    if kind in _AROUND_THE_CLOCK:
        return ALWAYS, utc_days
    if kind in _BY_CURRENCY_DAYS:
        return CURRENCY_DAYS, currency_days
    code = _code(instrument)
    return (UNKNOWN, utc_days) if code is None else (code, lambda first, last: published(code, first, last))


def _code(instrument: Instrument) -> str | None:
    """The calendar of its exchange; None where there is none that is known."""
    for exchange in (instrument.primary_exchange, instrument.exchange):
        if exchange in EXCHANGES:
            return EXCHANGES[exchange]
    if instrument.sec_type is SecType.FUTURE:
        return "CMES" if instrument.exchange == "" and instrument.currency == "USD" else None
    return CURRENCIES.get(instrument.currency)


def _stated(instrument: Instrument, otherwise: Source) -> Source:
    zone = ZoneInfo(instrument.time_zone)
    trading = read_hours(instrument.trading_hours or instrument.liquid_hours, zone)
    liquid = read_hours(instrument.liquid_hours or instrument.trading_hours, zone)
    whole = instrument.sec_type.value in _WITHOUT_EXTENDED_HOURS
    sessions = stated_sessions(trading if whole else liquid, trading, zone)
    return preferring(sessions, otherwise) if sessions else otherwise
