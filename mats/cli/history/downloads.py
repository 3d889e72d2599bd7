"""`mats data download`, `map` and `repair`: history from the broker into the store."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from mats.backtest import instant
from mats.cli.options import Config, DataDir, Json, grouped
from mats.data.download import Coverage, Download, Downloader
from mats.data.download import Progress as Done
from mats.errors import DataError, UserError, say
from mats.ib import ConnectionLostError, IBError, IbSession, RequestFailed
from mats.ib.history import HistoricalBudget, IbPages, PacedHistory, RequestLog
from mats.instruments import parse_instrument
from mats.model import Instrument, InstrumentId, Nanos, iso, size_name, size_seconds
from mats.runtime import SystemClock
from mats.sessions import calendar_of
from mats.settings import Settings, settings_of
from mats.store import LockHeldError, data_directory
from mats.store.tables import BarStore, Known, store_uri

CLIENT_ID = 98
"""The client id of downloads: no strategy's, and none of the daemon's own connections."""
RECONNECT_SECONDS = 15.0
FAILED = 1
"""Exit code where an instrument was left out."""
PIPE_WIDTH = 120
ROWS = 20
"""So many ranges of an instrument are shown; `--json` has all."""

Names = Annotated[list[str], typer.Argument(metavar="NAME…", help="instruments, as SPY or EURUSD")]
Size = Annotated[str, typer.Option("--size", help="size of the bars, as 5s, 1min or 1d")]
What = Annotated[str, typer.Option("--what", help="IB's kind of prices: TRADES, MIDPOINT, BID_ASK …")]


class Place(msgspec.Struct, frozen=True):
    """The gateway that is asked, and the data directory that the answer goes to."""

    host: Annotated[str | None, typer.Option("--host", help="host of the gateway; default: as the settings say")] = None
    port: Annotated[int | None, typer.Option("--port", help="its port")] = None
    config: Config = None
    data_dir: DataDir = None

    def settings(self) -> Settings:
        """The settings with this place; UserError where no gateway is named."""
        gateway = {"host": self.host, "port": self.port}
        settings = settings_of(self.config, data_dir=self.data_dir, gateway=gateway)
        if not settings.gateway.host:
            raise UserError(
                "gateway.host is empty, which is the daemon's own paper gateway; give --host and --port of TWS, "
                "IB Gateway or of a running `mats gateway`"
            )
        return settings


class Outcome(msgspec.Struct, frozen=True):
    """What a download came to: its requests, its bars, the requests without a bar, and who was left out, with why."""

    requests: int
    bars: int
    empty: int
    violations: int
    failed: dict[InstrumentId, str]


class MapLine(msgspec.Struct, frozen=True):
    """What is known of a range of an instrument's past, up to before `end`."""

    instrument: InstrumentId
    size: str
    start: Nanos
    end: Nanos
    known: Known | None


Work = Callable[[Downloader, list[Instrument]], Awaitable[Done]]


@grouped
def download(
    names: Names,
    place: Place,
    size: Size = "1min",
    from_: Annotated[
        str, typer.Option("--from", help="first bar, as 2024-01-02; default: as far back as IB goes")
    ] = "",
    to: Annotated[str, typer.Option("--to", help="bars from here on are left out; default: now")] = "",
    what: What = "",
    json: Json = False,
) -> None:
    """Download bars from IB into the store. What is there already is not asked again; it may be stopped at any time."""
    seconds = size_seconds(size)
    start = instant(from_) if from_ else 0
    end = min(instant(to), time.time_ns()) if to else time.time_ns()
    if start >= end:
        raise DataError(f"--from {from_} is not before --to {to or 'now'}; give an earlier one")

    async def work(downloader: Downloader, instruments: list[Instrument]) -> Done:
        wanted = [Download(instrument=each, seconds=seconds, start=start, end=end) for each in instruments]
        return await downloader.run(wanted, RequestFailed)

    _carry_out(work, names, what, place.settings(), json)


