"""What commands share: options, those that go together as one struct, the data directory, and output."""

import sys
from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
import typer
from rich.console import Console, RenderableType

from mats.errors import UserError
from mats.model import exact
from mats.settings import settings_of

Config = Annotated[Path | None, typer.Option("--config", help="settings file, as for the daemon")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="data directory, as for the daemon")]
Json = Annotated[bool, typer.Option("--json", help="answer with one JSON line")]
Reason = Annotated[str, typer.Option("--reason", help="why; written to the audit")]

PIPE_WIDTH = 160

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


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """`command` as typer takes it: a parameter that is a struct becomes an option for each of its fields."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)}
    fields = {field for kind in groups.values() for field in kind.__struct_fields__}

    @wraps(command)
    def with_groups(**given: Any) -> None:
        made = {name: _made(kind, given) for name, kind in groups.items()}
        rest = {name: value for name, value in given.items() if name not in fields}
        command(**made, **rest)

    options: list[Parameter] = []
    for parameter in signature(command).parameters.values():
        if kind := groups.get(parameter.name):
            options += _options(kind)
        else:
            options.append(parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[parameter.name]))
    with_groups.__signature__ = Signature(options)  # type: ignore[attr-defined]
    return with_groups


def _made(group: type[msgspec.Struct], given: dict[str, Any]) -> msgspec.Struct:
    return group(**{name: given[name] for name in group.__struct_fields__ if name in given})


def _options(group: type[msgspec.Struct]) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name])
        for field in msgspec.structs.fields(group)
    ]
