"""What is the same for all contracts of an exchange: its zone as IB names it, other venues, spellings.

Sources: IB's list of time zone ids in the documentation of contract details; the exchanges' contract specifications.
"""

from typing import NamedTuple
from zoneinfo import ZoneInfo

from mats.model import Instrument, SecType


class ExchangeFacts(NamedTuple):
    """The zone as IB writes it, and the time of day at which expiring contracts are traded last."""

    zone: str
    last_trade: str


EASTERN, CENTRAL, MIDDLE, LONDON = "US/Eastern", "US/Central", "MET", "Europe/London"

EXCHANGES = {
    "CME": ExchangeFacts(CENTRAL, "08:30"),
    "CBOT": ExchangeFacts(CENTRAL, "12:00"),
    "COMEX": ExchangeFacts(EASTERN, "13:30"),
    "NYMEX": ExchangeFacts(EASTERN, "14:30"),
    "CFE": ExchangeFacts(CENTRAL, "08:00"),
    "CBOE": ExchangeFacts(CENTRAL, "15:00"),
    "NYBOT": ExchangeFacts(EASTERN, "14:30"),
    "ICEUS": ExchangeFacts(EASTERN, "10:16"),
    "ICEEU": ExchangeFacts(LONDON, "10:00"),
    "ICEEUSOFT": ExchangeFacts(LONDON, "12:00"),
    "IPE": ExchangeFacts(LONDON, "19:30"),
    "LMEOTC": ExchangeFacts(LONDON, "12:30"),
    "LSE": ExchangeFacts("GB-Eire", "16:30"),
    "EUREX": ExchangeFacts(MIDDLE, "13:00"),
    "IBIS": ExchangeFacts(MIDDLE, "17:30"),
    "IBIS2": ExchangeFacts(MIDDLE, "17:30"),
    "BVME.ETF": ExchangeFacts(MIDDLE, "17:30"),
    "AEB": ExchangeFacts(MIDDLE, "17:30"),
    "FTA": ExchangeFacts(MIDDLE, "16:00"),
    "MONEP": ExchangeFacts(MIDDLE, "16:00"),
    "MATIF": ExchangeFacts(MIDDLE, "18:30"),
    "BELFOX": ExchangeFacts(MIDDLE, "16:00"),
    "IDEM": ExchangeFacts(MIDDLE, "09:05"),
    "MEFFRV": ExchangeFacts(MIDDLE, "16:45"),
    "ENDEX": ExchangeFacts(MIDDLE, "18:00"),
    "OMS": ExchangeFacts(MIDDLE, "13:00"),
    "SNFE": ExchangeFacts("Australia/NSW", "12:00"),
    "OSE.JPN": ExchangeFacts("JST", "15:15"),
    "TSEJ": ExchangeFacts("JST", "15:30"),
    "HKFE": ExchangeFacts("Hongkong", "16:00"),
    "SGX": ExchangeFacts("Singapore", "14:30"),
    "KSE": ExchangeFacts("Asia/Seoul", "15:20"),
    "NSE": ExchangeFacts("Asia/Calcutta", "15:30"),
    "TWSE": ExchangeFacts("Asia/Taipei", "13:30"),
    "CDE": ExchangeFacts(EASTERN, "13:30"),
    "MEXDER": ExchangeFacts("America/Mexico_City", "15:00"),
}
UNITED_STATES = ExchangeFacts(EASTERN, "16:00")
"""The stock and option exchanges that are not listed above, and everything behind SMART."""

JAVA_ZONES = {"JST": "Asia/Tokyo"}
"""The IANA names of zones that IB names as Java does."""

SAME_EXCHANGE = {"ISLAND": "NASDAQ"}
"""Other spellings of an exchange that IB accepts."""

VENUES: dict[tuple[SecType, str], tuple[str, ...]] = {
    (SecType.STOCK, "USD"): ("AMEX", "NYSE", "CBOE", "ARCA", "BATS", "IEX", "NASDAQ", "OVERNIGHT"),
    (SecType.STOCK, "EUR"): ("TGATE",),
    (SecType.STOCK, "GBP"): ("CHIXEN", "BATEEN"),
    (SecType.CASH, "USD"): ("IDEALPRO",),
    (SecType.OPTION, "USD"): ("AMEX", "BATS", "BOX", "CBOE", "ISE", "PHLX", "PSE"),
}
"""The exchanges to which an instrument can be routed, besides SMART and its listing exchange."""

ALGORITHMIC = dict.fromkeys(("CME", "CBOT", "COMEX", "NYMEX"), ("QBALGO",))
"""Routes that list the contracts of an exchange a second time, with the same contract id."""


def facts_of(instrument: Instrument) -> ExchangeFacts:
    """The facts of the exchange on which it is listed."""
    return EXCHANGES.get(listing_exchange(instrument), UNITED_STATES)


def listing_exchange(instrument: Instrument) -> str:
    """The primary exchange, else the only one."""
    return instrument.primary_exchange or instrument.exchange


def one_spelling(exchange: str) -> str:
    """The exchange by the name that details state."""
    return SAME_EXCHANGE.get(exchange, exchange)


def valid_exchanges(instrument: Instrument) -> list[str]:
    """The exchanges to which its orders may be routed, its own first."""
    routes = VENUES.get((instrument.sec_type, instrument.currency), ())
    own = (instrument.exchange, instrument.primary_exchange, *ALGORITHMIC.get(instrument.exchange, ()))
    return [name for name in dict.fromkeys((*own, *routes)) if name]


def zone_info(name: str) -> ZoneInfo:
    """The zone of a name that IB writes. Raises ZoneInfoNotFoundError."""
    return ZoneInfo(JAVA_ZONES.get(name, name))
