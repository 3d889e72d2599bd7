"""Options that `mats backtest` and `mats sweep` share: which bars, and what is assumed of the market."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import typer

from mats.backtest import FeeSchedule, Request, Style, api, instant
from mats.data.importer import Stamp
from mats.model import size_seconds
from mats.settings import Settings
from mats.store.tables import MAX_TIME


class BarOptions(msgspec.Struct, frozen=True):
    """The bars that are run over, as typed."""

    data: Annotated[str, typer.Option(help="store, a bar file or a folder of them")] = "store"
    from_: Annotated[str, typer.Option("--from", help="first bar, as 2013-10-04 or 2013-10-04T13:30:00Z")] = ""
    to: Annotated[str, typer.Option(help="bars from here on are left out")] = ""
    instruments: Annotated[str, typer.Option(help="in place of the strategy's own: SPY,IBM")] = ""
    bar_seconds: Annotated[str, typer.Option(help="size of bars, as 60, 1min or 1d")] = ""
    zone: Annotated[str | None, typer.Option(help="time zone of times in files without one")] = None
    stamp: Annotated[Stamp, typer.Option(help="whether files have the start or the end of a bar")] = "start"


class AssumptionOptions(msgspec.Struct, frozen=True):
    """What a backtest assumes; None leaves it to the settings, section [backtest]."""

    capital: Annotated[float | None, typer.Option(min=0.01, help="in the base currency")] = None
    fees: Annotated[FeeSchedule | None, typer.Option(help="schedule of commissions")] = None
    fee_per_unit: Annotated[float | None, typer.Option(min=0, help="commission a unit for --fees per-unit")] = None
    spread_ticks: Annotated[int | None, typer.Option(min=0, help="spread where bars have none")] = None
    slippage_ticks: Annotated[int | None, typer.Option(min=0, help="ticks worse than the quote")] = None
    max_volume_fraction: Annotated[
        float | None, typer.Option(min=0, max=1, help="largest share of a bar's volume; 0: no bound")
    ] = None
    latency_seconds: Annotated[float | None, typer.Option(min=0, help="from decision to exchange")] = None
    borrow_rate: Annotated[float | None, typer.Option(min=0, help="yearly cost of what is short")] = None
    limits: Annotated[Literal["live", "none"] | None, typer.Option(help="limits of orders")] = None

    def as_settings(self) -> dict[str, object]:
        """The same as section [backtest] of the settings."""
        return msgspec.structs.asdict(self)


StyleOption = Annotated[Style, typer.Option(help="bars, or signals where the strategy declares them")]


def request_of(
    strategies: tuple[str, ...],
    bars: BarOptions,
    settings: Settings,
    *,
    params: Mapping[str, Any],
    description: str,
    style: Style,
    seed: int,
) -> Request:
    """The backtest that the options describe. Raises UserError where one of them cannot be read."""
    return Request(
        strategies=strategies,
        params=params,
        instruments=tuple(name.strip() for name in bars.instruments.split(",") if name.strip()),
        bar_seconds=size_seconds(bars.bar_seconds) if bars.bar_seconds else 0,
        source=msgspec.structs.replace(api.source_of(bars.data, bars.zone, settings), stamp=bars.stamp),
        start=instant(bars.from_) if bars.from_ else 0,
        end=instant(bars.to) if bars.to else MAX_TIME,
        capital=settings.backtest.capital,
        currency=settings.portfolio.base_currency,
        description=description,
        models=api.models_of(settings),
        limits=api.limits_of(settings),
        style=style,
        seed=seed,
    )
