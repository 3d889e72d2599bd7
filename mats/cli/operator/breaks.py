"""`mats breaks`: where books and broker differ, the evidence, and the operator's classification."""

from typing import Annotated

import typer

from mats.cli.options import Config, DataDir, Json, Reason, directory, number, show
from mats.errors import UserError
from mats.ledger.reconciliation import Break, BreakCause, ExpiryCause, Residual, SplitCause, SymbolChangeCause
from mats.model import InstrumentId
from mats.operator import ask, protocol, render

MAX_PAST = 100
"""The largest number of ended breaks shown."""

breaks = typer.Typer(add_completion=False, rich_markup_mode=None, invoke_without_command=True)

Name = Annotated[str, typer.Argument(help="the break's id, as `mats breaks` shows it")]


@breaks.callback()
def show_breaks(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="those that ended as well")] = False,
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show where books and broker differ, or answer. With age, both numbers and what is done about it."""
    if context.invoked_subcommand is None:
        request = protocol.ReadBreaksRequest(past=MAX_PAST if everything else 0)
        show(ask(directory(config, data_dir), request, protocol.BreakLines), json, render.breaks)


@breaks.command("show")
def show_one(name: Name, config: Config = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Show one break with its evidence: what makes up both numbers."""
    answer = ask(directory(config, data_dir), protocol.ReadBreaksRequest(past=MAX_PAST), protocol.BreakLines)
    found = _of_name(name, answer)
    only = protocol.BreakLines(
        time=answer.time, open=(found,), past=(), compared_seconds_ago=answer.compared_seconds_ago
    )
    show(only, json, render.one_break)


@breaks.command("answer")
def answer_one(
    name: Name,
    split: Annotated[str, typer.Option("--split", help="new:old units, as 7:1")] = "",
    symbol: Annotated[str, typer.Option("--symbol", help="the instrument's new symbol")] = "",
    settled: Annotated[str, typer.Option("--settled", help="it expired; the settlement price of one unit")] = "",
    residual: Annotated[bool, typer.Option("--residual", help="none of these: book it to Discretionary")] = False,
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Say what a break is; it is booked when the next comparison shows it unchanged."""
    if [bool(split), bool(symbol), bool(settled), residual].count(True) != 1:
        raise UserError("give exactly one of --split NEW:OLD, --symbol NEW, --settled PRICE and --residual")
    data = directory(config, data_dir)
    found = _of_name(name, ask(data, protocol.ReadBreaksRequest(), protocol.BreakLines))
    action: BreakCause = Residual()
    if split:
        action = read_split(found.instrument, split)
    elif settled:
        action = ExpiryCause(instrument=found.instrument, price=number("settlement price", settled))
    elif symbol:
        action = SymbolChangeCause(instrument=found.instrument, successor=symbol)
    request = protocol.AnswerBreakRequest(id=name, action=action, reason=reason)
    show(ask(data, request, protocol.Done), json, render.done)


def _of_name(name: str, answer: protocol.BreakLines) -> Break:
    found = next((one for one in (*answer.open, *answer.past) if one.id == name), None)
    if found is None:
        raise UserError(f"there is no break {name}; `mats breaks --all` shows those there are")
    return found


def read_split(instrument: InstrumentId, text: str) -> SplitCause:
    """A ratio as a person writes it."""
    new, _, old = text.partition(":")
    if not (new.isdecimal() and old.isdecimal() and int(new) and int(old)):
        raise UserError(f"the split {text!r} cannot be read; give new and old units as 7:1")
    return SplitCause(instrument=instrument, new=int(new), old=int(old))
