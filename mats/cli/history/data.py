"""The command line of market data: `mats data import`, `show`, `download`, `map`, `repair`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mats.cli.history.downloads import download, map_, repair
from mats.cli.options import Config, DataDir
from mats.data import find_bar_files
from mats.data.importer import ImportResult, Stamp, import_file
from mats.errors import DataError
from mats.model import Nanos, iso, size_name, size_seconds
from mats.settings import settings_of
from mats.store.tables import BarStore, StoredBars, store_uri, write_lock

WIDTH = 120

data = typer.Typer(
    help="Import, download and list market data.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

data.command("download")(download)
data.command("map")(map_)
data.command("repair")(repair)

Json = Annotated[bool, typer.Option("--json", help="print JSON lines")]


@data.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="CSV, CSV.gz or Parquet files, or folders")],
    instrument: Annotated[str, typer.Option(help="whose bars they are; default: the name of the file")] = "",
    seconds: Annotated[str, typer.Option(help="size of the bars, as 60, 1min or 1d; default: as most rows")] = "",
    zone: Annotated[str | None, typer.Option(help="time zone of times without one, as UTC or America/New_York")] = None,
    stamp: Annotated[Stamp, typer.Option(help="whether a row has the time of its bar's start or end")] = "start",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Import bar files into the store, and report what was wrong with them. Importing again changes nothing."""
    files = [file for path in paths for file in find_bar_files(path).values()]
    if instrument and len(files) > 1:
        raise DataError(f"--instrument {instrument} cannot name {len(files)} files; import one at a time")
    size = size_seconds(seconds) if seconds else 0
    uri = _uri(config, data_dir)
    console = Console(width=None if Console().is_terminal else WIDTH, highlight=False)
    store = BarStore(uri)
    with write_lock(uri, "bars"), _progress() as progress:
        for file in progress.track(files, description="importing"):
            done = import_file(store, file, instrument=instrument, seconds=size, zone=zone, stamp=stamp)
            _print_result(done, console, as_json=json)


@data.command()
def show(
    instrument: Annotated[str, typer.Argument(help="only this one")] = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """List the bars in the store."""
    store = BarStore(_uri(config, data_dir))
    stored = [item for item in store.contents() if instrument in ("", item.instrument)]
    if not stored:
        raise DataError(
            f"the store has no bars{f' of {instrument}' if instrument else ''}; import some with `mats data import`"
        )
    if json:
        for item in stored:
            print(msgspec.json.encode(item).decode())
        return
    Console(width=None if Console().is_terminal else WIDTH, highlight=False).print(_listing(store, stored))


def _uri(config: Path | None, data_dir: Path | None) -> str:
    settings = settings_of(config, data_dir=data_dir)
    return store_uri(settings.store.uri, settings.data_dir)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _print_result(done: ImportResult, console: Console, *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(done).decode())
        return
    found = done.findings
    console.print(
        f"{done.instrument} {size_name(done.seconds)}: {done.bars:,} bars of {found.rows:,} rows, {done.changed:,} new "
        f"or changed, {done.actions} splits and dividends"
    )
    for name, fault in found.faults.items():
        console.print(f"  {fault.count:,} × {name}, first in row {fault.row} ({iso(fault.time)})")
    if found.gaps:
        longest = found.longest[0]
        console.print(f"  {found.gaps:,} gaps, the longest from {iso(longest.after)} to {iso(longest.before)}")


def _listing(store: BarStore, stored: list[StoredBars]) -> Table:
    table = Table("instrument", "size", "first", "last", box=None, header_style="bold")
    for column in ("bars", "splits, dividends"):
        table.add_column(column, justify="right")
    for item in stored:
        actions = len(store.actions(item.instrument))
        table.add_row(
            item.instrument,
            size_name(item.seconds),
            _time(item.first),
            _time(item.last),
            f"{item.count:,}",
            str(actions),
        )
    return table


def _time(instant: Nanos) -> str:
    return iso(instant)[:16].replace("T", " ")
