"""The plan of a seed: how a world is set up, and each fault that will strike it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import msgspec

import actors
from tests.simulation import faults as f

ACTORS = Path(actors.__file__).parent
STAGES = ("orders", "risk", "portfolio", "store")
FOR_EVER = 30.0
"""Days that the journal keeps entries: longer than any run."""
MOST_POWER_LOSSES = 4


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds` of trouble, `latency` in seconds each way, and for how many days the journal keeps stored entries."""

    strategies: int = 2
    seconds: int = 20
    latency: float = 0.01
    keep_days: float = FOR_EVER
    faults: tuple[f.AnyFault, ...] = ()

    def has(self, *kinds: type[f.Fault]) -> bool:
        """Whether a fault of one of these kinds is planned."""
        return any(isinstance(fault, kinds) for fault in self.faults)


def chaos_points() -> tuple[str, ...]:
    """Every point named in the actors and the store; those of the stages stand there once for all.

    The store, which commits in groups, has points of its own.
    """
    roots = (ACTORS, ACTORS.parent / "mats" / "store")
    texts = (file.read_text() for root in roots for file in sorted(root.rglob("*.py")))
    named = {name for text in texts for name in re.findall(r'chaos\.point\(f?"(.+?)"\)', text)}
    plain = {name for name in named if "{" not in name}
    of_stages = {name.replace("{self.stage}", stage) for name in named if "{" in name for stage in STAGES[:-1]}
    return tuple(sorted(plain | of_stages))


POINTS = chaos_points()
CORE = ("core/fill-log", "core/orders", "core/risk", "core/portfolio", "store/writer")
OTHERS = ("brokers/ib-0", "brokers/ib-99", "brokers/ib-1", "brokers/pool", "brokers/market-data", "strategies/s1",
          "strategy-manager")  # fmt: skip
HANGING = (*CORE, *CORE[-2:], "core/portfolio", "core/portfolio", "brokers/ib-0", "brokers/ib-1", "strategies/s1")
CLIENTS = (0, 1, 1, 2, 99)


def drawn(seed: int) -> Plan:
    """The plan of a seed. Seeds differ in kind, not only in detail: most have few kinds of trouble."""
    draw = Random(f"plan/{seed}")
    strategies, seconds = draw.randint(1, 3), draw.choice((20, 20, 40))
    kinds = draw.sample(_KINDS, draw.choice((1, 2, 3, 5, 8)))
    struck = [fault for kind in kinds for fault in kind(draw, seconds)]
    power = [fault for fault in struck if isinstance(fault, f.PowerLoss)][:MOST_POWER_LOSSES]
    others = [fault for fault in struck if not isinstance(fault, f.PowerLoss)]
    return Plan(
        strategies=strategies,
        seconds=seconds,
        latency=draw.choice((0.0, 0.01, 0.3)),
        keep_days=draw.choice((FOR_EVER, FOR_EVER, 5.0 / 86_400)),
        faults=tuple(sorted([*power, *others], key=lambda fault: (fault.at, fault.steps))),
    )


def _times(draw: Random, seconds: int, counts: tuple[int, ...]) -> Iterator[tuple[float, int]]:
    """When each of so many faults strikes: a time, and steps beyond it."""
    for _ in range(draw.choice(counts)):
        yield round(draw.uniform(1.0, seconds), 2), draw.choice((0, 5, 40))


def _crashes(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 4, 15, 40)):
        yield f.Crash(at=at, steps=steps, point=draw.choice(POINTS), skip=draw.choice((0, 0, 1, 3)))


def _kills(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 2, 6)):
        kill = f.Kill(at=at, steps=steps, actor=draw.choice(CORE + OTHERS))
        yield kill
        if kill.actor == "core/fill-log":
            yield f.Preemption(at=max(0.0, at - 1.0), delay=1.25)


def _hangs(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 3)):
        yield f.Hang(at=at, steps=steps, actor=draw.choice(HANGING), seconds=draw.choice((0.5, 3.0, 12.0)))


def _hosts(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 2)):
        yield f.HostLoss(at=at, steps=steps, strategy=f"s{draw.randint(1, 3)}")


def _power(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 1, 3)):
        yield f.PowerLoss(at=at, steps=steps, down=draw.choice((0.0, 0.0, 5.0)))


def _noise(draw: Random, seconds: int) -> Iterator[f.Fault]:
    yield f.Noise(at=0.0, seconds=float(seconds), chance=draw.choice((0.05, 0.2)))


def _hang_ups(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 3)):
        yield f.HangUp(at=at, steps=steps, client=draw.choice(CLIENTS))


