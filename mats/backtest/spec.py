"""What a backtest is asked to do: everything besides the bars that determines its result."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from mats.model import Currency, Nanos, StrategyName, StrategyRecord
from mats.risk import Limits

FeeSchedule = Literal["ib-fixed", "ib-tiered", "per-unit", "none"]
Style = Literal["bars", "signals"]
"""`bars`: the strategy hears of every bar. `signals`: it declares all its signals at once, a function of the bars."""


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the simulated market treats orders. The defaults cost money on purpose: a round trip pays the spread."""

    fees: FeeSchedule = "ib-fixed"
    fee_per_unit: Decimal = Decimal("0.005")
    """Commission a unit where `fees` is `per-unit`."""
    spread_ticks: int = 1
    """Quoted spread, in ticks, where the bars have none; 0 fills at the bars' prices."""
    slippage_ticks: int = 0
    """How many ticks worse than the quote a market or stop order trades."""
    participation: float = 0.1
    """The largest share of a bar's volume that orders may take; 0 sets no bound. Bars without volume set none."""
    latency: float = 0.0
    """Seconds from the decision to the exchange."""
    borrow_rate: float = 0.0
    """Yearly cost of what is short, as a share of its value, charged daily."""


class BacktestSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One run: strategies in one account of `capital`, over bars that start in `[start, end)`."""

    strategies: tuple[StrategyRecord, ...]
    folder: str
    """Where strategy files are looked up, besides the packaged examples."""
    bar_seconds: int
    start: Nanos
    end: Nanos
    capital: Decimal = Decimal(1_000_000)
    equities: Mapping[StrategyName, Decimal] = {}
    """What a strategy may work with whatever happens; one that is not named has its weight of the total equity."""
    currency: Currency = "USD"
    description: str = "run"
    models: ModelSettings = ModelSettings()
    limits: Limits = Limits()
    style: Style = "bars"
    seed: int = 1
