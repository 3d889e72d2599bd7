"""The default listings: stocks, pairs, indices, futures, options, and some of what else accounts hold.

The contract ids of stocks, pairs and indices are IB's where they begin below `OWN`; the others are the venue's own, and
stable. Levels are plausible, not quotes.
"""

from decimal import Decimal

from msgspec.structs import replace

from mats.instruments import instrument_id
from mats.model import Instrument, InstrumentId, SecType
from mats.venue.markets.calendar_rules import QUARTERS, contract_months, fridays, third_friday
from mats.venue.markets.default_futures import default_futures
from mats.venue.markets.exchange_facts import EXCHANGES, UNITED_STATES
from mats.venue.markets.listing import Listing
from mats.venue.markets.market_rules import TOKYO, ruled
from mats.venue.markets.option_families import EurexNames, FuturesOptionNames, OptionFamily, option_family

OWN = 900_000_000
"""Contract ids of the venue's own begin here."""
PENCE = 100
LONDON_PENCE = 557
"""The market rule of shares in pence."""


def _stock(
    con_id: int,
    symbol: str,
    primary: str,
    name: str,
    price: float,
    volatility: float,
    volume: int,
    isin: str,
    currency: str = "USD",
    *,
    kind: str = "COMMON",
    quoted: bool = False,
    name_suffix: str = "",
) -> Listing:
    """A share. `name_suffix` tells a second listing in one currency from the first."""
    instrument = Instrument(
        id=instrument_id(symbol, SecType.STOCK, currency) + name_suffix,
        symbol=symbol,
        sec_type=SecType.STOCK,
        currency=currency,
        exchange="SMART",
        primary_exchange=primary,
        local_symbol=symbol,
        trading_class="NMS" if primary == "NASDAQ" else symbol,
        time_zone=EXCHANGES.get(primary, UNITED_STATES).zone,
        con_id=con_id,
        name=name,
    )
    return Listing(
        instrument=instrument,
        price=price,
        volatility=volatility,
        daily_volume=volume,
        isin=isin,
        stock_type=kind,
        quoted=quoted,
    )


def _pence(listing: Listing) -> Listing:
    """A share of London: its currency is the pound, its prices are in pence."""
    instrument = replace(listing.instrument, price_magnifier=Decimal(PENCE), trading_class="SETS")
    return _under_rule(replace(listing, instrument=instrument), LONDON_PENCE)


def _under_rule(listing: Listing, rule: int) -> Listing:
    """A listing whose tick depends on its price."""
    return replace(listing, instrument=ruled(listing.instrument, rule))


def _pair(
    con_id: int,
    base: str,
    quote: str,
    name: str,
    tick: str,
    price: float,
    volatility: float,
    *,
    quoted: bool = False,
) -> Listing:
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
    return Listing(
        instrument=instrument,
        price=price,
        volatility=volatility,
        spread=2,
        lot=250_000,
        daily_volume=0,
        quoted=quoted,
    )


def _index(
    con_id: int,
    symbol: str,
    exchange: str,
    name: str,
    price: float,
    volatility: float,
    walk: str,
    currency: str = "USD",
    *,
    quoted: bool = False,
) -> Listing:
    instrument = Instrument(
        id=instrument_id(symbol, SecType.INDEX, currency),
        symbol=symbol,
        sec_type=SecType.INDEX,
        currency=currency,
        exchange=exchange,
        local_symbol=symbol,
        trading_class=symbol,
        time_zone=EXCHANGES.get(exchange, UNITED_STATES).zone,
        con_id=con_id,
        name=name,
    )
    return Listing(instrument=instrument, price=price, volatility=volatility, daily_volume=0, walk=walk, quoted=quoted)


def _other(
    con_id: int,
    symbol: str,
    sec_type: SecType,
    exchange: str,
    name: str,
    price: float,
    volatility: float,
    *,
    tick: str = "0.01",
    size: str = "1",
    multiplier: str = "1",
    walk: str = "",
    underlying: InstrumentId = "",
) -> Listing:
    """What has no name of its own, and is called by its contract id."""
    instrument = Instrument(
        id=f"{symbol}:{sec_type}:{con_id}",
        symbol=symbol,
        sec_type=sec_type,
        currency="USD",
        exchange=exchange,
        local_symbol=f"{symbol}.USD" if sec_type is SecType.CRYPTO else symbol,
        trading_class=symbol,
        multiplier=Decimal(multiplier),
        tick_size=Decimal(tick),
        size_increment=Decimal(size),
        min_size=Decimal(size),
        con_id=con_id,
        name=name,
    )
    return Listing(
        instrument=instrument,
        price=price,
        volatility=volatility,
        lot=10,
        daily_volume=1000,
        walk=walk,
        underlying=underlying,
        quoted=False,
    )