def _losses(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 3)):
        yield f.LinkLoss(at=at, steps=steps, client=draw.choice(CLIENTS), seconds=draw.choice((0.5, 3.0)))


def _delays(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, _ in _times(draw, seconds, (1, 3)):
        yield f.LinkDelay(at=at, client=draw.choice(CLIENTS), seconds=4.0, delay=draw.choice((0.2, 1.5)))


def _repeats(draw: Random, seconds: int) -> Iterator[f.Fault]:
    yield f.LinkRepeats(at=0.0, client=draw.choice(CLIENTS), seconds=float(seconds), chance=draw.choice((0.1, 0.5)))


def _reorders(draw: Random, seconds: int) -> Iterator[f.Fault]:
    yield f.LinkReorders(at=0.0, client=draw.choice(CLIENTS), seconds=float(seconds), spread=draw.choice((0.02, 0.5)))


def _degraded(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 1, 2)):
        yield f.Degraded(at=at, steps=steps, seconds=draw.choice((3.0, 12.0)))


def _cut_offs(draw: Random, seconds: int) -> Iterator[f.Fault]:
    """For long, while orders were on their way, and with restarts of those who must learn of it again."""
    at = round(draw.uniform(1.0, seconds / 2), 2)
    yield f.Preemption(at=max(0.0, at - 0.5), delay=1.25)
    yield f.Degraded(at=at, seconds=25.0)
    for _ in range(3):
        yield _within(draw, round(at + draw.uniform(2.0, 12.0), 2))


def _within(draw: Random, at: float) -> f.Fault:
    return draw.choice((f.Kill(at=at, actor="core/risk"), f.HangUp(at=at, client=0), f.HangUp(at=at, client=1)))


def _flaps(draw: Random, seconds: int) -> Iterator[f.Fault]:
    """The gateway loses its broker and finds it again, several times within a second, while orders are on their way."""
    for at, steps in _times(draw, seconds, (1, 3)):
        yield f.Preemption(at=max(0.0, at - 0.5), delay=1.25)
        for nth in range(3):
            yield f.Degraded(at=round(at + 0.3 * nth, 2), steps=steps, seconds=0.15)


def _late_arrivals(draw: Random, seconds: int) -> Iterator[f.Fault]:
    """A connection breaks while the gateway is slow to read what was sent on it."""
    for at, steps in _times(draw, seconds, (1, 3)):
        client = draw.choice((1, 2))
        yield f.LinkDelay(at=max(0.0, at - 1.5), client=client, seconds=2.0, delay=1.5)
        yield f.HangUp(at=at, steps=steps, client=client, unread=draw.choice((0.5, 2.5)))


def _gateway_clock(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 2)):
        yield f.GatewayClock(at=at, steps=steps, offset=draw.choice((-3_600.0, -2.5, 1.5, 90.0)))


def _wall_clock(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 2)):
        offset = draw.choice((-3_600.0, -30.0, -0.5, 0.5, 30.0, 3_600.0))
        yield f.WallClock(at=at, steps=steps, seconds=draw.choice((2.0, 10.0)), offset=offset)


def _store(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 2)):
        reads, writes, reason = draw.choice(
            ((True, False, "it cannot be read"), (False, True, "it cannot be written"), (False, True, "it is full"),
             (True, True, "it does not answer"))
        )  # fmt: skip
        lasting = draw.choice((1.0, 4.0, 18.0))
        yield f.StoreTrouble(at=at, steps=steps, seconds=lasting, reads=reads, writes=writes, reason=reason)


def _halts(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 2)):
        yield f.Halt(at=at, steps=steps, scope=draw.choice(("", "s1", "s2")), seconds=draw.choice((4.0, 15.0)))


def _corrections(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 3)):
        yield f.Correction(at=at, steps=steps)


def _manual(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 3)):
        yield f.ManualTrade(at=at, steps=steps, reference=draw.choice(("", "s1:elsewhere-1", "somebody")))


def _transfers(draw: Random, seconds: int) -> Iterator[f.Fault]:
    for at, steps in _times(draw, seconds, (1, 1, 2)):
        yield f.Transfer(at=at, steps=steps)
        yield f.Preemption(at=at, delay=1.25)


Kind = Callable[[Random, int], Iterator[f.Fault]]
_KINDS: tuple[Kind, ...] = (
    _crashes, _crashes, _kills, _hangs, _hosts, _power, _noise, _hang_ups, _losses, _delays, _repeats, _reorders,
    _degraded, _cut_offs, _flaps, _late_arrivals, _gateway_clock, _wall_clock, _store, _halts, _corrections, _manual,
    _transfers,
)  # fmt: skip
