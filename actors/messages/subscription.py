"""The one way to follow a state that another actor keeps: subscribe, get a snapshot, then its numbered changes.

`actors/base/subscription.py` has both halves. Whoever restarts, and whatever is lost on the way, the follower asks for
what comes after the version that it has.
"""

from typing import Generic, TypeVar

import msgspec

from mats.runtime import Ref

S = TypeVar("S")
C = TypeVar("C")
S_co = TypeVar("S_co", covariant=True)
C_co = TypeVar("C_co", covariant=True)


class Version(msgspec.Struct, frozen=True, order=True):
    """How often a state has changed in one life (incarnation, from 1) of its publisher; a later life is newer."""

    life: int = 0
    number: int = 0


NOTHING = Version()
"""The version of a follower that has just started."""


class Snapshot(msgspec.Struct, Generic[S_co], frozen=True):
    """The whole state that is published under the name `feed`; replaces what the follower knew before."""

    feed: str
    version: Version
    state: S_co


class Change(msgspec.Struct, Generic[C_co], frozen=True):
    """What makes `version` of the one before it."""

    feed: str
    version: Version
    change: C_co


class Unsubscribed(msgspec.Struct, frozen=True):
    """The last message of the service of this name to a subscriber."""

    service: str


class Subscribe(msgspec.Struct, Generic[S, C], frozen=True):
    """Send `follower` each change of the topic, and first a `Snapshot` if `since` is not the version of now.

    It may be sent at any time: one who has missed nothing gets no answer.
    """

    topic: str
    follower: Ref[Snapshot[S] | Change[C]]
    since: Version = NOTHING


class Unsubscribe(msgspec.Struct, frozen=True):
    """Send `follower` nothing more; the last message it gets is `Unsubscribed`."""

    follower: Ref[Unsubscribed]


class AskToResubscribe(msgspec.Struct, frozen=True):
    """The service of this name, which streams and keeps no state, (re)started: a strategy subscribes to it again."""

    service: str


class Republish(msgspec.Struct, frozen=True):
    """A subscriber (re)started without state: publish the current state again."""
