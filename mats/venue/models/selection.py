"""The models of a venue, chosen by name or given as objects."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from mats.model import Nanos
from mats.venue.markets import ALWAYS, AlwaysOpen, Hours, load_hours
from mats.venue.models.fees import FeeModel, FixedFees, NoFees, TieredFees
from mats.venue.models.latency import FixedLatency, LatencyModel, NoLatency
from mats.venue.models.margin import CashMargin, IntradayMargin, MarginModel, RegTMargin
from mats.venue.models.slippage import FixedSlippage, NoSlippage, SlippageModel
from mats.venue.models.stock_loan import EasyToBorrow, Inventory, LocateModel

FEES: dict[str, type[FeeModel]] = {"fixed": FixedFees, "tiered": TieredFees, "none": NoFees}
MARGINS: dict[str, type[MarginModel]] = {"intraday": IntradayMargin, "regt": RegTMargin, "cash": CashMargin}
MILLISECOND: Nanos = 1_000_000


class VenueModels(msgspec.Struct, frozen=True, kw_only=True):
    """The models. Defaults: around the clock, no latency, no slippage, IB's fixed fees, everything can be borrowed."""

    hours: Hours = AlwaysOpen()
    fees: FeeModel = FixedFees()
    slippage: SlippageModel = NoSlippage()
    latency: LatencyModel = NoLatency()
    margin: MarginModel = IntradayMargin()
    locate: LocateModel = EasyToBorrow()


def choose_models(
    *,
    calendar: str = ALWAYS,
    fees: str = "fixed",
    margin: str = "intraday",
    slippage_ticks: int = 0,
    latency_ms: float = 0.0,
    borrow: Iterable[str] = (),
) -> VenueModels:
    """The models with these names; `borrow` limits what can be sold short, as `GME=1000` shares.

    Raises ValueError for an unknown name or an invalid number.
    """
    if fees not in FEES:
        raise ValueError(f"fees {fees!r} are unknown; use one of {', '.join(FEES)}")
    if margin not in MARGINS:
        raise ValueError(f"margin {margin!r} is unknown; use one of {', '.join(MARGINS)}")
    if slippage_ticks < 0 or latency_ms < 0:
        raise ValueError(f"slippage of {slippage_ticks} ticks and latency of {latency_ms} ms must not be negative")
    return VenueModels(
        hours=load_hours(calendar),
        fees=FEES[fees](),
        margin=MARGINS[margin](),
        slippage=FixedSlippage(slippage_ticks) if slippage_ticks else NoSlippage(),
        latency=FixedLatency(round(latency_ms * MILLISECOND)) if latency_ms else NoLatency(),
        locate=_inventory(borrow) if borrow else EasyToBorrow(),
    )


def _inventory(borrow: Iterable[str]) -> Inventory:
    shares: dict[str, Decimal] = {}
    for entry in borrow:
        name, _, number = entry.partition("=")
        if not name or not number.isdecimal():
            raise ValueError(f"borrow {entry!r} is not a name and a number of shares; use the form GME=1000")
        shares[name] = Decimal(number)
    return Inventory(shares)
