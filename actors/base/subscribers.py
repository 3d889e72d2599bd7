"""The strategies that an actor keeps informed: each is offered what concerns it until it leaves or is gone."""

import msgspec

from actors.messages.subscription import AskToResubscribe, Unsubscribe, Unsubscribed
from mats.model import StrategyName
from mats.runtime import Actor, Ref


class FollowerDown(msgspec.Struct, frozen=True):
    """The tag of a follower's `Down`."""

    strategy: StrategyName


class Subscribers:
    """One follower a strategy. A strategy that is gone is not a lost message: what it is offered may be refused."""

    def __init__(self, service: Actor) -> None:
        self._service = service
        self._refs: dict[StrategyName, Ref] = {}

    def add(self, strategy: StrategyName, follower: Ref) -> None:
        """Keep the strategy informed from now on."""
        self._refs[strategy] = follower
        self._service.watch(follower, tag=FollowerDown(strategy))

    def offer(self, strategy: StrategyName, message: object) -> None:
        """Tell the strategy, if it follows."""
        if (follower := self._refs.get(strategy)) is not None:
            follower.offer(message)

    def drop(self, strategy: StrategyName) -> None:
        """The strategy is down."""
        self._refs.pop(strategy, None)

    def leave(self, message: Unsubscribe) -> None:
        """The strategy parts: the last thing it gets is `Unsubscribed`."""
        self._refs = {strategy: ref for strategy, ref in self._refs.items() if ref != message.follower}
        message.follower.tell(Unsubscribed(self._service.name))


def call_followers(service: Actor) -> None:
    """Ask every strategy that is up to follow `service` again; one that comes up follows by itself."""
    for actor in service.runtime.status():
        if actor.name.startswith("strategies/") and actor.state in ("starting", "running"):
            service.runtime.ref(actor.name).offer(AskToResubscribe(service.name))
