"""What the operator's commands share: options, data directory and output."""

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.console import Console, RenderableType

from mats.errors import UserError
from mats.model import exact
from mats.settings import settings_of

PIPE_WIDTH = 160

Json = Annotated[bool, typer.Option("--json", help="answer with one JSON line")]
Reason = Annotated[str, typer.Option("--reason", help="why; written to the audit")]

T = TypeVar("T", bound=msgspec.Struct)


def directory(config: Path | None, data_dir: Path | None) -> Path:
    """The data directory of the settings and the command line. Raises SettingsError."""
    return settings_of(config, data_dir=data_dir).data_dir


def show(answer: T, as_json: bool, render: Callable[[T], RenderableType]) -> None:
    """Print an answer, as JSON or as a table."""
    if as_json:
        print(msgspec.json.encode(answer).decode())
        return
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False).print(render(answer))


def number(name: str, text: str) -> Decimal:
    """A quantity or a price as typed; UserError where it is not a number."""
    try:
        return exact(text)
    except ValueError as error:
        raise UserError(f"the {name} {error}; give it as 100 or 0.5") from None
