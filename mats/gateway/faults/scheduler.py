"""The armed faults and their timers."""

from random import Random

from mats.gateway.faults.fault_matching import ArmedFault
from mats.gateway.faults.fault_types import AnyFault
from mats.gateway.faults.traffic import Performer, Traffic
from mats.venue import AlarmClock, Timer


class FaultScheduler:
    """Arms faults on the traffic, or performs them when they are due. The n-th fault seeds its random choices with the
    seed and n, so that faults are independent of each other."""

    def __init__(self, traffic: Traffic, performer: Performer, clock: AlarmClock) -> None:
        self._traffic, self._performer, self._clock = traffic, performer, clock
        self._armed: list[ArmedFault] = []
        self._timers: list[Timer] = []
        self._count = 0

    @property
    def faults(self) -> list[AnyFault]:
        """The faults that currently act on traffic."""
        return [armed.fault for armed in self._armed]

    def arm(self, fault: AnyFault, seed: int) -> None:
        self._count += 1
        armed = ArmedFault(fault, Random(f"{seed}:{self._count}"))
        if fault.after:
            self._later(fault.after, armed)
        else:
            self._begin(armed)

    def disarm(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for armed in tuple(self._armed):
            self._end(armed)
        self._traffic.release()

    def _later(self, seconds: float, armed: ArmedFault) -> None:
        self._timers.append(self._clock.call_later(seconds, self._begin, armed))

    def _begin(self, armed: ArmedFault) -> None:
        fault = armed.fault
        if fault.on_traffic:
            self._armed.append(armed)
            self._traffic.arm(armed)
            if fault.lasting is not None:
                self._timers.append(self._clock.call_later(fault.lasting, self._end, armed))
            return
        self._performer.perform(fault, None)
        armed.acted += 1
        if fault.every is not None and (fault.times is None or armed.acted < fault.times):
            self._later(fault.every, armed)

    def _end(self, armed: ArmedFault) -> None:
        if armed in self._armed:
            self._armed.remove(armed)
            self._traffic.disarm(armed)
