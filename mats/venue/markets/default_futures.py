"""The default futures: one row for each trading class, its contracts by the rule of its exchange.

Two classes of one symbol and exchange are different contracts: the DAX at 25, 5 and 1 euro a point. Contract ids are
the venue's own, and stable. Levels are plausible, not quotes.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from mats.instruments import instrument_id
from mats.model import Instrument, SecType
from mats.venue.markets import calendar_rules as rules
from mats.venue.markets.calendar_rules import MONTH_CODES, MONTHS, QUARTERS, ExpiryRule, contract_months
from mats.venue.markets.exchange_facts import EXCHANGES
from mats.venue.markets.listing import Listing


class FuturesRow(NamedTuple):
    """The contracts of one trading class. `walk` is the instrument with which they move."""

    symbol: str
    trading_class: str
    exchange: str
    currency: str
    multiplier: str
    tick: str
    price: float
    volatility: float
    name: str
    walk: str
    magnifier: int = 1
    months: tuple[int, ...] = QUARTERS
    expiry: ExpiryRule = rules.third_friday


SPX, NDX = (instrument_id(symbol, SecType.INDEX, "USD") for symbol in ("SPX", "NDX"))
DAX, ESTX50 = (instrument_id(symbol, SecType.INDEX, "EUR") for symbol in ("DAX", "ESTX50"))

ROWS = (
    FuturesRow("ES", "ES", "CME", "USD", "50", "0.25", 5600.0, 0.16, "E-mini S&P 500", "SPY"),
    FuturesRow("NQ", "NQ", "CME", "USD", "20", "0.25", 19700.0, 0.20, "E-mini NASDAQ 100", "QQQ"),
    FuturesRow("MES", "MES", "CME", "USD", "5", "0.25", 5600.0, 0.16, "Micro E-Mini S&P 500", "SPY"),
    FuturesRow("MNQ", "MNQ", "CME", "USD", "2", "0.25", 19700.0, 0.20, "Micro E-Mini Nasdaq-100", "QQQ"),
    FuturesRow("DAX", "FDAX", "EUREX", "EUR", "25", "1", 18000.0, 0.17, "DAX 40 Index", DAX),
    FuturesRow("DAX", "FDXM", "EUREX", "EUR", "5", "1", 18000.0, 0.17, "Mini DAX 40 Index", DAX),
    FuturesRow("DAX", "FDXS", "EUREX", "EUR", "1", "1", 18000.0, 0.17, "Micro DAX 40 Index", DAX),
    FuturesRow("ESTX50", "FESX", "EUREX", "EUR", "10", "1", 4900.0, 0.16, "EURO STOXX 50", ESTX50),
    FuturesRow("ESTX50", "FSXE", "EUREX", "EUR", "1", "1", 4900.0, 0.16, "Micro EURO STOXX 50", ESTX50),
    FuturesRow(
        "GBL", "FGBL", "EUREX", "EUR", "1000", "0.01", 133.0, 0.06, "Euro Bund (10 Year Bond)", "", 1, QUARTERS,
        rules.before_tenth,
    ),
    FuturesRow("FTMIB", "FIB", "IDEM", "EUR", "5", "5", 34000.0, 0.18, "FTSE MIB Index", "FTMIB"),
    FuturesRow("FTMIB", "MINI", "IDEM", "EUR", "1", "5", 34000.0, 0.18, "mini FTSE MIB Index", "FTMIB"),
    FuturesRow("EOE", "FTI", "FTA", "EUR", "200", "0.05", 900.0, 0.15, "AEX Index", "EOE", 1, MONTHS),
    FuturesRow("EOE", "MFA", "FTA", "EUR", "20", "0.05", 900.0, 0.15, "Mini AEX Index", "EOE", 1, MONTHS),
    FuturesRow(
        "SI", "SI", "COMEX", "USD", "5000", "0.005", 30.0, 0.30, "NYMEX Silver Index", "SI", 1, MONTHS,
        rules.third_last_business_day,
    ),
    FuturesRow(
        "SI", "SIL", "COMEX", "USD", "1000", "0.005", 30.0, 0.30, "Micro Silver", "SI", 1, MONTHS,
        rules.third_last_business_day,
    ),
    FuturesRow(
        "GC", "GC", "COMEX", "USD", "100", "0.1", 2600.0, 0.16, "Gold", "GC", 1, MONTHS,
        rules.third_last_business_day,
    ),
    FuturesRow(
        "CL", "CL", "NYMEX", "USD", "1000", "0.01", 70.0, 0.35, "Light Sweet Crude Oil", "CL", 1, MONTHS,
        rules.before_delivery_month,
    ),
    FuturesRow("ZC", "ZC", "CBOT", "USD", "5000", "0.25", 430.0, 0.25, "Corn Futures", "ZC", 100, (3, 5, 7, 9, 12)),
    FuturesRow(
        "EUR", "6E", "CME", "USD", "125000", "0.00005", 1.09, 0.07, "European Monetary Union Euro", "EURUSD", 1,
        QUARTERS, rules.before_third_wednesday,
    ),
    FuturesRow(
        "JPY", "6J", "CME", "USD", "12500000", "0.0000005", 0.0068, 0.10, "Japanese yen", "JPY", 1, QUARTERS,
        rules.before_third_wednesday,
    ),
    FuturesRow("Z", "Z", "ICEEU", "GBP", "1000", "0.5", 8200.0, 0.14, "FTSE 100 Index", "Z", 100),
    FuturesRow(
        "N225", "225", "OSE.JPN", "JPY", "1000", "10", 38500.0, 0.20, "Nikkei 225", "N225", 1, QUARTERS,
        rules.before_second_friday,
    ),
    FuturesRow(
        "N225M", "225M", "OSE.JPN", "JPY", "100", "5", 38500.0, 0.20, "Nikkei 225 mini", "N225", 1, MONTHS,
        rules.before_second_friday,
    ),
    FuturesRow(
        "HSI", "HSI", "HKFE", "HKD", "50", "1", 19000.0, 0.24, "Hang Seng Index", "HSI", 1, MONTHS,
        rules.second_last_business_day,
    ),
    FuturesRow(
        "MHI", "MHI", "HKFE", "HKD", "10", "1", 19000.0, 0.24, "Mini Hang Seng Index", "HSI", 1, MONTHS,
        rules.second_last_business_day,
    ),
    FuturesRow("SPI", "AP", "SNFE", "AUD", "25", "1", 8200.0, 0.14, "SPI 200", "SPI"),
    FuturesRow("SMI", "FSMI", "EUREX", "CHF", "10", "1", 12000.0, 0.14, "Swiss Market Index", "SMI"),
)  # fmt: skip
INDEX_OF = {"ES": SPX, "MES": SPX, "NQ": NDX, "MNQ": NDX, "DAX": DAX, "ESTX50": ESTX50}
"""The listed index on which the futures of a symbol are."""

FIRST_CON_ID, PER_ROW = 700_000_000, 1_000_000


def default_futures() -> Iterator[Listing]:
    for number, row in enumerate(ROWS):
        for year, month in contract_months(row.months):
            yield futures_listing(row, year, month, FIRST_CON_ID + number * PER_ROW + year * 100 + month)


def futures_listing(row: FuturesRow, year: int, month: int, con_id: int) -> Listing:
    """The contract of a row for a month."""
    expiry = row.expiry(year, month).strftime("%Y%m%d")
    kind = row.trading_class
    local = f"{kind} {expiry} M" if row.exchange == "EUREX" else f"{kind}{MONTH_CODES[month]}{year % 10}"
    instrument = Instrument(
        id=instrument_id(row.symbol, SecType.FUTURE, row.currency, expiry, "", kind),
        symbol=row.symbol,
        sec_type=SecType.FUTURE,
        currency=row.currency,
        exchange=row.exchange,
        local_symbol=local,
        trading_class=kind,
        expiry=expiry,
        multiplier=Decimal(row.multiplier),
        price_magnifier=Decimal(row.magnifier),
        tick_size=Decimal(row.tick),
        time_zone=EXCHANGES[row.exchange].zone,
        con_id=con_id,
        name=row.name,
    )
    return Listing(
        instrument=instrument,
        price=row.price,
        volatility=row.volatility,
        lot=5,
        daily_volume=1_500_000,
        walk=row.walk,
        underlying=INDEX_OF.get(row.symbol, ""),
        contract_month=f"{year}{month:02d}",
    )
