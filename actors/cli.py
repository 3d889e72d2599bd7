"""The command line. Without a command it runs the daemon; what a command does not need is not imported for it."""

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from mats.errors import UserError

USAGE_ERROR = 2

COMMANDS = {
    "account": "mats.cli.account:account",
    "audit": "mats.cli.queries:audit",
    "backtest": "mats.cli.backtest:backtest",
    "books": "mats.cli.books:books",
    "breaks": "mats.cli.breaks:breaks",
    "cancel": "mats.cli.actions:cancel",
    "data": "mats.cli.data:data",
    "equity": "mats.cli.actions:equity",
    "flatten": "mats.cli.actions:flatten",
    "gateway": "mats.cli.gateway:gateway",
    "halt": "mats.cli.actions:halt",
    "reconcile": "mats.cli.actions:reconcile",
    "report": "mats.cli.report:report",
    "resume": "mats.cli.actions:resume",
    "status": "mats.cli.queries:status",
    "store": "mats.cli.store:store",
    "strategies": "mats.cli.strategies:strategies",
    "strategy": "mats.cli.actions:strategy",
    "sweep": "mats.cli.sweep:sweep",
    "why": "mats.cli.queries:why",
}
"""Each command, and the function or group of commands that it is."""


class Commands(TyperGroup):
    """Finds a command in its module, and imports that only then."""

    def list_commands(self, ctx: object) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | TyperGroup | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, typer.Typer):
            function, found = found, new_typer()
            found.command(cmd_name)(function)
        command = typer.main.get_command(found)
        assert isinstance(command, TyperCommand | TyperGroup)
        command.name = cmd_name
        return command


def new_typer(cls: type[TyperGroup] | None = None) -> typer.Typer:
    """A group of commands that prints plainly and leaves errors to `main`."""
    return typer.Typer(cls=cls, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


app = new_typer(Commands)


def main() -> None:
    """The console script. A usage error is one sentence on standard error, without a traceback."""
    try:
        sys.exit(app(prog_name="mats", standalone_mode=False))
    except UserError as error:
        for sentence in error.args:
            print(f"mats: {sentence}", file=sys.stderr)
    except TyperException as error:
        context: typer.Context | None = getattr(error, "ctx", None)
        place = context.command_path if context else "mats"
        message = error.format_message()
        if message.startswith("Usage: "):  # what typer says of a group that is named alone
            message = "Missing command"
        print(f"mats: {message.rstrip('.')}; `{place} --help` lists what there is", file=sys.stderr)
    except typer.Abort:
        print("mats: aborted", file=sys.stderr)
    sys.exit(USAGE_ERROR)


@app.callback(invoke_without_command=True)
def daemon(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="settings file; default config/mats.toml beside this program")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="journal, store, paper account, logs")] = None,
    for_: Annotated[float | None, typer.Option("--for", min=0.0, help="stop by itself after so many seconds")] = None,
    seed: Annotated[int | None, typer.Option(help="seed of the paper gateway's random market")] = None,
    replay: Annotated[Path | None, typer.Option(help="folder of bar files for the paper gateway to replay")] = None,
    bar_seconds: Annotated[float | None, typer.Option(help="wall seconds that one stored minute takes")] = None,
    json: Annotated[bool, typer.Option("--json", help="end with the summary as one JSON line")] = False,
) -> None:
    """Run the trading daemon: every strategy of `general/strategies`, on the gateway that the settings name."""
    if context.invoked_subcommand is not None:
        return
    from actors.daemon import run_daemon
    from mats.settings import settings_of

    embedded = {"seed": seed, "replay": replay, "bar_seconds": bar_seconds}
    settings = settings_of(config, data_dir=data_dir, embedded=embedded)
    sys.exit(run_daemon(settings, for_, as_json=json))


if __name__ == "__main__":
    main()
