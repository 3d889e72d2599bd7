"""What a strategy costs on a thread and in a process of its own: start, memory, CPU while idle and per bar, latency.

    python tests/benchmarks/bench_hosts.py [strategies] [seconds]

Each kind runs in a fresh Python process. The strategies are real actors with a real file; what they talk to only takes
note. Memory is proportional (PSS: shared pages are divided among those who share them), of all processes together.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from decimal import Decimal
from pathlib import Path

import msgspec
import structlog
from rich.console import Console
from rich.table import Table

from actors.messages.market_data import BarArrived
from actors.messages.order_manager import WorkingOrders
from actors.messages.portfolio_manager import BookState
from actors.messages.strategy import StrategyStarted
from actors.messages.subscription import Snapshot, Version
from actors.strategy import StrategyActor
from mats.model import SECOND, Bar, StrategyRecord
from mats.runtime import OwnProcess, Ref, ThreadRuntime
from mats.runtime.testing import Probe

FILE = '''
from mats.strategy import Bar, Strategy


class Plain(Strategy):
    """Wants the other side at every bar."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        bar_seconds: int = 5

    params: Params

    def on_start(self) -> None:
        self.side = 1

    def on_bar(self, bar: Bar) -> None:
        self.side = -self.side
        self.signal(bar.instrument, self.side / 10)
'''
ROUNDS = 300
TICKS = os.sysconf("SC_CLK_TCK")


class Figures(msgspec.Struct):
    """Seconds, MiB, percent of one core, microseconds."""

    first: float
    each: float
    daemon_mib: float
    more_mib: float
    private_mib: float
    idle: float
    bar_cpu: float
    latency: float
    latency_95: float


def measure(host: str, count: int, seconds: float) -> Figures:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "plain.py").write_text(FILE)
        runtime = ThreadRuntime()
        world = World(runtime, Path(folder), OwnProcess() if host == "process" else None)
        before = memory([os.getpid()])
        begun = time.perf_counter()
        world.start("s0")
        first = time.perf_counter() - begun
        for number in range(1, count):
            world.start(f"s{number}")
        each = (time.perf_counter() - begun - first) / max(1, count - 1)
        pids = family()
        after, own = memory(pids), memory([os.getpid()])
        private = statistics.mean([rollup(pid, "Private") for pid in pids[2:]]) if len(pids) > 2 else 0.0
        idle = cpu_share(seconds)
        bar_cpu, latencies = world.bars()
        runtime.stop()
    return Figures(
        first=first,
        each=each,
        daemon_mib=own,
        more_mib=(after - before) / count,
        private_mib=private,
        idle=100 * idle,
        bar_cpu=bar_cpu * 1e6,
        latency=statistics.median(latencies) * 1e6,
        latency_95=statistics.quantiles(latencies, n=20)[-1] * 1e6,
    )


class World:
    """The strategies, and one probe for everybody they talk to."""

    def __init__(self, runtime: ThreadRuntime, folder: Path, process: OwnProcess | None) -> None:
        self._runtime, self._folder, self._process = runtime, folder, process
        self._probe: Probe = runtime.probe("all")
        self._risk: Probe = runtime.probe("risk")
        self._strategies: list[Ref[object]] = []

    def start(self, name: str) -> None:
        """One more, until it says that it runs."""
        everybody = self._probe.ref
        args = StrategyActor.Args(
            record=StrategyRecord(name=name, file="plain.py", class_name="Plain"), folder=self._folder,
            intent_prefix="b", market_data=everybody, risk=self._risk.ref, orders=everybody, portfolio=everybody,
            manager=everybody,
        )  # fmt: skip
        self._runtime.launch(f"strategies/{name}", StrategyActor, args, process=self._process)
        ref: Ref[object] = self._runtime.slot(f"strategies/{name}").ref
        ref.tell(Snapshot("book", Version(1, 0), BookState(positions=(), equity=Decimal(1000), seq=0)))
        ref.tell(Snapshot("orders", Version(1, 0), WorkingOrders(())))
        self._probe.fish(lambda message: isinstance(message, StrategyStarted))
        self._strategies.append(ref)

    def bars(self) -> tuple[float, list[float]]:
        """CPU seconds of all processes for a bar and its signal; and from the bar to the signal, by the clock."""
        latencies = list[float]()
        before = cpu()
        for number in range(ROUNDS):
            strategy = self._strategies[number % len(self._strategies)]
            start = (number + 1) * 5 * SECOND
            bar = Bar(instrument="SPY", start=start, seconds=5, open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0)
            begun = time.perf_counter()
            strategy.tell(BarArrived(bar))
            self._risk.receive(1)
            latencies.append(time.perf_counter() - begun)
        return (cpu() - before) / ROUNDS, latencies


def family() -> list[int]:
    """This process, its server of processes, and the processes of that."""
    pids, fresh = [os.getpid()], [os.getpid()]
    while fresh:
        children = Path(f"/proc/{fresh.pop(0)}/task").glob("*/children")
        found = [int(pid) for file in children for pid in file.read_text().split()]
        pids += found
        fresh += found
    return pids


def memory(pids: list[int]) -> float:
    return sum(rollup(pid, "Pss:") for pid in pids)


def rollup(pid: int, field: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def cpu() -> float:
    """CPU seconds of the family so far."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in family()]
    return sum(int(field[11]) + int(field[12]) for field in fields) / TICKS


def cpu_share(seconds: float) -> float:
    before = cpu()
    threading.Event().wait(seconds)
    return (cpu() - before) / seconds


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    table = Table(title=f"{count} strategies, idle for {seconds:g} s; load of the machine {os.getloadavg()[0]:.1f}")
    rows = {
        "start of the first, s": "first",
        "start of each next, s": "each",
        "memory of the daemon, MiB": "daemon_mib",
        "memory for each strategy, MiB": "more_mib",
        "  of it private, MiB": "private_mib",
        "idle, % of a core for all": "idle",
        "CPU for a bar and its signal, us": "bar_cpu",
        "bar to signal, median us": "latency",
        "bar to signal, 95 % us": "latency_95",
    }
    figures = {}
    for host in ("thread", "process"):
        command = [sys.executable, __file__, "--one", host, str(count), str(seconds)]
        output = subprocess.run(command, check=True, capture_output=True).stdout
        figures[host] = msgspec.json.decode(output, type=Figures)
    for column in ("", *figures):
        table.add_column(column, justify="right" if column else "left")
    for title, field in rows.items():
        table.add_row(title, *(f"{getattr(figures[host], field):,.3g}" for host in figures))
    Console().print(table)


if __name__ == "__main__":
    if "--one" in sys.argv:
        _, _, host, count, seconds = sys.argv
        sys.stdout.buffer.write(msgspec.json.encode(measure(host, int(count), float(seconds))))
    else:
        main()
