"""A listing: an instrument, what an exchange states about it, and its parameters in the random market."""

import msgspec

from mats.model import Instrument, InstrumentId, SecType


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument with its parameters in the random market.

    `price` is the level to which the random walk reverts, `volatility` the annual standard deviation of its logarithm,
    `spread` the quoted spread in ticks, `lot` the unit of quoted sizes, `daily_volume` in units (0: no volume is
    published). Instruments with the same `walk` move together (empty: a walk of its own). `underlying` is what a
    derivative is on; the price of an option follows from it. `live` says whether clients may have live data; if not,
    they are offered data delayed by fifteen minutes. `quoted` says whether it is quoted before anybody asks for it,
    which no expiring instrument is. `contract_month` is that of a future, where it is not the month of the expiry.
    `isin` and `stock_type` (`COMMON`, `ETF`, `ADR`, `PREFERRED`) are what its details state besides.
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
    quoted: bool = True
    contract_month: str = ""
    isin: str = ""
    stock_type: str = "COMMON"

    @property
    def month(self) -> str:
        """The contract month, `202612`; empty for what does not expire."""
        return self.contract_month or self.instrument.expiry[:6]

    @property
    def is_option(self) -> bool:
        return self.instrument.sec_type in (SecType.OPTION, SecType.FUTURE_OPTION)
