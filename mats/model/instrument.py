"""Instruments and their names."""

import re
from decimal import Decimal
from enum import StrEnum

import msgspec

from mats.model.money import ONE, Currency

InstrumentId = str
"""`SPY` (US stock), `SAP.EUR` (stock in another currency), `EURUSD` (pair), `ES:20241220` (expiring contract).

A space in a symbol is written `_`: `BRK_B`.
"""

CURRENCIES = frozenset(
    "USD EUR GBP JPY CHF CAD AUD NZD SEK NOK DKK HKD SGD CNH MXN ZAR PLN CZK HUF ILS KRW INR TRY".split()
)
"""ISO 4217 codes that IB trades as pairs."""

_OPTION = re.compile(r"(?P<root>[A-Z0-9_ ]{6})(?P<date>\d{6})(?P<right>[CP])(?P<strike>\d{8})")


class SecType(StrEnum):
    """IB's security types."""

    STOCK = "STK"
    CASH = "CASH"
    FUTURE = "FUT"
    OPTION = "OPT"
    INDEX = "IND"
    FUTURE_OPTION = "FOP"
    CFD = "CFD"
    CRYPTO = "CRYPTO"
    BOND = "BOND"


TRADED_TYPES = frozenset({SecType.STOCK, SecType.CASH, SecType.FUTURE, SecType.OPTION, SecType.INDEX})
"""The types whose contracts have a name of their own; those of others are named by their contract id."""


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable contract.

    `con_id` is IB's contract id, 0 until the broker resolved it. One unit at `price` is worth `price * unit_value` of
    `currency`: `price_magnifier` is 100 where prices are in hundredths of it (pence, cents a bushel). Orders are in
    multiples of `size_increment`, limits in multiples of `tick_size`. `trading_hours` and `liquid_hours` are IB's texts
    (`20241220:0930-20241220:1600;20241221:CLOSED`) in `time_zone`, as the gateway names it. `market_rule_ids` name the
    rules of tick sizes by price level, one an exchange. `underlying` and `under_con_id` are what a derivative is on.
    """

    id: InstrumentId
    symbol: str
    sec_type: SecType
    currency: Currency
    exchange: str = "SMART"
    primary_exchange: str = ""
    local_symbol: str = ""
    trading_class: str = ""
    expiry: str = ""
    strike: Decimal = Decimal(0)
    right: str = ""
    multiplier: Decimal = ONE
    tick_size: Decimal = Decimal("0.01")
    size_increment: Decimal = ONE
    min_size: Decimal = ONE
    time_zone: str = "US/Eastern"
    con_id: int = 0
    name: str = ""
    price_magnifier: Decimal = ONE
    trading_hours: str = ""
    liquid_hours: str = ""
    market_rule_ids: str = ""
    underlying: str = ""
    under_con_id: int = 0

    @property
    def unit_value(self) -> Decimal:
        """What one unit at a price of 1 is worth, in `currency`."""
        return self.multiplier / self.price_magnifier


def instrument_id(
    symbol: str,
    sec_type: str,
    currency: Currency,
    expiry: str = "",
    local_symbol: str = "",
    trading_class: str = "",
) -> InstrumentId:
    """The name of a contract.

    A future whose trading class is not its symbol has the class behind it: `DAX:20261218:FDXM`, the mini of the DAX.
    """
    symbol = symbol.replace(" ", "_")
    match sec_type:
        case SecType.CASH:
            return symbol + currency
        case SecType.STOCK | SecType.INDEX:
            return symbol if currency == "USD" else f"{symbol}.{currency}"
        case SecType.OPTION:
            return local_symbol or f"{symbol}:{expiry}"
        case SecType.FUTURE if trading_class.replace(" ", "_") not in ("", symbol):
            return f"{symbol}:{expiry}:{trading_class.replace(' ', '_')}"
        case _:
            return f"{symbol}:{expiry}"


def parse_instrument(name: InstrumentId) -> Instrument:
    """The instrument of a name, before the broker has resolved it to a contract.

    Six letters whose halves are both currencies are a pair; `SYMBOL.CUR` is a stock in that currency; anything else
    without a colon is a US stock. A second name for one instrument (`SPY.USD`) is refused: fills carry the first.
    An option has the symbol of the OCC: root in six places, yymmdd, C or P, strike in thousandths.
    """
    if option := _OPTION.fullmatch(name):
        return Instrument(
            id=name,
            symbol=option["root"].strip(" _"),
            sec_type=SecType.OPTION,
            currency="USD",
            local_symbol=name,
            expiry="20" + option["date"],
            strike=Decimal(option["strike"]) / 1000,
            right=option["right"],
            multiplier=Decimal(100),
        )
    if not name.isascii() or not name or any(c.isspace() for c in name) or name[0] in ".:":
        raise ValueError(f"instrument {name!r} is not a valid name; write SPY, SAP.EUR, EURUSD or ES:20241220")
    if len(name) == 6 and name[:3] in CURRENCIES and name[3:] in CURRENCIES:
        return Instrument(
            id=name,
            symbol=name[:3],
            sec_type=SecType.CASH,
            currency=name[3:],
            exchange="IDEALPRO",
            local_symbol=f"{name[:3]}.{name[3:]}",
        )
    symbol, dot, currency = name.rpartition(".")
    if dot and currency == "USD":
        other = name.replace(".", "") if symbol in CURRENCIES else symbol
        raise ValueError(f"instrument {name!r} has another name; write {other}")
    if dot and currency in CURRENCIES:
        return Instrument(id=name, symbol=_spaced(symbol), sec_type=SecType.STOCK, currency=currency)
    if ":" in name:
        symbol, _, expiry = name.partition(":")
        return Instrument(
            id=name, symbol=_spaced(symbol), sec_type=SecType.FUTURE, currency="USD", exchange="", expiry=expiry
        )
    return Instrument(id=name, symbol=_spaced(name), sec_type=SecType.STOCK, currency="USD")


def _spaced(symbol: str) -> str:
    return symbol.replace("_", " ")
