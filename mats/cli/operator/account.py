"""`mats account`: equity, cash and exposure of each account, and the P&L of each strategy."""

from decimal import Decimal
from typing import Annotated

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mats.cli.options import Config, DataDir, Json, directory, show
from mats.errors import UserError
from mats.ledger.valuation import AccountView, TradingResult
from mats.model import Figure, Unknown
from mats.operator import ask, protocol


def account(
    name: Annotated[str, typer.Argument(help="one account; without it all of them")] = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show cash, equity, exposure and P&L. By strategy and in total, in the base currency."""
    answer = ask(directory(config, data_dir), protocol.AccountsRequest(), protocol.AccountViews)
    known = ", ".join(view.account for view in answer.accounts)
    if name and name not in known.split(", "):
        raise UserError(f"there is no account {name}; there are {known or 'none yet'}")
    chosen = tuple(view for view in answer.accounts if name in ("", view.account))
    show(msgspec.structs.replace(answer, accounts=chosen), json, render_accounts)


def render_accounts(answer: protocol.AccountViews) -> RenderableType:
    """Each account: its figures, its cash, its strategies, and what is missing."""
    parts: list[RenderableType] = []
    for view in answer.accounts:
        parts += [_head(view), _cash(view), _strategies(view), *(Text(f"? {why}", "yellow") for why in view.missing)]
        parts += [Text(f"! {view.overcommitted}", "bold yellow")] if view.overcommitted else []
    return Group(*parts) if parts else Text("no account is known yet", "dim")


def _head(view: AccountView) -> Text:
    deviation = "" if isinstance(view.deviation, Unknown) else f" (deviation {view.deviation:+,.2f})"
    own = f"own figure {_text(view.own_equity)}{deviation}"
    return Text.assemble((view.account, "bold cyan"), f"   equity {_text(view.equity)} {view.base}   {own}")


def _cash(view: AccountView) -> Text:
    each = (
        f"{amount:,.2f} {currency} ({view.unexplained.get(currency, Decimal()):,.2f} not from fills)"
        for currency, amount in sorted(view.cash.items())
    )
    return Text(f"cash   {'   '.join(each) or '?'}")


def _strategies(view: AccountView) -> Table:
    names = ("Strategy", "equity", "net", "gross", "realized", "unrealized", "commissions", "P&L")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column, heading in enumerate(names):
        table.add_column(heading, justify="right" if column else "left")
    for line in view.strategies:
        table.add_row(line.strategy, "" if line.equity is None else f"{line.equity:,.2f}", *_figures(line.result))
    table.add_row("total", "", *_figures(view.result), style="bold")
    return table


def _figures(result: TradingResult) -> tuple[str, ...]:
    parts = (result.net, result.gross, result.realized, result.unrealized, result.commissions, result.net_pnl)
    return tuple(map(_text, parts))


def _text(figure: Figure) -> str:
    return "?" if isinstance(figure, Unknown) else f"{figure:,.2f}"
