"""A small world with everything in it; prints the digest of its trace. Run as a program by the determinism test."""

import asyncio
import logging
import sys

import msgspec
import structlog

from mats.runtime import Actor, Backoff, ChildSpec, Limit, Ref, SupervisorSpec, VirtualRuntime
from mats.runtime.testing import ChaosPlan, chaos


class Gossip(Actor[object]):
    """Tells somebody drawn at random, now or later, and sometimes crashes."""

    class Args(msgspec.Struct, frozen=True):
        names: tuple[str, ...]

    def __init__(self, args: Args) -> None:
        self.names = args.names

    def on_start(self) -> None:
        self.every(1 + self.random.random(), "tick")

    def someone(self) -> Ref[object]:
        return self.runtime.ref(self.random.choice(self.names))

    def on_receive(self, message: object) -> object:
        chaos.point("gossip")
        if message == "tick":
            self.someone().tell(("rumour", 3))
        elif isinstance(message, tuple) and message[1]:
            self.someone().tell(("rumour", message[1] - 1))
            self.after(self.random.random(), ("late", 0))
        return None


class SlowGossip(Gossip):
    host = "loop"

    async def on_receive(self, message: object) -> object:
        await asyncio.sleep(self.random.random() / 10)
        return super().on_receive(message)


def main(seed: int) -> str:
    runtime = VirtualRuntime(seed=seed, plan=ChaosPlan(seed, default=0.02))
    names = tuple(f"g{n}" for n in range(6))
    children = tuple(
        ChildSpec(name=name, actor=SlowGossip if n % 3 == 0 else Gossip, args=SlowGossip.Args(names=names))
        for n, name in enumerate(names)
    )
    backoff = Backoff(min=0.1, max=2)
    runtime.trace.switch_on()
    runtime.start(SupervisorSpec(name="world", children=children, backoff=backoff, limit=Limit(10_000, 60)))
    runtime.advance(60)
    assert runtime.dead_letters.counts["failed"] > 10
    return runtime.trace.digest()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.stdout.write(main(int(sys.argv[1])) + "\n")