SPY = _stock(
    756733, "SPY", "ARCA", "SPDR S&P 500 ETF TRUST", 560.0, 0.16, 60_000_000, "US78462F1030", kind="ETF", quoted=True
)
AAPL = _stock(265598, "AAPL", "NASDAQ", "APPLE INC", 225.0, 0.26, 50_000_000, "US0378331005", quoted=True)
AIG = _stock(
    61319701, "AIG", "NYSE", "AMERICAN INTERNATIONAL GROUP", 75.0, 0.24, 4_000_000, "US0268747849", quoted=True
)
SPX = _index(416904, "SPX", "CBOE", "S&P 500 Stock Index", 5600.0, 0.16, "SPY", quoted=True)
ESTX50 = _index(4356500, "ESTX50", "EUREX", "Dow Jones Euro STOXX50", 4900.0, 0.16, "", "EUR")

STOCKS = (
    SPY,
    _stock(
        320227571, "QQQ", "NASDAQ", "INVESCO QQQ TRUST SERIES 1", 480.0, 0.20, 40_000_000, "US46090E1038", kind="ETF",
        quoted=True,
    ),
    _stock(
        72539702, "TQQQ", "NASDAQ", "PROSHARES ULTRAPRO QQQ", 72.0, 0.60, 70_000_000, "US74347X8314", kind="ETF",
        quoted=True,
    ),
    AAPL,
    _stock(8314, "IBM", "NYSE", "INTL BUSINESS MACHINES CORP", 190.0, 0.22, 4_000_000, "US4592001014", quoted=True),
    _stock(10098, "BAC", "NYSE", "BANK OF AMERICA CORP", 40.0, 0.25, 35_000_000, "US0605051046", quoted=True),
    AIG,
    _stock(
        13272, "SAP", "NYSE", "SAP SE-SPONSORED ADR", 218.0, 0.26, 1_000_000, "US8030542042", kind="ADR", quoted=True
    ),
    _stock(14204, "SAP", "IBIS", "SAP SE", 200.0, 0.26, 2_000_000, "DE0007164600", "EUR", quoted=True),
    _stock(76792991, "TSLA", "NASDAQ", "TESLA INC", 240.0, 0.55, 90_000_000, "US88160R1014"),
    _stock(4391, "AMD", "NASDAQ", "ADVANCED MICRO DEVICES", 150.0, 0.48, 45_000_000, "US0079031078"),
    _stock(270639, "INTC", "NASDAQ", "INTEL CORP", 22.0, 0.45, 60_000_000, "US4581401001"),
    _stock(272093, "MSFT", "NASDAQ", "MICROSOFT CORP", 420.0, 0.22, 20_000_000, "US5949181045"),
    _stock(107113386, "META", "NASDAQ", "META PLATFORMS INC-CLASS A", 560.0, 0.34, 13_000_000, "US30303M1027"),
    _stock(4815747, "NVDA", "NASDAQ", "NVIDIA CORP", 125.0, 0.50, 250_000_000, "US67066G1040"),
    _stock(3691937, "AMZN", "NASDAQ", "AMAZON.COM INC", 185.0, 0.30, 40_000_000, "US0231351067"),
    _stock(
        OWN + 1, "BAC PRL", "NYSE", "BANK OF AMERICA CORP 7.25 PREFERRED", 1200.0, 0.08, 5_000, "US0605056821",
        kind="PREFERRED",
    ),
    _stock(OWN + 2, "VWCE", "IBIS2", "VANGUARD ALL-WORLD", 125.0, 0.13, 200_000, "IE00BK5BQT80", "EUR", kind="ETF"),
    _stock(
        OWN + 3, "VWCE", "BVME.ETF", "VANGUARD ALL-WORLD", 125.0, 0.13, 90_000, "IE00BK5BQT80", "EUR", kind="ETF",
        name_suffix=":BVME.ETF",
    ),
    _pence(_stock(OWN + 4, "VOD", "LSE", "VODAFONE GROUP PLC", 75.0, 0.24, 60_000_000, "GB00BH4HKS39", "GBP")),
    _pence(_stock(OWN + 5, "SHEL", "LSE", "SHELL PLC", 2700.0, 0.22, 8_000_000, "GB00BP6MXD84", "GBP")),
    _under_rule(
        _stock(OWN + 6, "7203", "TSEJ", "TOYOTA MOTOR CORP", 2600.0, 0.26, 20_000_000, "JP3633400001", "JPY"), TOKYO
    ),
)  # fmt: skip
PAIRS = (
    _pair(12087792, "EUR", "USD", "European Monetary Union Euro", "0.00005", 1.09, 0.07, quoted=True),
    _pair(12087797, "GBP", "USD", "British pound", "0.00005", 1.28, 0.08, quoted=True),
    _pair(15016059, "USD", "JPY", "United States dollar", "0.005", 148.0, 0.10, quoted=True),
    _pair(12087820, "USD", "CHF", "United States dollar", "0.00005", 0.88, 0.07),
    _pair(15016062, "USD", "CAD", "United States dollar", "0.00005", 1.37, 0.06),
    _pair(14433401, "AUD", "USD", "Australian dollar", "0.00005", 0.66, 0.10),
    _pair(39453441, "NZD", "USD", "New Zealand dollar", "0.00005", 0.60, 0.10),
    _pair(12087807, "EUR", "GBP", "European Monetary Union Euro", "0.00005", 0.85, 0.06),
    _pair(14321016, "EUR", "JPY", "European Monetary Union Euro", "0.005", 161.0, 0.10),
    _pair(12087817, "EUR", "CHF", "European Monetary Union Euro", "0.00005", 0.96, 0.05),
    *(
        _pair(OWN + 100 + number, "USD", quote, "United States dollar", tick, price, 0.07)
        for number, (quote, tick, price) in enumerate(
            [
                ("HKD", "0.0001", 7.78), ("SGD", "0.0001", 1.34), ("SEK", "0.0005", 10.4), ("NOK", "0.0005", 10.7),
                ("DKK", "0.0005", 6.85), ("CNH", "0.0001", 7.12), ("MXN", "0.0005", 19.5), ("PLN", "0.0005", 3.95),
                ("ZAR", "0.0005", 18.2), ("KRW", "0.05", 1370.0), ("INR", "0.005", 84.0), ("TWD", "0.005", 32.0),
            ]
        )
    ),
)  # fmt: skip
INDICES = (
    SPX,
    _index(13455763, "VIX", "CBOE", "CBOE Volatility Index", 16.0, 0.9, "", quoted=True),
    _index(416843, "NDX", "NASDAQ", "NASDAQ 100 Stock Index", 19700.0, 0.20, "QQQ"),
    _index(825711, "DAX", "EUREX", "DAX 40 Index", 18000.0, 0.17, "", "EUR"),
    ESTX50,
)
OTHERS = (
    _other(479624278, "BTC", SecType.CRYPTO, "PAXOS", "Bitcoin cryptocurrency", 65_000.0, 0.55, size="0.0001"),
    _other(495759171, "ETH", SecType.CRYPTO, "PAXOS", "Ethereum cryptocurrency", 2_600.0, 0.65, size="0.001"),
    _other(
        120550477, "IBUS500", SecType.CFD, "SMART", "US 500 Index CFD", 5600.0, 0.16, walk="SPY",
        underlying=SPX.instrument.id,
    ),
    _other(
        OWN + 20, "US-T", SecType.BOND, "SMART", "United States Treasury 4 1/4 11/15/34", 98.0, 0.06, tick="0.0156250",
        size="1000", multiplier="0.01",
    ),
)  # fmt: skip

