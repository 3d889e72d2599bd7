"""Composition root and command line: the only file that brings `actors` and all of `mats` together."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated

import msgspec
import structlog
import typer
from rich.console import Console
from rich.live import Live

from actors.gateway_process import GatewayCommand
from actors.ib_connection import Timing
from actors.operator import Operator
from actors.screen import draw
from actors.tree import Names, Plan, build
from mats.gateway.serve import serve
from mats.gateway.server import GatewayError
from mats.logs import configure_logging
from mats.risk.limits import Limits
from mats.runtime import Clock, FollowedClock, SystemClock, ThreadRuntime
from mats.runtime import events as happened
from mats.settings import JsonValue, Settings, SettingsError, load_settings
from mats.store.connection import lmdb_uri
from mats.store.journal import Journal
from mats.store.journal_schema import JournalError
from mats.store.lock import DataLock, LockHeldError
from mats.strategy.errors import StrategyError
from mats.strategy.record import read_records
from mats.summary import Summary

STOP_SECONDS = 6.0
PART_SECONDS = 3.0
SCREEN_SECONDS = 0.5
CANNOT_GO_ON, GAVE_UP = 2, 1

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


class CannotStart(Exception):
    """Why the daemon cannot go on: one sentence with the mend."""


def main() -> None:
    """The console script. Faults of use are one sentence on standard error, without a traceback."""
    try:
        app()
    except (CannotStart, SettingsError, StrategyError, GatewayError, LockHeldError, JournalError) as error:
        print(f"mats: {error}", file=sys.stderr)
        sys.exit(CANNOT_GO_ON)


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
    overrides = _overrides(data_dir, seed, replay, bar_seconds)
    settings = load_settings(config or default_config(), overrides)
    sys.exit(run_daemon(settings, for_, as_json=json))


@app.command()
def gateway(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one")] = 4002,
    seed: Annotated[int, typer.Option(help="seed of the random market")] = 1,
    state: Annotated[Path | None, typer.Option(help="file that its account survives in; none: memory")] = None,
    replay: Annotated[Path | None, typer.Option(help="folder of bar files to replay")] = None,
    bar_seconds: Annotated[float, typer.Option(help="wall seconds that one stored minute takes")] = 1.0,
    hold_seconds: Annotated[float, typer.Option(help="a replay begins so long after the last new subscription")] = 0.5,
    accounts: Annotated[str, typer.Option(help="comma-separated accounts")] = "DU1000001",
    instruments: Annotated[Path | None, typer.Option(help="TOML file with more instruments")] = None,
    with_parent: Annotated[int | None, typer.Option(help="end when this process has gone")] = None,
) -> None:
    """Run the paper gateway alone: a TCP server that speaks the TWS API protocol."""
    serve(
        port=port,
        seed=seed,
        state=state,
        replay=replay,
        bar_seconds=bar_seconds,
        hold_seconds=hold_seconds,
        accounts=tuple(accounts.split(",")),
        instruments=instruments,
        with_parent=with_parent,
    )


def default_config() -> Path:
    """The settings that ship with the program."""
    beside = Path(__file__).resolve().parent
    return next((p for p in (beside / "config/mats.toml", beside / "mats/config/mats.toml") if p.is_file()), beside)


def run_daemon(settings: Settings, seconds: float | None, *, as_json: bool) -> int:
    """Start, watch, stop in order; the exit code. Raises the errors that `main` turns into a sentence."""
    seeds = read_records(settings.strategies.seed_file)
    with DataLock(settings.data_dir):
        on_screen = sys.stdout.isatty() and not as_json
        configure_logging(settings.log_level, settings.data_dir / "logs" / "mats.log", to_stderr=not on_screen)
        journal_path = settings.data_dir / "journal.db"
        journal = Journal(journal_path)
        boot = journal.open_boot()
        journal.close()
        clock: Clock = FollowedClock() if settings.embedded.replay and not settings.gateway.host else SystemClock()
        runtime = ThreadRuntime(seed=settings.embedded.seed, clock=clock, name="mats")
        runtime.on_event.append(_log_event)
        names = Names(runtime)
        port = settings.gateway.port if settings.gateway.host else free_port()
        plan = Plan(
            journal=journal_path,
            rejects=settings.data_dir / "rejects.jsonl",
            store_uri=settings.store.uri or lmdb_uri(settings.data_dir / "arctic"),
            timing=timing(settings, port),
            gateway=None if settings.gateway.host else gateway_command(settings, port),
            limits=Limits(**settings.risk.model_dump()),
            base_currency=settings.portfolio.base_currency,
            live_accounts=settings.gateway.live_accounts,
            reconcile_every=settings.portfolio.reconcile_every,
            grace=settings.portfolio.grace,
            allow_leverage=settings.portfolio.allow_leverage,
            seeds=seeds,
            strategy_folder=settings.strategies.folder,
            intent_prefix=f"{boot.tag}{boot.number}",
        )
        operator = Operator(runtime, names, journal_path)
        stop = _stop_on_signals()
        runtime.start(build(plan, names))
        try:
            _await_start(operator, runtime, settings)
            _watch(operator, runtime, stop, seconds, on_screen=on_screen)
        finally:
            summary = _wind_down(operator, runtime)
    _print(summary, as_json=as_json)
    return GAVE_UP if runtime.escalated.is_set() else 0


def _await_start(operator: Operator, runtime: ThreadRuntime, settings: Settings) -> None:
    """Until the broker has answered once and a strategy can run; or why that will not happen."""
    if not operator.wait_for_broker(settings.gateway.startup_timeout):
        master = next((actor for actor in runtime.status() if actor.name == "brokers/ib-0"), None)
        gateway = next((actor for actor in runtime.status() if actor.name == "brokers/gateway"), None)
        failures = [actor.last_failure for actor in (gateway, master) if actor is not None and actor.last_failure]
        why = failures[0] if failures else "it has not answered completely"
        raise CannotStart(
            f"no connection to the gateway within {settings.gateway.startup_timeout:g} s: {why}; "
            "start the gateway, or correct gateway.host and gateway.port"
        )
    table = operator.wait_for_strategies(settings.gateway.startup_timeout)
    if table is None:
        raise CannotStart("the strategy table could not be read from the store; the log says why")
    active = [record.name for record in table.records if record.active]
    if active and all(name in table.faults for name in active):
        raise CannotStart(f"no strategy can run: {table.faults[active[0]]}")
    for fault in table.faults.values():
        print(f"mats: {fault}", file=sys.stderr)


def _watch(
    operator: Operator, runtime: ThreadRuntime, stop: threading.Event, seconds: float | None, *, on_screen: bool
) -> None:
    """Until somebody stops it, its time is over, or the root supervisor gives up."""
    begun = runtime.monotonic()
    left: Callable[[], float | None] = lambda: None if seconds is None else begun + seconds - runtime.monotonic()  # noqa: E731
    console = Console()
    live = Live(console=console, screen=True, auto_refresh=False) if on_screen else None
    if live:
        live.start()
    try:
        while not stop.is_set() and not runtime.escalated.is_set():
            remaining = left()
            if remaining is not None and remaining <= 0:
                return
            if live:
                live.update(draw(operator.view(), runtime.clock.now(), "MATS"), refresh=True)
            stop.wait(SCREEN_SECONDS if remaining is None else min(SCREEN_SECONDS, remaining))
    finally:
        if live:
            live.stop()


def _wind_down(operator: Operator, runtime: ThreadRuntime) -> Summary:
    """Strategies first, then what they caused, then a last look at the broker, then everybody else."""
    operator.stop_strategies(PART_SECONDS)
    summary = operator.summary()
    report = runtime.stop(STOP_SECONDS)
    return msgspec.structs.replace(summary, abandoned=tuple(actor.name for actor in report.abandoned))


def _print(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(summary).decode(), flush=True)
        return
    known = {name: "unknown" if value is None else value for name, value in msgspec.structs.asdict(summary).items()}
    print(
        "orders {orders}   fills {fills}   stored {fills_stored}   at the gateway {gateway_executions}   "
        "breaks {breaks}   dead letters {dead_letters}   restarts {restarts}".format(**known)
    )
    for line in summary.positions:
        held = "  ".join(f"{name} {quantity}" for name, quantity in line.strategies.items())
        broker = "unknown" if line.broker is None else line.broker
        sign = "=" if line.agrees else "≠"
        print(f"{line.account} {line.symbol}: {held}  Discretionary {line.discretionary}  {sign}  broker {broker}")
    for name, reason in summary.parked.items():
        print(f"parked {name}: {reason}")
    for name in summary.abandoned:
        print(f"{name} did not end in time and was abandoned")


def timing(settings: Settings, port: int) -> Timing:
    """Where the gateway is and how long it may take."""
    gateway = settings.gateway
    return Timing(
        host=gateway.host or "127.0.0.1",
        port=port,
        connect_timeout=gateway.connect_timeout,
        replay_timeout=gateway.replay_timeout,
        heartbeat=gateway.heartbeat,
    )


def gateway_command(settings: Settings, port: int) -> GatewayCommand:
    """This program again, as the paper gateway."""
    embedded = settings.embedded
    arguments = ["gateway", "--port", str(port), "--seed", str(embedded.seed), "--with-parent", str(os.getpid())]
    arguments += ["--state", str(settings.data_dir / "gateway.db"), "--accounts", ",".join(embedded.accounts)]
    if embedded.replay:
        arguments += ["--replay", str(embedded.replay), "--bar-seconds", str(embedded.bar_seconds)]
    if embedded.instruments:
        arguments += ["--instruments", str(embedded.instruments)]
    return GatewayCommand(
        arguments=(str(Path(__file__).resolve()), *arguments), log=settings.data_dir / "logs" / "gateway.log"
    )


def free_port() -> int:
    """A port on this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _overrides(
    data_dir: Path | None, seed: int | None, replay: Path | None, bar_seconds: float | None
) -> dict[str, JsonValue]:
    """The command line as the settings file would say it."""
    embedded: dict[str, JsonValue] = {}
    if seed is not None:
        embedded["seed"] = seed
    if replay is not None:
        embedded["replay"] = str(replay)
    if bar_seconds is not None:
        embedded["bar_seconds"] = bar_seconds
    overrides: dict[str, JsonValue] = {"embedded": embedded} if embedded else {}
    return overrides | ({"data_dir": str(data_dir)} if data_dir is not None else {})


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    return stop


def _log_event(event: happened.Event) -> None:
    """Supervision on the record: what failed as an error, what came back as information."""
    log = structlog.get_logger(name="supervision")
    if isinstance(event, happened.ChildFailed):
        return  # the runtime has written it down where it happened
    serious = happened.ChildParked | happened.Abandoned | happened.Escalated
    say = log.error if isinstance(event, serious) else log.info
    say(
        type(event).__name__,
        **{k: v for k, v in msgspec.structs.asdict(event).items() if k != "name"},
        actor=event.name,
    )


if __name__ == "__main__":
    main()
