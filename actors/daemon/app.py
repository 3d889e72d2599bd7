"""The daemon from start to stop: the only file that brings `actors` and all of `mats` together."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import msgspec
from rich.console import Console
from rich.live import Live

from actors.base import Refs
from actors.daemon.event_log import DeadLetterLog, log_event
from actors.daemon.instruments import fill_registry
from actors.daemon.lineage import join_store
from actors.daemon.plan import make_plan
from actors.daemon.shutdown_summary import ShutdownSummary
from actors.daemon.startup import Startup, StopRequested, escalation, print_faults
from actors.operator import Commands, ControlSocket, Operator
from actors.screen import draw, report
from actors.strategy import StrategyActor
from actors.tree import build
from mats.errors import say
from mats.logging_setup import configure_logging
from mats.model import read_records
from mats.operator import RunSummary
from mats.runtime import Clock, FollowedClock, SystemClock, ThreadRuntime
from mats.sessions import load_usual
from mats.settings import Settings
from mats.store import DataLock, data_directory, moved
from mats.store.isolation import isolated_store
from mats.store.journal import refused_where_damaged, require_whole_log
from mats.store.tables import StoreAddressError, StoreUnreachableError, connect

STOP_SECONDS = 12.0
STRATEGY_STOP_SECONDS = 3.0
SCREEN_SECONDS = 0.5
PIPE_WIDTH = 120
GAVE_UP = 1


def run_daemon(settings: Settings, seconds: float | None, *, as_json: bool) -> int:
    """Start, watch, stop in order; the exit code. Raises the errors that `main` turns into a sentence."""
    stop = _stop_on_signals()
    seeds = read_records(settings.strategies.seed_file)
    with data_directory(settings.data_dir) as lock, contextlib.ExitStack() as stack:
        on_screen = sys.stdout.isatty() and not as_json
        clock: Clock = FollowedClock() if settings.paper_gateway.replay and not settings.gateway.host else SystemClock()
        file = settings.data_dir / "logs" / "mats.log"
        repeats = configure_logging(settings.log_level, file, clock.monotonic, to_stderr=not on_screen)
        stack.callback(repeats.close)
        runtime = ThreadRuntime(seed=settings.paper_gateway.seed, clock=clock, name="mats")
        runtime.on_event.append(log_event)
        runtime.dead_letters.subscribe(DeadLetterLog())
        refs = Refs.of(runtime)
        with refused_where_damaged(settings.data_dir / "journal.db"):
            plan = make_plan(settings, seeds)
        if plan.strategy_host == "process":
            runtime.prepare_processes(StrategyActor)
        load_usual(clock.now())  # beside the server of processes, which does the same; no connection waits for it
        _check_store_address(plan.store_uri)
        with refused_where_damaged(plan.journal):
            require_whole_log(plan.journal)
            join_store(plan, stack.enter_context(isolated_store(plan.store_uri)))
            fill_registry(plan, settings.instruments.file)
        operator = Operator(runtime, refs)
        tell = (lambda _: None) if on_screen else say
        runtime.start(build(plan, refs))
        commands = Commands(runtime, refs, operator, plan.journal)
        try:
            with (
                ControlSocket(settings.data_dir, commands.answer),
                _screen(operator, runtime, on_screen=on_screen) as refresh,
                contextlib.suppress(StopRequested),
            ):
                print_faults(Startup(runtime, operator, settings, stop, tell).wait(refresh))
                _watch(runtime, stop, seconds, lock, (refresh, repeats.poll))
            if not lock.is_in_place():
                operator.stop_strategies(STRATEGY_STOP_SECONDS)
                raise moved(lock.directory)
        except BaseException:
            runtime.stop(STOP_SECONDS)
            raise
        summary = _wind_down(operator, runtime, ShutdownSummary(runtime, refs, operator, plan.journal))
    if as_json:
        print(msgspec.json.encode(summary).decode(), flush=True)
    else:
        Console(width=None if on_screen else PIPE_WIDTH, highlight=False).print(report(summary))
    if runtime.escalated.is_set():
        say(escalation(runtime, settings))
        return GAVE_UP
    return 0


def _check_store_address(uri: str) -> None:
    """An invalid address is reported now; a store that is away keeps nobody from trading. Raises StoreAddressError."""
    try:
        connect(uri)
    except StoreAddressError:
        raise
    except StoreUnreachableError as error:
        say(f"{error}; trading goes on without it")


@contextlib.contextmanager
def _screen(operator: Operator, runtime: ThreadRuntime, *, on_screen: bool) -> Iterator[Callable[[], None]]:
    """Yields the function that draws the live table; without a terminal it does nothing."""
    if not on_screen:
        yield lambda: None
        return
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield lambda: live.update(draw(operator.view(), runtime.clock.now(), console.height), refresh=True)


def _watch(
    runtime: ThreadRuntime,
    stop: threading.Event,
    seconds: float | None,
    lock: DataLock,
    meanwhile: tuple[Callable[[], None], ...],
) -> None:
    """Until it is stopped, its time is over, the root supervisor gives up, or the data directory is moved away."""
    end = None if seconds is None else runtime.monotonic() + seconds
    while not stop.is_set() and not runtime.escalated.is_set() and lock.is_in_place():
        left = SCREEN_SECONDS if end is None else end - runtime.monotonic()
        if left <= 0:
            return
        for act in meanwhile:
            act()
        stop.wait(min(SCREEN_SECONDS, left))


def _wind_down(operator: Operator, runtime: ThreadRuntime, summary: ShutdownSummary) -> RunSummary:
    """Strategies first, then their orders and fills, then the summary, then all other actors."""
    operator.stop_strategies(STRATEGY_STOP_SECONDS)
    taken = summary.take()
    stopped = runtime.stop(STOP_SECONDS)
    return msgspec.structs.replace(taken, abandoned=tuple(actor.name for actor in stopped.abandoned))


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    return stop
