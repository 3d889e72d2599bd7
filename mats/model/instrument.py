"""Instruments; `mats.instruments` has their names."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from mats.model.money import ONE, Currency

InstrumentId = str
"""`SPY` (US stock), `SAP.EUR` (stock in another currency), `EURUSD` (pair), `ES:20241220` (future).

It names one contract of the broker, and no other; `mats.instruments` assigns it. docs/instruments.md has all forms.
"""

CURRENCIES = frozenset(
    (
        "USD EUR GBP JPY CHF CAD AUD NZD SEK NOK DKK HKD SGD CNH MXN ZAR PLN CZK HUF ILS KRW INR TRY"
        " TWD MYR THB SAR AED BRL CLP RON RUB"
    ).split()
)
"""Codes of the currencies in which IB lists contracts."""


PriceIncrements = tuple[tuple[Decimal, Decimal], ...]
"""Tick sizes by the level of the price, ascending: the price from which on each holds, and the tick size."""


class SecType(StrEnum):
    """IB's security types; `UNKNOWN` where only a contract id says what is meant."""

    STOCK = "STK"
    CASH = "CASH"
    FUTURE = "FUT"
    OPTION = "OPT"
    INDEX = "IND"
    FUTURE_OPTION = "FOP"
    CFD = "CFD"
    CRYPTO = "CRYPTO"
    BOND = "BOND"
    FUND = "FUND"
    WARRANT = "WAR"
    COMMODITY = "CMDTY"
    CONTINUOUS_FUTURE = "CONTFUT"
    UNKNOWN = ""


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable contract.

    `con_id` is IB's contract id, 0 until the broker resolved it. One unit at `price` is worth `price * unit_value` of
    `currency`: `price_magnifier` is 100 where prices are in hundredths of it (pence, cents a bushel). Orders are in
    multiples of `size_increment`, limits in multiples of `tick_at` their price. `tick_size` is the least tick of all
    levels; `price_increments` are the levels, empty where there is one tick or they are not known, and
    `market_rule_ids` the broker's numbers of their rules, one an exchange. `trading_hours` and `liquid_hours` are
    IB's texts (`20241220:0930-20241220:1600;20241221:CLOSED`) in `time_zone`, as the gateway names it. `underlying`
    and `under_con_id` are what a derivative is on.
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
    price_increments: PriceIncrements = ()

    def tick_at(self, price: Decimal) -> Decimal:
        """The tick size at the level of a price."""
        tick = self.tick_size
        for edge, increment in self.price_increments:
            if price < edge:
                break
            tick = increment
        return tick

    @property
    def unit_value(self) -> Decimal:
        """What one unit at a price of 1 is worth, in `currency`."""
        return self.multiplier if self.price_magnifier == ONE else self.multiplier / self.price_magnifier