@grouped
def repair(
    names: Names,
    place: Place,
    size: Size = "1min",
    what: What = "",
    json: Json = False,
) -> None:
    """Ask IB for bars that are missing between the first and the last stored one, in regular hours."""
    seconds = size_seconds(size)

    async def work(downloader: Downloader, instruments: list[Instrument]) -> Done:
        return await downloader.repair(instruments, seconds, RequestFailed)

    _carry_out(work, names, what, place.settings(), json)


def map_(
    names: Names,
    size: Annotated[str, typer.Option("--size", help="only this one")] = "",
    config: Config = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show what the store has, what is known to be empty, and what was never asked."""
    settings = settings_of(config, data_dir=data_dir)
    store = BarStore(store_uri(settings.store.uri, settings.data_dir))
    lines = [line for name in names for each in _sizes(store, name, size) for line in _map_of(store, name, each)]
    if not lines:
        raise DataError(f"the store has no bars of {', '.join(names)}; get some with `mats data download`")
    if json:
        for line in lines:
            print(msgspec.json.encode(line).decode())
        return
    Console(width=None if Console().is_terminal else PIPE_WIDTH, highlight=False).print(_map_table(lines))


# The map


def _sizes(store: BarStore, name: InstrumentId, size: str) -> list[int]:
    return [size_seconds(size)] if size else store.sizes(name)


def _map_of(store: BarStore, name: InstrumentId, seconds: int) -> Iterator[MapLine]:
    """Known ranges, and between them and around the stored bars what was never asked."""
    known = Coverage(store.coverage(name, seconds).ranges)
    bars = store.read(name, seconds)
    ends = [*(known.extent or ()), *((int(bars.start[0]), int(bars.end[-1])) if bars is not None and len(bars) else ())]
    if not ends:
        return
    unknown = [(start, end, None) for start, end in known.missing(min(ends), max(ends))]
    ranges = [*((item.start, item.end, item.known) for item in known.ranges), *unknown]
    for start, end, kind in sorted(ranges, key=lambda item: item[0]):
        yield MapLine(name, size_name(seconds), start, end, kind)


def _map_table(lines: list[MapLine]) -> Table:
    """Closed hours go with what surrounds them."""
    table = Table("instrument", "size", "from", "to", "known", box=None, header_style="bold")
    shown: list[MapLine] = []
    for line in lines:
        last = shown[-1] if shown else None
        same = last is not None and (last.instrument, last.size) == (line.instrument, line.size)
        if last is not None and same and line.known in (last.known, Known.CLOSED):
            shown[-1] = msgspec.structs.replace(last, end=line.end)
        else:
            shown.append(line)
    for line in shown[:ROWS]:
        start, end = (iso(at)[:16].replace("T", " ") for at in (line.start, line.end))
        known = "never asked" if line.known is None else "none" if line.known is Known.EMPTY else line.known.value
        table.add_row(line.instrument, line.size, start if line.start else "the beginning", end, known)
    if len(shown) > ROWS:
        table.add_row(f"… {len(shown) - ROWS} more", "--json", "", "", "")
    return table


# The connection


def _carry_out(work: Work, names: list[str], what: str, settings: Settings, as_json: bool) -> None:
    """The whole command: the data directory is this process's alone meanwhile."""
    try:
        with data_directory(settings.data_dir), _shown() as shown:
            done = asyncio.run(_until_done(work, names, what, settings, shown))
    except LockHeldError as error:
        raise UserError(
            f"{error.args[0].partition(';')[0]}, and one process writes the store at a time; stop it (`mats` with "
            "Ctrl-C), or download into another data directory with --data-dir"
        ) from None
    except KeyboardInterrupt:
        say("stopped; start the same command again to go on where it was")
        raise typer.Exit(130) from None
    if as_json:
        print(msgspec.json.encode(done).decode())
    else:
        print(f"{done.bars:,} bars in {done.requests:,} requests, {done.empty:,} of them without a bar")
    for name, reason in done.failed.items():
        say(f"{name} is left out: {reason}")
    if done.failed:
        raise typer.Exit(FAILED)


async def _until_done(
    work: Work, names: list[str], what: str, settings: Settings, shown: Callable[[Done, PacedHistory], None]
) -> Outcome:
    """Go on with a new connection whenever one is lost; what is stored already is not asked again."""
    clock, total = SystemClock(), Outcome(0, 0, 0, 0, {})
    connected = False
    while True:
        try:
            async with _opened(settings, clock) as (session, history):
                connected = True
                failed: dict[InstrumentId, str] = {}
                instruments = await _resolved(session, names, failed)
                uri = store_uri(settings.store.uri, settings.data_dir)
                downloader = Downloader(
                    IbPages(history, what), uri, calendar_of, clock.now, clock.monotonic, lambda at: shown(at, history)
                )
                try:
                    done = await work(downloader, instruments)
                finally:
                    total = _added(total, downloader.progress, history.use().violations)
                return msgspec.structs.replace(total, failed=failed | done.failed)
        except IBError as error:
            if not connected:
                raise UserError(f"{error}; the download cannot begin") from error
            say(f"{error}; it goes on in {RECONNECT_SECONDS:g} s")
        except BaseExceptionGroup as group:
            if group.split(ConnectionLostError)[1] is not None:
                raise
            say(f"the gateway is lost; it goes on in {RECONNECT_SECONDS:g} s")
        await asyncio.sleep(RECONNECT_SECONDS)


def _added(total: Outcome, done: Done, violations: int) -> Outcome:
    return Outcome(
        total.requests + done.pages, total.bars + done.bars, total.empty + done.empty, total.violations + violations, {}
    )


@asynccontextmanager
async def _opened(settings: Settings, clock: SystemClock) -> AsyncIterator[tuple[IbSession, PacedHistory]]:
    """A session with its budget, in which what was asked lately by an earlier run counts."""
    gateway = settings.gateway
    log = RequestLog(settings.data_dir / "history_requests.jsonl", clock.now)
    budget = HistoricalBudget(clock.monotonic)
    log.recall(budget)
    session = IbSession(CLIENT_ID, lambda event: None, clock=clock.now, monotonic=clock.monotonic)
    history = PacedHistory(session, budget, log.add)
    try:
        await session.connect(gateway.host, gateway.port, gateway.connect_timeout_seconds)
        yield session, history
    finally:
        history.close()
        session.close()
        log.close()


async def _resolved(session: IbSession, names: list[str], failed: dict[InstrumentId, str]) -> list[Instrument]:
    """The contracts of the names; one that is unknown is named in `failed`."""
    found = []
    for name in dict.fromkeys(names):
        try:
            found.append(await session.resolve(parse_instrument(name)))
        except (RequestFailed, ValueError) as error:
            failed[name] = str(error)
    return found


# The progress


class _Rate(TextColumn):
    """Requests a minute."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{60 * speed:,.0f}/min", style="dim")


@contextmanager
def _shown() -> Iterator[Callable[[Done, PacedHistory], None]]:
    """Shows requests, rate, time left and the budget; where standard error is no terminal, a line for each tenth."""
    console = Console(stderr=True)
    columns = (
        *(TextColumn("requests"), BarColumn(), MofNCompleteColumn(), _Rate(""), TimeRemainingColumn()),
        TextColumn("{task.description}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        tenths = 0

        def show(done: Done, history: PacedHistory) -> None:
            nonlocal tenths
            use = history.use()
            kind, of = (use.small, use.small_limit) if use.small else (use.larger, use.larger_limit)
            held = f", pacing: held {use.held:.0f} s" if use.held else ""
            budget = f"budget {kind}/{of} in 10 min, {use.open} open, {use.waiting} wait{held}"
            progress.update(task, total=done.planned, completed=done.pages, description=budget)
            if not console.is_terminal and done.planned and 10 * done.pages // done.planned > tenths:
                tenths = 10 * done.pages // done.planned
                say(f"{done.pages:,} of {done.planned:,} requests, {done.bars:,} bars; {budget}")

        yield show
