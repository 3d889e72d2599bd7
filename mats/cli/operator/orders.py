"""`mats orders`: what works or may work at the broker, and the operator's word about what the broker never ended."""

from enum import StrEnum
from typing import Annotated

import typer

from mats.cli.options import Config, DataDir, Json, directory, number, show
from mats.operator import ask, protocol, render

orders = typer.Typer(add_completion=False, rich_markup_mode=None, invoke_without_command=True)


class Outcome(StrEnum):
    """How an order ended."""

    CANCELLED = "cancelled"
    FILLED = "filled"


@orders.callback()
def show_orders(context: typer.Context, config: Config = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Show every order that is not final, or settle one. With what the broker first said against it."""
    if context.invoked_subcommand is None:
        show(ask(directory(config, data_dir), protocol.OrdersRequest(), protocol.OrderLines), json, render.orders)


@orders.command()
def settle(
    intent: Annotated[str, typer.Argument(help="the order's intent, as `mats orders` shows it")],
    outcome: Annotated[Outcome, typer.Option("--as", help="how it ended")],
    reason: Annotated[str, typer.Option("--reason", help="why; written to the audit")],
    quantity: Annotated[str, typer.Option("--quantity", help="what filled without an execution; none: the rest")] = "",
    price: Annotated[str, typer.Option("--price", help="at which price of one unit")] = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """End an order whose state is not known. With a quantity or a price its strategy gets it from Discretionary."""
    request = protocol.SettleOrderRequest(
        intent=intent,
        outcome=outcome.value,
        quantity=number("quantity", quantity) if quantity else None,
        price=number("price", price) if price else None,
        reason=reason,
    )
    show(ask(directory(config, data_dir), request, protocol.Done), json, render.done)
