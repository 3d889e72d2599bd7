"""How fast messages travel, next to stock pykka in the same run. Run it: `python tests/benchmarks/bench_runtime.py`."""

import statistics
import threading
import time
from collections.abc import Callable

import msgspec
import pykka
from rich.console import Console
from rich.table import Table

from mats.runtime import Actor, MailboxSpec, Ref, Runtime, ThreadRuntime, VirtualRuntime

MESSAGES = 50_000
ASKS = 3_000
ROUNDS = 5
HOPS = 3


class Tick(msgspec.Struct, frozen=True, gc=False):
    """A small message."""

    n: int


class StockSink(pykka.ThreadingActor):
    """Counts on stock pykka; tells the next one what it got."""

    def __init__(self, goal: int, done: threading.Event, following: "pykka.ActorRef[StockSink] | None" = None) -> None:
        super().__init__()
        self.goal, self.done, self.following, self.count = goal, done, following, 0

    def on_receive(self, message: Tick) -> None:
        self.count += 1
        if self.following is not None:
            self.following.tell(message)
        elif self.count == self.goal:
            self.done.set()


class Sink(Actor[Tick]):
    """The same on this runtime."""

    mailbox = MailboxSpec(capacity=1_000_000)

    class Args(msgspec.Struct, frozen=True):
        goal: int
        done: threading.Event
        following: Ref[Tick] | None = None

    def __init__(self, args: Args) -> None:
        self.goal, self.done, self.following, self.count = args.goal, args.done, args.following, 0

    def on_receive(self, message: Tick) -> None:
        self.count += 1
        if self.following is not None:
            self.following.tell(message)
        elif self.count == self.goal:
            self.done.set()


class LoopSink(Sink):
    host = "loop"


class StockEcho(pykka.ThreadingActor):
    def on_receive(self, message: object) -> object:
        return message


class Echo(Actor[int]):
    def on_receive(self, message: int) -> object:
        return message


class LoopEcho(Echo):
    host = "loop"


def stock_tells() -> float:
    """Messages per second through one stock actor."""
    done = threading.Event()
    ref = StockSink.start(MESSAGES, done)
    began = time.perf_counter()
    for n in range(MESSAGES):
        ref.tell(Tick(n))
    done.wait()
    rate = MESSAGES / (time.perf_counter() - began)
    ref.stop()
    return rate


def tells(make: Callable[[], Runtime], sink: type[Sink], hops: int = 1) -> float:
    """Messages handled per second through a chain of `hops` actors."""
    runtime, done = make(), threading.Event()
    ref = runtime.spawn(sink, Sink.Args(MESSAGES, done), name="sink-0")
    for hop in range(1, hops):
        ref = runtime.spawn(sink, Sink.Args(MESSAGES, done, ref), name=f"sink-{hop}")
    if isinstance(runtime, VirtualRuntime):
        runtime.run_until_idle()
    began = time.perf_counter()
    for n in range(MESSAGES):
        ref.tell(Tick(n))
    if isinstance(runtime, VirtualRuntime):
        runtime.run_until_idle()
    done.wait()
    rate = hops * MESSAGES / (time.perf_counter() - began)
    runtime.stop()
    return rate


def stock_asks() -> list[float]:
    """Microseconds of each round trip to a stock actor."""
    ref = StockEcho.start()
    took = _time_asks(lambda n: ref.ask(n, timeout=5))
    ref.stop()
    return took


def asks(make: Callable[[], Runtime], echo: type[Actor]) -> list[float]:
    """Microseconds of each round trip."""
    runtime = make()
    ref = runtime.spawn(echo, name="echo")
    took = _time_asks(lambda n: ref.ask(n, timeout=5))
    runtime.stop()
    return took


def _time_asks(ask: Callable[[int], object]) -> list[float]:
    took = []
    for n in range(ASKS):
        began = time.perf_counter()
        ask(n)
        took.append((time.perf_counter() - began) * 1e6)
    return took


def tell_rates() -> dict[str, list[float]]:
    """Rounds are interleaved, so that a busy moment of the machine hits all variants."""
    variants: dict[str, Callable[[], float]] = {
        "stock pykka": stock_tells,
        "thread": lambda: tells(ThreadRuntime, Sink),
        "loop": lambda: tells(ThreadRuntime, LoopSink),
        "virtual, in order": lambda: tells(VirtualRuntime, Sink),
        "virtual, in order, 3 hops": lambda: tells(VirtualRuntime, Sink, HOPS),
        "virtual, seeded, 3 hops": lambda: tells(lambda: VirtualRuntime(seed=1), Sink, HOPS),
    }
    rates: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, measure in variants.items():
            rates[name].append(measure())
    return rates


def ask_times() -> dict[str, list[float]]:
    variants: dict[str, Callable[[], list[float]]] = {
        "stock pykka": stock_asks,
        "thread": lambda: asks(ThreadRuntime, Echo),
        "loop": lambda: asks(ThreadRuntime, LoopEcho),
        "virtual": lambda: asks(VirtualRuntime, Echo),
    }
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, measure in variants.items():
            times[name].extend(measure())
    return times


def main() -> None:
    """Print both tables."""
    table = Table("tell", "messages/s, median", "min", "max", "x stock", title="Runtime: messages handled")
    rates = tell_rates()
    stock = statistics.median(rates["stock pykka"])
    for name, values in rates.items():
        middle = statistics.median(values)
        table.add_row(name, f"{middle:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}", f"{middle / stock:.2f}")
    trips = Table("ask", "p50 us", "p99 us", "p50 x stock", title="Runtime: round trips")
    times = ask_times()
    stock = statistics.median(times["stock pykka"])
    for name, values in times.items():
        middle, tail = statistics.median(values), statistics.quantiles(values, n=100)[98]
        trips.add_row(name, f"{middle:.1f}", f"{tail:.1f}", f"{middle / stock:.2f}")
    Console().print(table, trips)


if __name__ == "__main__":
    main()
