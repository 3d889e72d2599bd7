"""The command line of the store: `mats store rebuild`."""

import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from mats.cli.options import Config, DataDir
from mats.errors import UserError, say
from mats.ledger.books import Matching
from mats.model import Entry
from mats.settings import settings_of
from mats.store import DataLock, LockHeldError, data_directory
from mats.store.journal import Journal
from mats.store.lineage import check_lineage, join_tables
from mats.store.rebuild import (
    Contents,
    Difference,
    Name,
    Table,
    differences,
    journal_differences,
    missing_entries,
    recompute,
    repair_views,
)
from mats.store.tables import store_uri

COMPARISONS, PAUSE_SECONDS = 3, 3.0
"""Beside a running daemon a difference counts when this many comparisons show it: writes take a second."""

DIFFERENT = 1

store = typer.Typer(
    help="Check and repair what is stored.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

_NEVER = threading.Event()


@store.callback()
def group() -> None:
    """Check and repair what is stored."""


@store.command()
def rebuild(
    check: Annotated[
        bool, typer.Option("--check", help="only report what differs; the daemon may run meanwhile")
    ] = False,
    journal: Annotated[bool, typer.Option("--journal", help="compare the fills with the journal, too")] = False,
    config: Config = None,
    data_dir: DataDir = None,
    json: Annotated[bool, typer.Option("--json", help="print each difference as a JSON line")] = False,
) -> None:
    """Rebuild every view from the fills, corrections and adjustments; with --check exit code 1 where one differs."""
    settings = settings_of(config, data_dir=data_dir)
    if not settings.data_dir.is_dir():
        raise UserError(f"data directory {settings.data_dir} does not exist; name one that does with --data-dir")
    uri, log = store_uri(settings.store.uri, settings.data_dir), settings.data_dir / "journal.db"
    with _progress() as progress:
        comparison = StoreCheck(uri, log if journal else None, settings.portfolio.matching, progress)
        found = comparison.check(settings.data_dir) if check else comparison.repair(settings.data_dir)
    for difference in found:
        print(msgspec.json.encode(difference).decode() if json else difference)
    done = f"{comparison.entries} entries, {comparison.rows} rows of {comparison.views} views"
    ending = "no difference" if not found else f"{len(found)} differences{'' if check else ', all repaired'}"
    print(f"{done}: {ending}", file=sys.stderr if json else sys.stdout)
    if found and check:
        raise typer.Exit(DIFFERENT)


class StoreCheck:
    """One comparison of a store with itself and, where `journal` names one, with the journal."""

    def __init__(self, uri: str, journal: Path | None, matching: Matching, progress: Progress) -> None:
        self._uri, self._journal, self._matching = uri, journal, matching
        self._progress, self._task = progress, progress.add_task("reading", total=None)
        self.entries = self.rows = self.views = 0

    def check(self, data_dir: Path) -> list[Difference]:
        """What differs; beside a running daemon, what keeps differing."""
        try:
            with DataLock(data_dir):
                return self._once()[0]
        except LockHeldError:
            return self._persistent()

    def repair(self, data_dir: Path) -> list[Difference]:
        """Repair what differs, and return it. Raises LockHeldError beside a running daemon."""
        with data_directory(data_dir):
            found, contents, expected = self._once()
            if self._journal is not None:
                self._join(self._journal, anyway=any(difference.table == "fills" for difference in found))
                contents, expected = self._recomputed()
            repair_views(self._uri, contents.views, expected)
        return found

    def _join(self, path: Path, *, anyway: bool) -> None:
        """Journal and tables get one past, by the rule of a start."""
        with closing(Journal(path)) as journal:
            if not anyway and not check_lineage(journal, self._uri):
                return
            for sentence in join_tables(journal, self._uri, self._matching):
                say(sentence)

    def _persistent(self) -> list[Difference]:
        found = self._once()[0]
        for _ in range(COMPARISONS - 1):
            if not found:
                break
            _NEVER.wait(PAUSE_SECONDS)
            still = {difference.location for difference in self._once()[0]}
            found = [difference for difference in found if difference.location in still]
        return found

    def _once(self) -> tuple[list[Difference], Contents, dict[Name, Table]]:
        contents, expected = self._recomputed()
        found = [*missing_entries(contents.entries), *differences(contents.views, expected)]
        if self._journal is not None:
            found = [*journal_differences(contents.entries, self._logged()), *found]
        return found, contents, expected

    def _recomputed(self) -> tuple[Contents, dict[Name, Table]]:
        contents = Contents(self._uri, lambda name: self._progress.update(self._task, description=f"reading {name}"))
        self.entries, self.views = len(contents.entries), len(contents.views)
        self.rows = sum(map(len, contents.views.values()))
        return contents, recompute(contents.entries, contents.views, self._folded, self._matching)

    def _folded(self, done: int) -> None:
        if done % 1_000 == 0:
            self._progress.update(self._task, description=f"folding {done:,} of {self.entries:,} entries")

    def _logged(self) -> list[Entry]:
        """Everything that the journal still has."""
        assert self._journal is not None
        if not self._journal.is_file():
            raise UserError(f"journal {self._journal} does not exist; restore it, or leave --journal out")
        journal = Journal(self._journal)
        try:
            return journal.entries(journal.pruned_to(), journal.last_seq())
        finally:
            journal.close()


@contextmanager
def _progress() -> Iterator[Progress]:
    """Shown on a terminal only; pipes get lines."""
    console = Console(stderr=True)
    with Progress(TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True,
                  disable=not console.is_terminal) as progress:  # fmt: skip
        yield progress
