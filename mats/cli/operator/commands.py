"""`mats halt`, `resume`, `cancel`, `flatten`, `reconcile`, `equity`, `strategy`, `trace`: what changes something."""

from decimal import Decimal
from typing import Annotated

import typer

from mats.cli.options import Config, DataDir, Json, Reason, directory, show
from mats.errors import UserError
from mats.model import exact
from mats.operator import ask, protocol, render

__all__ = ["cancel", "equity", "flatten", "halt", "reconcile", "resume", "strategy", "trace"]

REMAINS = 1
"""Exit code where something remains."""

strategy = typer.Typer(help="Start or stop a strategy.", add_completion=False, rich_markup_mode=None)

StrategyOrAll = Annotated[str, typer.Argument(help="a strategy; none: all")]


def halt(
    reason: Annotated[str, typer.Option("--reason", help="why; written to the audit")],
    strategy: StrategyOrAll = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Take no new risk, of one strategy or of all. Positions may still be reduced; it survives restarts."""
    request = protocol.HaltRequest(strategy=strategy, reason=reason)
    show(ask(directory(config, data_dir), request, protocol.Done), json, render.done)


def resume(
    strategy: StrategyOrAll = "",
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Lift the halt of a strategy, or the halt of all."""
    request = protocol.ResumeRequest(strategy=strategy, reason=reason)
    show(ask(directory(config, data_dir), request, protocol.Done), json, render.done)


def trace(
    actor: Annotated[str, typer.Argument(help="the actor, as `mats status` names it")],
    switch: Annotated[protocol.Switch, typer.Argument(help="on or off")],
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Log each message of an actor, or stop that. It survives the actor's restarts, but not the daemon's."""
    request = protocol.TraceRequest(actor=actor, switch=switch, reason=reason)
    show(ask(directory(config, data_dir), request, protocol.Done), json, render.done)


def reconcile(reason: Reason = "", config: Config = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Compare the books with the broker's positions now."""
    request = protocol.ReconcileRequest(reason=reason)
    show(ask(directory(config, data_dir), request, protocol.BreakLines), json, render.breaks)


def cancel(
    intent: Annotated[str, typer.Argument(help="the intent of one order, as `mats status` names it")] = "",
    strategy: Annotated[str, typer.Option("--strategy", help="all orders of this strategy")] = "",
    everything: Annotated[bool, typer.Option("--all", help="all orders")] = False,
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Cancel one order, a strategy's, or all. Shows the outcome of each."""
    if [bool(intent), bool(strategy), everything].count(True) != 1:
        raise UserError("give exactly one of INTENT, --strategy NAME and --all")
    request: protocol.Request = protocol.CancelOrdersRequest(strategy=strategy, reason=reason)
    if intent:
        request = protocol.CancelOrderRequest(intent=intent, reason=reason)
    _certify(ask(directory(config, data_dir), request, protocol.Certificate), json)


def flatten(
    strategy: Annotated[str, typer.Argument(help="the strategy")] = "",
    everything: Annotated[bool, typer.Option("--all", help="every strategy")] = False,
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Halt, cancel and close every position. Ends with a certificate: what is flat, what remains and why."""
    if bool(strategy) == everything:
        raise UserError("give exactly one of STRATEGY and --all")
    request = protocol.FlattenRequest(strategy=strategy, reason=reason)
    _certify(ask(directory(config, data_dir), request, protocol.Certificate), json)


def equity(
    strategy: Annotated[str, typer.Argument(help="the strategy; none: show all")] = "",
    amount: Annotated[str, typer.Argument(help="its equity in the base currency from now on")] = "",
    clear: Annotated[bool, typer.Option("--clear", help="apply its target weight again")] = False,
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show what strategies may work with, or set it. An explicit amount takes precedence over a strategy's weight."""
    data = directory(config, data_dir)
    if amount and clear:
        raise UserError(f"give either the amount {amount} or --clear")
    if amount or clear:
        if not strategy:
            raise UserError("--clear needs a strategy; name it before --clear")
        request = protocol.SetEquityRequest(
            strategy=strategy, amount=_amount(amount) if amount else None, reason=reason
        )
        show(ask(data, request, protocol.Done), json, render.done)
        return
    answer = ask(data, protocol.EquityRequest(), protocol.EquityLines)
    lines = tuple(line for line in answer.lines if strategy in ("", line.strategy))
    if strategy and not lines:
        raise UserError(f"there is no strategy {strategy}; there are {', '.join(x.strategy for x in answer.lines)}")
    show(protocol.EquityLines(lines=lines), json, render.equity)


@strategy.command()
def start(
    name: Annotated[str, typer.Argument(help="a strategy of the table")],
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Start a strategy of the table, also one that was stopped or parked."""
    request = protocol.StartStrategyRequest(strategy=name, reason=reason)
    show(ask(directory(config, data_dir), request, protocol.Done), json, render.done)


@strategy.command()
def stop(
    name: Annotated[str, typer.Argument(help="a strategy that runs")],
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Stop a strategy; its orders and positions stay as they are."""
    request = protocol.StopStrategyRequest(strategy=name, reason=reason)
    show(ask(directory(config, data_dir), request, protocol.Done), json, render.done)


def _certify(certificate: protocol.Certificate, as_json: bool) -> None:
    show(certificate, as_json, render.certificate)
    if certificate.remains:
        raise typer.Exit(REMAINS)


def _amount(text: str) -> Decimal:
    try:
        return exact(text)
    except ValueError as error:
        raise UserError(f"the amount {error}; give it as 50000 or 50000.50") from None
