"""`mats books` and its commands: who holds what, transfers between books, and splits and expiries of netted books."""

from pathlib import Path
from typing import Annotated

import typer

from mats.cli.operator.breaks import read_split
from mats.cli.options import Config, DataDir, Json, Reason, directory, number, show
from mats.errors import UserError
from mats.ledger.reconciliation import ExpiryCause, NettedAction, TransferRequest
from mats.operator import ask, protocol, render

books = typer.Typer(add_completion=False, rich_markup_mode=None, invoke_without_command=True)


@books.callback()
def show_books(
    context: typer.Context,
    strategy: Annotated[str, typer.Option("--strategy", help="of this strategy only")] = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show who holds what, or move it (assign). Quantity, cost, results and commissions of every book."""
    if context.invoked_subcommand is not None:
        return
    answer = ask(directory(config, data_dir), protocol.BooksRequest(), protocol.BookLines)
    lines = tuple(book for book in answer.books if strategy in ("", book.strategy))
    show(protocol.BookLines(books=lines), json, render.books)


@books.command()
def assign(
    giver: Annotated[str, typer.Option("--from", help="the giver's book")] = "",
    taker: Annotated[str, typer.Option("--to", help="the taker's book")] = "",
    instrument: Annotated[str, typer.Option("--instrument", help="its id")] = "",
    quantity: Annotated[str, typer.Option("--quantity", help="units, above zero, of either side")] = "",
    price: Annotated[str, typer.Option("--price", help="of one unit; none: the giver's average cost")] = "",
    account: Annotated[str, typer.Option("--account", help="where; none: the only one that holds it")] = "",
    reverse: Annotated[str, typer.Option("--reverse", help="reverse this transfer")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")] = False,
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Move quantity between Discretionary and a strategy, or two strategies, or reverse a transfer."""
    if not reason:
        raise UserError("a transfer needs a --reason; it is written to the audit")
    data = directory(config, data_dir)
    wanted = {"--from": giver, "--to": taker, "--instrument": instrument, "--quantity": quantity}
    if reverse:
        if any(wanted.values()):
            raise UserError(
                f"--reverse {reverse} excludes other options; leave out {', '.join(n for n, v in wanted.items() if v)}"
            )
        _carry_out(
            data,
            protocol.PreviewReversalRequest(id=reverse),
            protocol.ReverseTransferRequest(id=reverse, reason=reason),
            yes=yes,
            as_json=json,
        )
        return
    if missing := [name for name, value in wanted.items() if not value]:
        raise UserError(f"a transfer needs {', '.join(missing)}; or --reverse with the id of one")
    move = TransferRequest(
        giver=giver,
        taker=taker,
        instrument=instrument,
        quantity=number("quantity", quantity),
        price=number("price", price) if price else None,
        account=account,
        reason=reason,
    )
    _carry_out(
        data,
        protocol.PreviewTransferRequest(move=move),
        protocol.TransferQuantityRequest(move=move, reason=reason),
        yes=yes,
        as_json=json,
    )


def _carry_out(
    data_dir: Path, question: protocol.Request, command: protocol.Request, *, yes: bool, as_json: bool
) -> None:
    """Preview, confirm, carry out. Without a terminal `--yes` is needed."""
    preview = ask(data_dir, question, protocol.Preview)
    if not as_json:
        show(preview, False, render.preview)
    if not yes and not _confirmed():
        raise UserError("nothing was booked; confirm with y, or give --yes where there is no terminal")
    done = ask(data_dir, command, protocol.Done)
    show(protocol.TransferDone(text=done.text, preview=preview), as_json, lambda moved: render.done(done))


def _confirmed() -> bool:
    try:
        return typer.confirm("Book it?", err=True)
    except typer.Abort:  # no input, or Ctrl-C
        return False


Instrument = Annotated[str, typer.Argument(help="the instrument, as `mats books` shows it")]
Account = Annotated[str, typer.Option("--account", help="where; none: the only one that holds it")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")]


@books.command()
def split(
    instrument: Instrument,
    ratio: Annotated[str, typer.Argument(help="new:old units, as 7:1")],
    account: Account = "",
    yes: Yes = False,
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Book a split of what strategies hold against each other: the broker holds nothing and shows nothing."""
    netted = NettedAction(action=read_split(instrument, ratio), account=account, reason=reason)
    _netted(directory(config, data_dir), netted, yes=yes, as_json=json)


@books.command()
def expire(
    instrument: Instrument,
    price: Annotated[str, typer.Option("--price", help="settlement price of one unit; none: unknown")] = "",
    account: Account = "",
    yes: Yes = False,
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Book the end of a contract that strategies hold against each other."""
    known = number("settlement price", price) if price else None
    netted = NettedAction(action=ExpiryCause(instrument=instrument, price=known), account=account, reason=reason)
    _netted(directory(config, data_dir), netted, yes=yes, as_json=json)


def _netted(data_dir: Path, netted: NettedAction, *, yes: bool, as_json: bool) -> None:
    if not netted.reason:
        raise UserError("this needs a --reason; it is written to the audit")
    preview = ask(data_dir, protocol.PreviewNettedRequest(netted=netted), protocol.NettedPreview)
    if not as_json:
        show(preview, False, render.netted)
    if not yes and not _confirmed():
        raise UserError("nothing was booked; confirm with y, or give --yes where there is no terminal")
    show(
        ask(data_dir, protocol.BookNettedRequest(netted=netted, reason=netted.reason), protocol.Done),
        as_json,
        render.done,
    )
