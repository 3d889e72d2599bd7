"""`mats status`, `streams`, `audit`, `why`: questions of an operator. The last two need no running daemon."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from mats.cli.options import Config, DataDir, Json, directory, show
from mats.errors import UserError
from mats.operator import ask, protocol, render, render_story, story_of
from mats.store.journal import AuditLine, Journal

__all__ = ["audit", "status", "streams", "why"]


class AuditLines(msgspec.Struct, frozen=True):
    lines: tuple[AuditLine, ...]


def status(
    messages: Annotated[bool, typer.Option("--messages", help="the messages of each actor instead")] = False,
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show health, strategies, working orders and actors. With --messages, how long messages wait and take."""
    answer = ask(directory(config, data_dir), protocol.StatusRequest(), protocol.DaemonStatus)
    show(answer, json, render.messages if messages else render.status)


def streams(config: Config = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Show each stream of market data. Its state, since when, what is wrong with it, and the next try."""
    show(ask(directory(config, data_dir), protocol.StreamsRequest(), protocol.StreamLines), json, render.streams)


def audit(
    last: Annotated[int, typer.Option("--last", min=1, help="how many of the newest lines")] = 50,
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show what operators did. When, who, what, why, and the outcome."""
    with _journal(directory(config, data_dir)) as journal:
        show(AuditLines(tuple(journal.audit(last))), json, lambda found: render.audit(found.lines))


def why(
    name: Annotated[str, typer.Argument(help="an order's intent, an execution's id, or a transfer's")],
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show what caused an order or an execution. From the signal to the fills; no daemon is needed."""
    with _journal(directory(config, data_dir)) as journal:
        show(story_of(journal, name), json, render_story)


@contextmanager
def _journal(data_dir: Path) -> Iterator[Journal]:
    """The journal of a data directory that has one."""
    path = data_dir / "journal.db"
    if not path.is_file():
        raise UserError(f"{data_dir} holds no journal; name the daemon's data directory with --data-dir")
    journal = Journal(path)
    try:
        yield journal
    finally:
        journal.close()
