"""The command line of reports: `mats report NAME…`."""

from pathlib import Path
from typing import Annotated

import typer

from mats.cli.options import Config, DataDir
from mats.errors import UserError
from mats.runtime import SystemClock
from mats.settings import settings_of
from mats.store.tables import store_uri

SWEEP = "sweep_"


def report(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="results of backtests, or one sweep")],
    output: Annotated[Path | None, typer.Option(help="the page; default NAME.html, or comparison.html")] = None,
    png: Annotated[Path | None, typer.Option(help="folder for the charts as PNG files")] = None,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Write a page about stored results. A single file; several results are compared."""
    settings = settings_of(config, data_dir=data_dir)
    uri = store_uri(settings.store.uri, settings.data_dir)
    swept = [name for name in names if name.startswith(SWEEP)]
    if swept and len(names) > 1:
        raise UserError(f"{swept[0]} is a sweep, which has a page of its own; report it alone")
    page = output or Path(f"{names[0]}.html" if len(names) == 1 else "comparison.html")
    written = _sweep(uri, names[0], page, png) if swept else _results(uri, list(dict.fromkeys(names)), page, png)
    for path in written:
        print(path)


def _results(uri: str, names: list[str], page: Path, png: Path | None) -> list[Path]:
    from mats.report import stored
    from mats.report.html_page import html

    results = [stored(uri, name) for name in names]
    write_page(page, html(results, SystemClock().now()))
    if png is None:
        return [page]
    from mats.report.png import write

    return [page, *(path for result in results for path in write(result, png))]


def _sweep(uri: str, name: str, page: Path, png: Path | None) -> list[Path]:
    from mats.report.sweeps import html, stored

    swept = stored(uri, name)
    write_page(page, html(swept, SystemClock().now()))
    if png is None:
        return [page]
    from mats.report.sweeps.png import write_png

    return [page, *write_png(swept, png)]


def write_page(page: Path, text: str) -> None:
    """Write a page, its folder made when absent. Raises UserError where that is not possible."""
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"the page {page} cannot be written ({error.strerror}); name another --output") from error
