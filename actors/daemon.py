"""The daemon from start to stop: the only file that brings `actors` and all of `mats` together."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import msgspec
import structlog
from rich.console import Console
from rich.live import Live

from actors.commands import Commands
from actors.gateway_process import GatewayCommand, GatewayUnusable
from actors.ib_connection import Timing
from actors.last_look import LastLook
from actors.messages.strategy_manager import StrategyTable
from actors.names import Names
from actors.operator import Operator
from actors.operator_port import OperatorPort
from actors.report import report
from actors.screen import draw
from actors.tree import Plan, build
from mats.errors import UserError
from mats.logs import configure_logging
from mats.risk.limits import Limits
from mats.runtime import Clock, FollowedClock, SystemClock, ThreadRuntime
from mats.runtime import events as happened
from mats.settings import Settings
from mats.store.connection import connect, store_uri
from mats.store.journal import Journal
from mats.store.lock import data_directory
from mats.strategy.record import StrategyRecord, read_records
from mats.summary import Summary

STOP_SECONDS = 6.0
PART_SECONDS = 3.0
SCREEN_SECONDS = 0.5
PIPE_WIDTH = 120
PROGRAM = Path(__file__).resolve().parents[1] / "run.py"
GAVE_UP = 1


class CannotStart(UserError):
    """Why the daemon cannot go on: each argument is one sentence with the mend."""


class StopAsked(Exception):
    """Somebody wants the daemon to stop that has not started yet."""


def run_daemon(settings: Settings, seconds: float | None, *, as_json: bool) -> int:
    """Start, watch, stop in order; the exit code. Raises the errors that `main` turns into a sentence."""
    stop = _stop_on_signals()
    seeds = read_records(settings.strategies.seed_file)
    with data_directory(settings.data_dir):
        on_screen = sys.stdout.isatty() and not as_json
        configure_logging(settings.log_level, settings.data_dir / "logs" / "mats.log", to_stderr=not on_screen)
        clock: Clock = FollowedClock() if settings.embedded.replay and not settings.gateway.host else SystemClock()
        runtime = ThreadRuntime(seed=settings.embedded.seed, clock=clock, name="mats")
        runtime.on_event.append(_log_event)
        names = Names(runtime)
        plan = make_plan(settings, seeds)
        connect(plan.store_uri)  # so that an address of no use is told now, and not by an actor that fails
        operator = Operator(runtime, names)
        runtime.start(build(plan, names))
        commands = Commands(runtime, names, operator, plan.journal)
        try:
            with (
                OperatorPort(settings.data_dir, commands.answer),
                _screen(operator, runtime, on_screen=on_screen) as refresh,
                contextlib.suppress(StopAsked),
            ):
                table = _await_start(operator, runtime, settings, _meanwhile(runtime, stop, refresh))
                _tell_faults(table)
                _watch(runtime, stop, seconds, refresh)
        except BaseException:
            runtime.stop(STOP_SECONDS)
            raise
        summary = _wind_down(operator, runtime, LastLook(runtime, names, operator, plan.journal))
    if as_json:
        print(msgspec.json.encode(summary).decode(), flush=True)
    else:
        Console(width=None if on_screen else PIPE_WIDTH, highlight=False).print(report(summary))
    if runtime.escalated.is_set():
        print(f"mats: {_escalation(runtime, settings)}", file=sys.stderr)
        return GAVE_UP
    return 0


def make_plan(settings: Settings, seeds: tuple[StrategyRecord, ...]) -> Plan:
    """What the tree is built from. Counts one more start in the journal."""
    data_dir = settings.data_dir
    journal = Journal(data_dir / "journal.db")
    boot = journal.open_boot()
    journal.close()
    port = settings.gateway.port if settings.gateway.host else free_port()
    return Plan(
        journal=data_dir / "journal.db",
        rejects=data_dir / "rejects.jsonl",
        store_uri=store_uri(settings.store.uri, settings.data_dir),
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
        keep_days=settings.store.keep_days,
        intent_prefix=f"{boot.tag}{boot.number}",
    )


def _meanwhile(runtime: ThreadRuntime, stop: threading.Event, refresh: Callable[[], None]) -> Callable[[], None]:
    """What happens while the start waits: the screen is drawn, and what makes waiting useless ends it."""

    def look() -> None:
        refresh()
        if stop.is_set():
            raise StopAsked
        name, _, reason = _last_failure(runtime, "brokers/gateway").partition(": ")
        if name == GatewayUnusable.__name__:
            raise CannotStart(reason)

    return look


def _await_start(
    operator: Operator, runtime: ThreadRuntime, settings: Settings, meanwhile: Callable[[], None]
) -> StrategyTable:
    """Until the broker has answered once and a strategy can run; or why that will not happen."""
    patience = settings.gateway.startup_timeout
    answered = operator.wait_for_broker(patience, meanwhile)
    table = operator.wait_for_strategies(patience, meanwhile) if answered else None
    if runtime.escalated.is_set():
        raise CannotStart(_escalation(runtime, settings))
    if not answered:
        failures = (_last_failure(runtime, name) for name in ("brokers/gateway", "brokers/ib-0"))
        silent = "it has not answered completely; start the gateway, or correct gateway.host and gateway.port"
        why = next((text.partition(": ")[2] for text in failures if text), silent)
        raise CannotStart(f"no connection to the gateway within {patience:g} s: {why}")
    if table is None:
        raise CannotStart(f"the store did not hand out the strategy table within {patience:g} s; the log says why")
    active = [record.name for record in table.records if record.active]
    if active and all(name in table.faults for name in active):
        raise CannotStart(
            *dict.fromkeys(table.faults.values()),
            "no strategy can run; mend a file, or the table with `mats strategies --load FILE`",
        )
    return table


def _tell_faults(table: StrategyTable) -> None:
    """Each fault once; and that there is nothing to run, where the table is empty."""
    for fault in dict.fromkeys(table.faults.values()):
        print(f"mats: {fault}", file=sys.stderr)
    if not any(record.active for record in table.records):
        print("mats: no strategy is active; add one with `mats strategies --load FILE` to trade", file=sys.stderr)


def _last_failure(runtime: ThreadRuntime, name: str) -> str:
    return next((actor.last_failure for actor in runtime.status() if actor.name == name), "")


def _escalation(runtime: ThreadRuntime, settings: Settings) -> str:
    log = settings.data_dir / "logs" / "mats.log"
    return f"a part that everything else needs failed again and again: {runtime.escalation}; {log} says more"


@contextlib.contextmanager
def _screen(operator: Operator, runtime: ThreadRuntime, *, on_screen: bool) -> Iterator[Callable[[], None]]:
    """Hands out what draws the live table; without a terminal that does nothing."""
    if not on_screen:
        yield lambda: None
        return
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield lambda: live.update(draw(operator.view(), runtime.clock.now(), console.height), refresh=True)


def _watch(runtime: ThreadRuntime, stop: threading.Event, seconds: float | None, refresh: Callable[[], None]) -> None:
    """Until somebody stops it, its time is over, or the root supervisor gives up."""
    end = None if seconds is None else runtime.monotonic() + seconds
    while not stop.is_set() and not runtime.escalated.is_set():
        left = SCREEN_SECONDS if end is None else end - runtime.monotonic()
        if left <= 0:
            return
        refresh()
        stop.wait(min(SCREEN_SECONDS, left))


def _wind_down(operator: Operator, runtime: ThreadRuntime, last_look: LastLook) -> Summary:
    """Strategies first, then what they caused, then a last look at the broker, then everybody else."""
    operator.stop_strategies(PART_SECONDS)
    summary = last_look.summary()
    stopped = runtime.stop(STOP_SECONDS)
    return msgspec.structs.replace(summary, abandoned=tuple(actor.name for actor in stopped.abandoned))


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
    return GatewayCommand(arguments=(str(PROGRAM), *arguments), log=settings.data_dir / "logs" / "gateway.log")


def free_port() -> int:
    """A port on this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
