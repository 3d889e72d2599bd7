"""Both halves of a subscription. What is lost, doubled or late, and who restarts, makes no difference in the end.

The publisher counts the changes of each topic. A follower that misses one sees the gap, and asks again; so it does when
its publisher ends, when it gets no answer, and every few seconds, for the change that was lost and had no successor.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Generic, Never, TypeVar

import msgspec

from actors.base.owner import Owner
from actors.messages.subscription import (
    NOTHING,
    Change,
    Snapshot,
    Subscribe,
    Unsubscribe,
    Unsubscribed,
    Version,
)
from mats.runtime import Down, Ref

S = TypeVar("S")
C = TypeVar("C")

RENEW_TICKS = 5
"""Every so many ticks a follower asks whether it has missed anything."""


class FollowerDown(msgspec.Struct, frozen=True):
    """The tag of a follower's `Down`."""

    follower: Ref[Never]


class Publisher(Generic[S, C]):
    """The half of the actor that has the state. `state` is that of a topic now, all published changes included.

    `feed` tells it from other states that the same followers follow.
    """

    def __init__(self, service: Owner[Never], feed: str, state: Callable[[str], S]) -> None:
        self._service, self._feed, self._state = service, feed, state
        self._numbers = Counter[str]()
        self._followers = defaultdict[str, dict[Ref[Never], Ref[Snapshot[S] | Change[C]]]](dict)

    def subscribe(self, request: Subscribe[S, C]) -> None:
        """Keep the follower informed from now on."""
        followers, version = self._followers[request.topic], self._version(request.topic)
        if request.follower not in followers:
            followers[request.follower] = request.follower
            self._service.watch(request.follower, tag=FollowerDown(request.follower))
        if request.since != version:
            request.follower.offer(Snapshot(self._feed, version, self._state(request.topic)))

    def publish(self, topic: str, change: C) -> None:
        """Count the change and send it to those who follow the topic."""
        self._numbers[topic] += 1
        if followers := self._followers.get(topic):
            numbered = Change(self._feed, self._version(topic), change)
            for follower in followers.values():
                follower.offer(numbered)

    def replace(self, topic: str) -> None:
        """Count a change of which nothing but the new state is of interest, and send that."""
        self._numbers[topic] += 1
        if followers := self._followers.get(topic):
            snapshot = Snapshot(self._feed, self._version(topic), self._state(topic))
            for follower in followers.values():
                follower.offer(snapshot)

    def drop(self, down: FollowerDown) -> None:
        """The follower has ended."""
        for followers in self._followers.values():
            followers.pop(down.follower, None)

    def unsubscribe(self, message: Unsubscribe) -> None:
        """The follower leaves: the last message it gets is `Unsubscribed`."""
        self.drop(FollowerDown(message.follower))
        message.follower.tell(Unsubscribed(self._service.name))

    def _version(self, topic: str) -> Version:
        return Version(self._service.incarnation, self._numbers[topic])


class Subscription(Generic[S, C]):
    """The half of the actor that follows. `subscribe` offers the publisher a `Subscribe` since the version that it has.

    The follower gets a `Down` of the publisher, and passes it on with `lost`.
    """

    def __init__(self, follower: Owner[Never], publisher: Ref[Never], subscribe: Callable[[Version], object]) -> None:
        self._follower, self.publisher, self._subscribe = follower, publisher, subscribe
        self._version, self._complete, self._ticks = NOTHING, False, 0

    def renew(self) -> None:
        """Ask for what has been missed. A publisher that is down finds the request when it is back."""
        self._subscribe(self._version)

    def tick(self) -> None:
        """To be called about every second. An answer that does not come is asked for as by one who has nothing."""
        self._ticks += 1
        if not self._complete:
            self._subscribe(NOTHING)
        elif self._ticks % RENEW_TICKS == 0:
            self.renew()

    def lost(self, down: Down) -> None:
        """The publisher has ended, and its next life knows of nobody. One that was stopped may have none."""
        had, self._complete = self._complete, False
        if had and down.reason != "normal":
            self.renew()

    def take(self, message: Snapshot[S] | Change[C]) -> S | C | None:
        """What there is to apply; None where it is known already, or where something before it is missing."""
        if isinstance(message, Snapshot):
            return self._take_snapshot(message)
        if message.version == Version(self._version.life, self._version.number + 1):
            self._version = message.version
            return message.change
        if message.version > self._version and self._complete:
            self._complete = False
            self.renew()
        return None

    def _take_snapshot(self, snapshot: Snapshot[S]) -> S | None:
        if snapshot.version.life > self._version.life:
            self._follower.watch(self.publisher)
        elif snapshot.version <= self._version:
            self._complete = self._complete or snapshot.version == self._version
            return None
        self._version, self._complete = snapshot.version, True
        return snapshot.state
