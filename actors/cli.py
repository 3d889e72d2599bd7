"""The command line. Without a command it runs the daemon. A command imports only what it needs."""

import importlib
import pkgutil
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from mats import cli
from mats.errors import UserError, say

USAGE_ERROR = 2

SHARED_MODULES = ("commands", "queries")
"""Modules that hold several commands and name them in `__all__`; any other command is a module's name."""


class Commands(TyperGroup):
    """Finds a command in the modules of `mats.cli` and its folders, and imports only the module that has it."""

    def list_commands(self, ctx: object) -> list[str]:
        shared = (name for module in SHARED_MODULES for name in _module(module).__all__)
        return sorted({*shared, *(name for name in _module_names() if hasattr(_module(name), name))})

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | TyperGroup | None:
        found = _found(cmd_name)
        if found is None:
            return None
        if not isinstance(found, typer.Typer):
            function, found = found, new_typer()
            found.command(cmd_name)(function)
        command = typer.main.get_command(found)
        assert isinstance(command, TyperCommand | TyperGroup)
        command.name = cmd_name
        return command


def _found(command: str) -> typer.Typer | Callable[..., None] | None:
    """The function or group of functions that a command is."""
    if command in _module_names():
        return getattr(_module(command), command, None)
    homes = (module for module in map(_module, SHARED_MODULES) if command in module.__all__)
    return next((getattr(module, command) for module in homes), None)


def _module(name: str) -> ModuleType:
    return importlib.import_module(_module_names()[name])


@cache
def _module_names() -> Mapping[str, str]:
    """The full name of each module by its own, whatever folder it is in."""
    found = pkgutil.walk_packages(cli.__path__, f"{cli.__name__}.")
    return {module.name.rpartition(".")[2]: module.name for module in found if not module.ispkg}


def new_typer(cls: type[TyperGroup] | None = None) -> typer.Typer:
    """A group of commands that prints plainly and leaves errors to `main`."""
    return typer.Typer(cls=cls, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


app = new_typer(Commands)


def main() -> None:
    """The console script. A user's error is one sentence on standard error, without a traceback."""
    try:
        sys.exit(app(prog_name="mats", standalone_mode=False))
    except UserError as error:
        _print_error(error)
    except TyperException as error:
        context: typer.Context | None = getattr(error, "ctx", None)
        command = context.command_path if context else "mats"
        message = error.format_message()
        if message.startswith("Usage: "):  # typer's message for a group without a command
            message = "Missing command"
        say(f"{message.rstrip('.')}; `{command} --help` shows the usage")
    except typer.Abort:
        say("interrupted")
    sys.exit(USAGE_ERROR)


def _print_error(error: UserError) -> None:
    for sentence in error.args:
        say(sentence)


@app.callback(invoke_without_command=True)
def daemon(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="settings file; default config/mats.toml beside this program")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="journal, store, paper account, logs")] = None,
    for_: Annotated[float | None, typer.Option("--for", min=0.0, help="stop after this many seconds")] = None,
    seed: Annotated[int | None, typer.Option(help="seed of the paper gateway's random market")] = None,
    replay: Annotated[Path | None, typer.Option(help="folder of bar files for the paper gateway to replay")] = None,
    bar_seconds: Annotated[float | None, typer.Option(help="wall seconds that one stored minute takes")] = None,
    json: Annotated[bool, typer.Option("--json", help="end with the summary as one JSON line")] = False,
) -> None:
    """Run the trading daemon: every strategy of `general/strategies`, on the gateway that the settings name."""
    if context.invoked_subcommand is not None:
        return
    from actors.daemon import end_process, run_daemon
    from mats.settings import settings_of

    paper_gateway = {"seed": seed, "replay": replay, "bar_seconds": bar_seconds}
    settings = settings_of(config, data_dir=data_dir, paper_gateway=paper_gateway)
    try:
        code = run_daemon(settings, for_, as_json=json)
    except UserError as error:
        _print_error(error)
        code = USAGE_ERROR
    end_process(code)


if __name__ == "__main__":
    main()
