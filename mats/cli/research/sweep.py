"""The command line of sweeps: `mats sweep STRATEGY --param fast=5:50:5 --param slow=20:200:20`."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as ProgressTask
from rich.table import Table
from rich.text import Text

from mats.backtest import api, data_for
from mats.cli.options import Config, DataDir, grouped
from mats.cli.research.backtest_options import AssumptionOptions, BarOptions, StyleOption, request_of
from mats.errors import SweepError, say
from mats.model.bar_columns import BarData
from mats.report import PageTable as Written
from mats.report.sweeps import SweepReport, best_table, failure_table, stored, window_table
from mats.runtime import SystemClock
from mats.settings import settings_of
from mats.sweep import (
    Executor,
    LocalPool,
    Manifest,
    SweepRequest,
    SweepTable,
    Trial,
    best_results,
    count,
    parse_axes,
    parse_spans,
    plan_sweep,
    ranked,
    run_and_store,
    unranked,
)

WIDTH, SHOWN, INTERRUPTED = 140, 10, 130


class Workers(msgspec.Struct, frozen=True):
    """What runs the trials."""

    workers: Annotated[int | None, typer.Option(min=1, help="processes; default: one for each core")] = None
    engine: Annotated[Literal["local", "ray"], typer.Option(help="where they run")] = "local"
    ray_address: Annotated[str, typer.Option(help="a running Ray cluster; default: one on this machine")] = ""

    def executor(self) -> Executor:
        """The chosen executor; Ray is imported only for its own."""
        processes = self.workers or len(os.sched_getaffinity(0))
        if self.engine == "local":
            return LocalPool(processes)
        from mats.sweep.ray_pool import RayPool

        return RayPool(processes, self.ray_address)


@grouped
def sweep(
    *,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help="FILE.py, FILE.py:Class, or a name")] = "",
    bars: BarOptions,
    assumed: AssumptionOptions,
    param: Annotated[list[str] | None, typer.Option(help="fast=5:50:5 or fast=5,10,20; again for each")] = None,
    metric: Annotated[str, typer.Option(help="metric that ranks, as sharpe or total_return")] = "sharpe",
    trials: Annotated[int, typer.Option(min=0, help="number of combinations to try, chosen by optuna")] = 0,
    walk_forward: Annotated[str, typer.Option(help="TRAIN:TEST, as 90d:30d")] = "",
    style: StyleOption = "bars",
    seed: Annotated[int, typer.Option(help="seed of the runs, and of the choice of trials")] = 1,
    workers: Workers,
    resume: Annotated[str, typer.Option(help="resume the sweep of this name")] = "",
    store_best: Annotated[int, typer.Option(min=0, help="run this many of the best again, and store them")] = 0,
    description: Annotated[str, typer.Option(help="the last part of the sweep's name")] = "run",
    replace: Annotated[bool, typer.Option("--replace", help="in place of the sweep of that name")] = False,
    output: Annotated[Path | None, typer.Option(help="write the report to this HTML file")] = None,
    png: Annotated[Path | None, typer.Option(help="draw the heat maps into this folder")] = None,
    config: Config = None,
    data_dir: DataDir = None,
    json: Annotated[bool, typer.Option("--json", help="print the outcome as one JSON line")] = False,
) -> None:
    """Run one strategy with many parameters. The results over past bars are stored and ranked."""
    settings = settings_of(config, data_dir=data_dir, backtest=assumed.as_settings())
    uri = api.uri_of(settings)
    if store_best and walk_forward:
        raise SweepError("--store-best cannot be combined with --walk-forward; store a result with `mats backtest`")
    if resume:
        table, manifest, known, loaded = _resumed(resume, uri)
    else:
        request = request_of((strategy,), bars, settings, params={}, description=description, style=style, seed=seed)
        walk = parse_spans(walk_forward) if walk_forward else None
        wanted = SweepRequest(request=request, axes=parse_axes(param or ()), metric=metric, trials=trials, walk=walk)
        manifest, loaded = plan_sweep(wanted, settings, SystemClock().now())
        table, known = SweepTable(uri, manifest.name), {}
        if not replace:
            table.check_free()
    with _interruptible(table.name), workers.executor() as running, _progress(manifest, known) as on_trial:
        run_and_store(manifest, loaded, running, table, known, on_trial)
    swept = stored(uri, table.name)
    best = best_results(swept.trained, manifest, loaded, store_best, uri, SystemClock().now())
    _print_result(swept, [*best, *map(str, _write(swept, output, png))], as_json=json)


def _resumed(name: str, uri: str) -> tuple[SweepTable, Manifest, dict[int, Trial], BarData]:
    """The interrupted sweep. Raises SweepError where there is none, or where its data has changed."""
    table = SweepTable(uri, name)
    manifest, outcomes = table.read()
    data = data_for(manifest.plan.spec, manifest.source, uri)
    if data.fingerprint() != manifest.data_fingerprint:
        raise SweepError(f"the data of {name} has changed since it was started; restore it, or start a new sweep")
    return table, manifest, {outcome.task.number: outcome for outcome in outcomes}, data


class _Rate(ProgressColumn):
    """Runs a second."""

    def render(self, task: ProgressTask) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} runs/s", style="dim")


@contextmanager
def _progress(manifest: Manifest, known: dict[int, Trial]) -> Iterator[Callable[[Trial], None]]:
    """The callback for each outcome; nothing is drawn where standard error is not a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("sweeping", total=count(manifest.plan), completed=len(known))
        yield lambda _outcome: progress.advance(task)


@contextmanager
def _interruptible(name: str) -> Iterator[None]:
    """Ctrl-C keeps what is stored, and says how to resume."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; finished trials are stored, resume with `mats sweep --resume {name}`")
        raise typer.Exit(INTERRUPTED) from None


def _write(swept: SweepReport, output: Path | None, png: Path | None) -> list[Path]:
    """The requested files; what draws them is imported only for them."""
    written = []
    if output is not None:
        from mats.cli.research.report import write_page
        from mats.report.sweeps import html

        write_page(output, html(swept, SystemClock().now()))
        written.append(output)
    if png is not None:
        from mats.report.sweeps.png import write_png

        written += write_png(swept, png)
    return written


def _print_result(swept: SweepReport, written: list[str], *, as_json: bool) -> None:
    best, bad = ranked(swept.trained, swept.plan.metric), unranked(swept.trained)
    if as_json:
        shown = [{"parameters": o.task.parameters, "metrics": o.metrics} for o in best[:SHOWN]]
        totals = {"name": swept.name, "runs": len(swept.trained), "ranked": len(best), "failed": len(bad)}
        print(msgspec.json.encode({**totals, "metric": swept.plan.metric, "best": shown, "written": written}).decode())
        return
    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
    console.print(swept.name, style="bold")
    console.print(f"{len(swept.trained):,} runs, {len(best):,} ranked, {len(bad):,} not completed")
    tables = [best_table(swept, SHOWN)] + ([window_table(swept)] if swept.plan.walk else [])
    for table in (*tables, failure_table(swept)):
        if table.rows:
            console.print()
            console.print(_rendered(table))
    if swept.curve is not None:
        gained = swept.curve[1][-1] / float(swept.plan.spec.capital) - 1
        console.print(f"\nOut of sample: {gained:+.2%}")
    for line in written:
        console.print(f"written: {line}")


def _rendered(table: Written) -> Table:
    rendered = Table(box=None, header_style="bold")
    for column, name in enumerate(table.names):
        rendered.add_column(name, justify="right" if column else "left")
    for row in table.rows:
        rendered.add_row(row.label, *(value.text for value in row.values))
    return rendered
