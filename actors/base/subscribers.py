"""The strategies that an actor keeps informed: each is offered its changes until it unsubscribes or ends."""

from typing import Any, Generic, Never, TypeVar

import msgspec

from actors.base.owner import Owner
from actors.messages.addresses import STRATEGIES
from actors.messages.subscription import AskToResubscribe, Unsubscribe, Unsubscribed
from mats.model import StrategyName
from mats.runtime import Actor, Address, Ref

M = TypeVar("M")


class FollowerDown(msgspec.Struct, frozen=True):
    """The tag of a follower's `Down`."""

    strategy: StrategyName


class Subscribers(Generic[M]):
    """One follower a strategy, sent M. An offer that a strategy refuses because it is gone is no lost message."""

    def __init__(self, service: Owner[Never]) -> None:
        self._service = service
        self._refs: dict[StrategyName, Ref[M]] = {}

    def add(self, strategy: StrategyName, follower: Ref[M]) -> None:
        """Keep the strategy informed from now on."""
        self._refs[strategy] = follower
        self._service.watch(follower, tag=FollowerDown(strategy))

    def offer(self, strategy: StrategyName, message: M) -> None:
        """Tell the strategy, if it follows."""
        if (follower := self._refs.get(strategy)) is not None:
            follower.offer(message)

    def drop(self, strategy: StrategyName) -> None:
        """The strategy is down."""
        self._refs.pop(strategy, None)

    def unsubscribe(self, message: Unsubscribe) -> None:
        """The strategy leaves: the last message it gets is `Unsubscribed`."""
        self._refs = {strategy: ref for strategy, ref in self._refs.items() if ref != message.follower}
        message.follower.tell(Unsubscribed(self._service.name))


def ask_to_resubscribe(service: Actor[Any]) -> None:
    """Ask every strategy that is up to subscribe to `service` again; one that starts later subscribes by itself."""
    for actor in service.runtime.status():
        if actor.name.startswith(f"{STRATEGIES.path}/") and actor.state in ("starting", "running"):
            service.runtime.ref(Address[AskToResubscribe](actor.name)).offer(AskToResubscribe(service.name))
