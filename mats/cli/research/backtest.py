"""The command line of backtests: `mats backtest STRATEGY…`, and `list`, `show`, `verify`, `delete` of results."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from typer.core import TyperGroup

from mats.backtest import Prepared, Request, api, prepare
from mats.backtest.result import (
    BacktestResult,
    Record,
    load_result,
    metrics_grid,
    period,
    ranking,
    read_record,
    records,
    replace_result,
    result_list,
    result_name,
    store_result,
    undefined_line,
    verify,
)
from mats.cli.options import Config, DataDir, grouped
from mats.cli.research.backtest_options import AssumptionOptions, BarOptions, StyleOption, request_of
from mats.cli.research.progress import shown_progress
from mats.errors import say
from mats.runtime import SystemClock
from mats.settings import Settings, settings_of
from mats.store.tables import BacktestLibrary
from mats.strategy import parse_assignments

WIDTH = 120
MIN_SHOWN_SECONDS = 0.005
FAILED, DIFFERENT, INTERRUPTED = 1, 1, 130


class RunUnlessNamed(TyperGroup):
    """`mats backtest ema.py` is `mats backtest run ema.py`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`ctx` is the library's, under a name that changed between its versions."""
        known = args and (args[0] in self.commands or args[0] == "--help")
        return list(super().parse_args(ctx, args if known or not args else ["run", *args]))


backtest = typer.Typer(
    cls=RunUnlessNamed,
    help="Run a strategy over past bars. `mats backtest STRATEGY…` runs; the commands below are for stored results.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="print JSON, a line for each result")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="a stored result")]


@backtest.command()
@grouped
def run(
    strategies: Annotated[list[str], typer.Argument(metavar="STRATEGY…", help="FILE.py, FILE.py:Class, or a name")],
    bars: BarOptions,
    assumed: AssumptionOptions,
    param: Annotated[list[str] | None, typer.Option(help="fast=5, or NAME.fast=5 for one strategy; again")] = None,
    style: StyleOption = "bars",
    benchmark: Annotated[str, typer.Option(help="an instrument, or none; default: what is traded, held")] = "",
    seed: Annotated[int, typer.Option(help="seed of the run")] = 1,
    check: Annotated[bool, typer.Option("--check", help="only check for look-ahead and warm-up bias")] = False,
    description: Annotated[str, typer.Option(help="the last part of the result's name")] = "run",
    replace: Annotated[bool, typer.Option("--replace", help="in place of the result of that name")] = False,
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Run strategies over past bars, and store the result."""
    settings = settings_of(config, data_dir=data_dir, backtest=assumed.as_settings())
    params = parse_assignments(param or ())
    request = request_of(
        tuple(strategies), bars, settings, params=params, description=description, style=style, seed=seed
    )
    with _interruptible():
        if check:
            _check(prepare(request, settings))
            return
        result, spent = _run_and_store(request, settings, benchmark, replace=replace)
    _show(result.record, result, spent, as_json=json)
    if result.record.state == "failed":
        say(" ".join(result.record.failure.split()))
        raise typer.Exit(FAILED)


@backtest.command("list")
def list_(
    by: Annotated[str, typer.Option(help="rank by a figure, as sharpe; without failed runs")] = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """List stored results, oldest first, or the best first."""
    found, unreadable = records(_uri(config, data_dir))
    for sentence in unreadable:
        say(sentence)
    if by:
        found = ranking(found, by)
    if json:
        for record in found:
            print(msgspec.json.encode(record).decode())
    elif found:
        _console().print(result_list(found))
    else:
        print("no result is stored; `mats backtest STRATEGY` makes one")


@backtest.command()
def show(name: Name, config: Config = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Show a stored result."""
    uri = _uri(config, data_dir)
    _show(read_record(uri, name), load_result(uri, name), {}, as_json=json)


@backtest.command("verify")
def verify_(name: Name, config: Config = None, data_dir: DataDir = None) -> None:
    """Run a stored result again, and compare trades and equity byte for byte."""
    with _interruptible(), shown_progress("running again") as progress:
        verdict = verify(_uri(config, data_dir), name, progress)
    for note in verdict.notes:
        print(f"note: {note}")
    if verdict.same:
        print(f"{name}: trades and equity are the same, byte for byte")
        return
    for difference in verdict.differences:
        say(f"{name}: {difference}")
    raise typer.Exit(DIFFERENT)


@backtest.command()
def delete(name: Name, config: Config = None, data_dir: DataDir = None) -> None:
    """Delete a stored result."""
    BacktestLibrary(_uri(config, data_dir)).delete(name)
    print(f"{name} is deleted")


def _run_and_store(
    request: Request, settings: Settings, benchmark: str, *, replace: bool
) -> tuple[BacktestResult, dict[str, float]]:
    """The result, stored, and the seconds that each step took."""
    uri, started = api.uri_of(settings), perf_counter()
    prepared = prepare(request, settings)
    if not replace:
        BacktestLibrary(uri).check_free(result_name(prepared.spec, SystemClock().now()))
    loaded = perf_counter()
    with shown_progress("running") as progress:
        result = api.finish(prepared, request.source, benchmark, uri, progress)
    ran = perf_counter()
    (replace_result if replace else store_result)(uri, result)
    return result, {"load": loaded - started, "run and measure": ran - loaded, "store": perf_counter() - ran}


def _check(prepared: Prepared) -> None:
    """Print what the bias checks find; exit code 1 where a strategy looks ahead."""
    from mats.backtest import look_ahead, warm_up

    found = look_ahead(prepared.spec, prepared.data)
    for item in found:
        say(item)
    if not found:
        print("no look-ahead: with the data cut short, the strategy makes the same requests up to the cut")
    for warmed in warm_up(prepared.spec, prepared.data):
        print(warmed)
    if found:
        raise typer.Exit(FAILED)


def _show(record: Record, result: BacktestResult, spent: dict[str, float], *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(record).decode())
        return
    console = _console()
    state = "" if record.state == "complete" else "  FAILED"
    console.print(f"{record.name}{state}", style="bold")
    console.print(period(result.run))
    console.print()
    console.print(metrics_grid({"total": record.total, **record.by_strategy}))
    console.print()
    if record.benchmark:
        console.print(f"Benchmark: {record.benchmark}")
    if reasons := undefined_line(record.total):
        console.print(f"Not defined: {reasons}")
    for reason, count in record.denied.items():
        console.print(f"{count:,} orders rejected: {reason}", style="yellow")
    times = {**spent, **{f"run: {name}": seconds for name, seconds in record.seconds.items()}}
    shown = ", ".join(f"{name} {seconds:.2f}" for name, seconds in times.items() if seconds >= MIN_SHOWN_SECONDS)
    console.print(f"Seconds: {shown or 'negligible'}", style="dim")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends with one sentence: a result is stored by its last write only."""
    try:
        yield
    except KeyboardInterrupt:
        say("interrupted; nothing was stored")
        raise typer.Exit(INTERRUPTED) from None


def _uri(config: Path | None, data_dir: Path | None) -> str:
    return api.uri_of(settings_of(config, data_dir=data_dir))


def _console() -> Console:
    return Console(width=None if Console().is_terminal else WIDTH, highlight=False)
