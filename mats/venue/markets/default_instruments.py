"""The default listings: stocks, pairs, indices, futures and options.

The contract ids of stocks, pairs and indices are IB's; those of futures and options are the venue's own, and stable.
Levels are plausible, not quotes. Futures and options expire on the third Friday of March, June, September and December.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from mats.instruments import instrument_id
from mats.model import Instrument, InstrumentId, SecType, exact


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument with its parameters in the random market.

    `price` is the level to which the random walk reverts, `volatility` the annual standard deviation of its logarithm,
    `spread` the quoted spread in ticks, `lot` the unit of quoted sizes, `daily_volume` in units (0: no volume is
    published). Instruments with the same `walk` move together (empty: a walk of its own). The price of an option
    follows from that of its `underlying`. `live` says whether clients may have live data; if not, they are offered data
    delayed by fifteen minutes.
    """

    instrument: Instrument
    price: float
    volatility: float
    spread: int = 1
    lot: int = 100
    daily_volume: int = 10_000_000
    walk: str = ""
    underlying: InstrumentId = ""
    live: bool = True


QUARTERS = (3, 6, 9, 12)
YEARS = range(2025, 2031)
MONTH_CODES = {3: "H", 6: "M", 9: "U", 12: "Z"}


def third_friday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)


EXPIRIES = tuple(third_friday(year, month) for year in YEARS for month in QUARTERS)


def _stock(
    con_id: int,
    symbol: str,
    primary: str,
    name: str,
    price: float,
    volatility: float,
    volume: int,
    currency: str = "USD",
) -> Listing:
    instrument = Instrument(
        id=instrument_id(symbol, SecType.STOCK, currency),
        symbol=symbol,
        sec_type=SecType.STOCK,
        currency=currency,
        exchange="SMART",
        primary_exchange=primary,
        local_symbol=symbol,
        trading_class="NMS" if primary == "NASDAQ" else symbol,
        con_id=con_id,
        name=name,
    )
    return Listing(instrument=instrument, price=price, volatility=volatility, daily_volume=volume)


def _pair(con_id: int, base: str, quote: str, name: str, tick: str, price: float, volatility: float) -> Listing:
    instrument = Instrument(
        id=base + quote,
        symbol=base,
        sec_type=SecType.CASH,
        currency=quote,
        exchange="IDEALPRO",
        local_symbol=f"{base}.{quote}",
        trading_class=f"{base}.{quote}",
        tick_size=Decimal(tick),
        con_id=con_id,
        name=name,
    )
    return Listing(instrument=instrument, price=price, volatility=volatility, spread=2, lot=250_000, daily_volume=0)


def _index(con_id: int, symbol: str, name: str, price: float, volatility: float, walk: str) -> Listing:
    instrument = Instrument(
        id=symbol,
        symbol=symbol,
        sec_type=SecType.INDEX,
        currency="USD",
        exchange="CBOE",
        local_symbol=symbol,
        trading_class=symbol,
        con_id=con_id,
        name=name,
    )
    return Listing(instrument=instrument, price=price, volatility=volatility, daily_volume=0, walk=walk)


def _futures(
    con_id: int, symbol: str, name: str, multiplier: int, price: float, volatility: float, walk: str
) -> Iterator[Listing]:
    for expiry in EXPIRIES:
        text = expiry.strftime("%Y%m%d")
        instrument = Instrument(
            id=instrument_id(symbol, SecType.FUTURE, "USD", text),
            symbol=symbol,
            sec_type=SecType.FUTURE,
            currency="USD",
            exchange="CME",
            local_symbol=f"{symbol}{MONTH_CODES[expiry.month]}{expiry.year % 10}",
            trading_class=symbol,
            expiry=text,
            multiplier=Decimal(multiplier),
            tick_size=Decimal("0.25"),
            time_zone="US/Central",
            con_id=con_id + expiry.year * 100 + expiry.month,
            name=name,
        )
        yield Listing(
            instrument=instrument, price=price, volatility=volatility, lot=5, daily_volume=1_500_000, walk=walk
        )


def _options(con_id: int, stock: Listing, strikes: range) -> Iterator[Listing]:
    symbol = stock.instrument.symbol
    for number, expiry in enumerate(EXPIRIES):
        for i, strike in enumerate(strikes):
            for j, right in enumerate("CP"):
                local = f"{symbol:<6}{expiry:%y%m%d}{right}{strike * 1000:08d}"
                instrument = Instrument(
                    id=local,
                    symbol=symbol,
                    sec_type=SecType.OPTION,
                    currency="USD",
                    exchange="SMART",
                    local_symbol=local,
                    trading_class=symbol,
                    expiry=expiry.strftime("%Y%m%d"),
                    strike=exact(strike),
                    right=right,
                    multiplier=Decimal(100),
                    con_id=con_id + number * 1000 + i * 2 + j,
                    name=stock.instrument.name,
                )
                yield Listing(
                    instrument=instrument,
                    price=stock.price,
                    volatility=stock.volatility,
                    spread=3,
                    lot=10,
                    daily_volume=500,
                    underlying=stock.instrument.id,
                )


SPY = _stock(756733, "SPY", "ARCA", "SPDR S&P 500 ETF TRUST", 560.0, 0.16, 60_000_000)
AAPL = _stock(265598, "AAPL", "NASDAQ", "APPLE INC", 225.0, 0.26, 50_000_000)

DEFAULT_LISTINGS = (
    SPY,
    _stock(320227571, "QQQ", "NASDAQ", "INVESCO QQQ TRUST SERIES 1", 480.0, 0.20, 40_000_000),
    _stock(72539702, "TQQQ", "NASDAQ", "PROSHARES ULTRAPRO QQQ", 72.0, 0.60, 70_000_000),
    AAPL,
    _stock(8314, "IBM", "NYSE", "INTL BUSINESS MACHINES CORP", 190.0, 0.22, 4_000_000),
    _stock(10098, "BAC", "NYSE", "BANK OF AMERICA CORP", 40.0, 0.25, 35_000_000),
    _stock(61319701, "AIG", "NYSE", "AMERICAN INTERNATIONAL GROUP", 75.0, 0.24, 4_000_000),
    _stock(13272, "SAP", "NYSE", "SAP SE-SPONSORED ADR", 218.0, 0.26, 1_000_000),
    _stock(14204, "SAP", "IBIS", "SAP SE", 200.0, 0.26, 2_000_000, "EUR"),
    _pair(12087792, "EUR", "USD", "European Monetary Union Euro", "0.00005", 1.09, 0.07),
    _pair(12087797, "GBP", "USD", "British pound", "0.00005", 1.28, 0.08),
    _pair(15016059, "USD", "JPY", "United States dollar", "0.005", 148.0, 0.10),
    _index(416904, "SPX", "S&P 500 Stock Index", 5600.0, 0.16, "SPY"),
    _index(13455763, "VIX", "CBOE Volatility Index", 16.0, 0.9, ""),
    *_futures(700_000_000, "ES", "E-mini S&P 500", 50, 5600.0, 0.16, "SPY"),
    *_futures(701_000_000, "NQ", "E-mini NASDAQ 100", 20, 19700.0, 0.20, "QQQ"),
    *_options(800_000_000, SPY, range(500, 630, 10)),
    *_options(801_000_000, AAPL, range(165, 295, 10)),
)
