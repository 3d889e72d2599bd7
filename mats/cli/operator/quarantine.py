"""`mats quarantine`: what the books cannot take, and the operator's word about each item."""

from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from mats.cli.options import Config, DataDir, Json, Reason, directory, show
from mats.errors import UserError
from mats.ledger.quarantine import QuarantineItem, QuarantineKind
from mats.operator import ask, protocol, render
from mats.store.journal import Journal

MAX_PAST = 100
"""The largest number of resolved items shown."""

quarantine = typer.Typer(add_completion=False, rich_markup_mode=None, invoke_without_command=True)

Name = Annotated[str, typer.Argument(help="the item's id, as `mats quarantine` shows it")]
Why = Annotated[str, typer.Option("--reason", help="why; written to the audit")]


class QuarantineLines(msgspec.Struct, frozen=True):
    """Open items, the oldest first; then the last resolved ones, where they were asked for."""

    items: tuple[QuarantineItem, ...]


@quarantine.callback()
def show_open(context: typer.Context, config: Config = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Show what the books could not take, or resolve it. No daemon is needed to look."""
    if context.invoked_subcommand is None:
        _show_items(config, data_dir, json, past=0)


@quarantine.command("list")
def list_items(
    everything: Annotated[bool, typer.Option("--all", help="those that are resolved as well")] = False,
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """List the items. Each with its instrument, its strategy and why it is no fact."""
    _show_items(config, data_dir, json, past=MAX_PAST if everything else 0)


@quarantine.command("show")
def show_one(name: Name, config: Config = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Show one item with every field as it was received."""
    with closing(_journal(directory(config, data_dir))) as journal:
        item = journal.quarantine_item(_number(name))
    if item is None:
        raise UserError(f"there is no item {name}; `mats quarantine list --all` shows those there are")
    show(item, json, render.one_quarantined)


@quarantine.command()
def accept(
    name: Name, reason: Reason = "", config: Config = None, data_dir: DataDir = None, json: Json = False
) -> None:
    """Book an item as it was received, if it can be booked."""
    _resolve(name, "accept", {}, reason, directory(config, data_dir), json)


@quarantine.command()
def correct(
    name: Name,
    fields: Annotated[list[str], typer.Argument(help="the right fields: price=512.31 multiplier=1 account=DU1")],
    reason: Reason = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Book an item with some of its fields replaced. Times are written 2024-06-10T14:30:00Z."""
    corrections = dict(_field(field) for field in fields)
    _resolve(name, "correct", corrections, reason, directory(config, data_dir), json)


@quarantine.command()
def drop(
    reason: Why,
    names: Annotated[list[str] | None, typer.Argument(help="ids of items, as `mats quarantine` shows them")] = None,
    kind: Annotated[QuarantineKind | None, typer.Option(help="every open item of this kind")] = None,
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Forget items: they are never booked. A difference to the broker that remains is a break."""
    data = directory(config, data_dir)
    if bool(names) == (kind is not None):
        raise UserError("name the items to drop, or give --kind; `mats quarantine` lists them")
    for name in names or _open_of(data, kind):
        _resolve(name, "drop", {}, reason, data, json)


def _open_of(data: Path, kind: QuarantineKind | None) -> list[str]:
    with closing(_journal(data)) as journal:
        return [item.id for item in journal.open_quarantine() if item.kind is kind]


def _resolve(
    name: str,
    action: Literal["accept", "correct", "drop"],
    corrections: dict[str, str],
    reason: str,
    data: Path,
    as_json: bool,
) -> None:
    request = protocol.ResolveQuarantineRequest(
        number=_number(name), action=action, corrections=corrections, reason=reason
    )
    show(ask(data, request, protocol.Done), as_json, render.done)


def _show_items(config: Path | None, data_dir: Path | None, as_json: bool, past: int) -> None:
    with closing(_journal(directory(config, data_dir))) as journal:
        items = (*journal.open_quarantine(), *(journal.past_quarantine(past) if past else ()))
    show(QuarantineLines(items), as_json, lambda found: render.quarantine(found.items))


def _journal(data: Path) -> Journal:
    path = data / "journal.db"
    if not path.exists():
        raise UserError(f"there is no journal in {data}; name a daemon's data directory with --data-dir")
    return Journal(path)


def _number(name: str) -> int:
    digits = name.removeprefix("Q").removeprefix("q")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise UserError(f"{name!r} is not the id of an item; `mats quarantine` lists them")
    return int(digits)


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"the field {text!r} cannot be read; give it as price=512.31")
    return name, value
