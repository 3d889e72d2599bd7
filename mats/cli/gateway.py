"""The gateway's command line: `mats gateway`."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from mats.cli.options import grouped
from mats.gateway import LOOSE, STRICT, GatewayError, serve, serve_script
from mats.venue.models import VenueModels, choose_models


class ExchangeOptions(msgspec.Struct, frozen=True):
    """What the simulated exchange is like."""

    calendar: Annotated[str, typer.Option(help="sessions of an exchange, as XNYS; always: around the clock")] = "always"
    fees: Annotated[str, typer.Option(help="fixed, tiered or none")] = "fixed"
    margin: Annotated[str, typer.Option(help="intraday, regt or cash")] = "intraday"
    slippage_ticks: Annotated[int, typer.Option(min=0, help="ticks that every fill is worse than the quote")] = 0
    latency_ms: Annotated[float, typer.Option(min=0.0, help="milliseconds from an order to the market")] = 0.0
    borrow: Annotated[
        list[str] | None, typer.Option(help="shares of a stock that can be sold short, as GME=1000; again for others")
    ] = None

    def models(self) -> VenueModels:
        """Raises GatewayError for an unknown name or an invalid number."""
        try:
            return choose_models(**{**msgspec.structs.asdict(self), "borrow": self.borrow or ()})
        except ValueError as error:
            raise GatewayError(str(error)) from error


@grouped
def gateway(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one")] = 4002,
    accounts: Annotated[str, typer.Option(help="comma-separated accounts")] = "DU1000001",
    market: Annotated[
        Literal["random", "replay"] | None, typer.Option(help="default: a replay where --replay is given")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the random market")] = 1,
    speed: Annotated[float, typer.Option(min=0.001, help="how fast the clock of the random market runs")] = 1.0,
    replay: Annotated[Path | None, typer.Option(help="folder of bar files to replay")] = None,
    bar_seconds: Annotated[float, typer.Option(min=0.001, help="wall seconds that one stored minute takes")] = 1.0,
    hold_seconds: Annotated[
        float, typer.Option(min=0.0, help="a replay begins so long after the last new subscription")
    ] = 0.5,
    state: Annotated[Path | None, typer.Option(help="file that keeps its account; none: memory")] = None,
    instruments: Annotated[Path | None, typer.Option(help="TOML file with more instruments")] = None,
    exchange: ExchangeOptions,
    base_currency: Annotated[str, typer.Option(help="currency in which the accounts are kept and start")] = "USD",
    fractions: Annotated[bool, typer.Option("--fractions", help="take orders for parts of a share")] = False,
    strict: Annotated[
        bool, typer.Option("--strict/--loose", help="IB's limits of messages, historical data and market data lines")
    ] = True,
    faults: Annotated[Path | None, typer.Option(help="TOML file with a fault plan")] = None,
    log: Annotated[Path | None, typer.Option(help="file for everything sent and received, as JSON lines")] = None,
    script: Annotated[Path | None, typer.Option(help="replay such a file in place of a market")] = None,
    control_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="port for faults and manual orders")
    ] = None,
    with_parent: Annotated[int | None, typer.Option(help="end when this process has ended")] = None,
) -> None:
    """Run the paper gateway alone. It is a TCP server that speaks the TWS API protocol."""
    if script:
        serve_script(script, port=port, with_parent=with_parent)
        return
    serve(
        market=market,
        speed=speed,
        faults=faults,
        log=log,
        control_port=control_port,
        with_parent=with_parent,
        port=port,
        accounts=_names(accounts),
        seed=seed,
        replay=replay,
        bar_seconds=bar_seconds,
        hold_seconds=hold_seconds,
        state=state,
        instruments=instruments,
        models=exchange.models(),
        limits=STRICT if strict else LOOSE,
        fractions=fractions,
        base=base_currency,
    )


def _names(text: str) -> tuple[str, ...]:
    """The accounts of a comma-separated list."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise GatewayError(f"--accounts {text!r} has an empty name; write them as DU1000001,DU1000002")
    return names