THIRD_FRIDAYS = [third_friday(year, month) for year, month in contract_months(QUARTERS)]
MONTHLY = [third_friday(year, month) for year, month in contract_months(tuple(range(1, 13)))]


def _futures_options(first_con_id: int, futures: list[Listing], strikes: range) -> OptionFamily:
    """The quarterly options on the futures of one class, each on the future that expires with it."""
    on = futures[0].instrument
    model = replace(
        futures[0],
        instrument=replace(on, sec_type=SecType.FUTURE_OPTION),
        spread=3,
        lot=10,
        daily_volume=500,
        walk="",
        contract_month="",
    )
    expiries = tuple(listing.instrument.expiry for listing in futures)
    return OptionFamily(
        model,
        FuturesOptionNames(on.trading_class, expiries),
        first_con_id,
        THIRD_FRIDAYS,
        strikes,
        underlyings={listing.instrument.expiry: listing.instrument.id for listing in futures},
    )


FUTURES = tuple(default_futures())
DEFAULT_LISTINGS = (*STOCKS, *PAIRS, *INDICES, *FUTURES, *OTHERS)
DEFAULT_OPTIONS = (
    option_family(SPY, "SPY", 800_000_000, THIRD_FRIDAYS, range(500, 630, 10), stride=1000),
    option_family(AAPL, "AAPL", 801_000_000, THIRD_FRIDAYS, range(165, 295, 10), stride=1000),
    option_family(AIG, "AIG", 802_000_000, THIRD_FRIDAYS, range(50, 100, 5)),
    option_family(AIG, "AIG1", 803_000_000, THIRD_FRIDAYS, range(50, 100, 5)),
    option_family(SPX, "SPX", 804_000_000, MONTHLY, range(4000, 8000, 5), rule=110),
    option_family(SPX, "SPXW", 806_000_000, fridays(), range(4000, 8000, 5), rule=110),
    option_family(
        ESTX50, "OESX", 812_000_000, MONTHLY, range(3500, 6500, 25), tick="0.1", exchange="EUREX", multiplier=10,
        names=EurexNames("OESX"),
    ),
    _futures_options(814_000_000, [f for f in FUTURES if f.instrument.trading_class == "ES"], range(4000, 8000, 25)),
)  # fmt: skip
