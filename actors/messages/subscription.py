"""How publishers and subscribers find each other again after a restart, and how a subscriber leaves."""

import msgspec

from mats.runtime import Ref


class Unsubscribed(msgspec.Struct, frozen=True):
    """The last message of the service of this name to a subscriber."""

    service: str


class Unsubscribe(msgspec.Struct, frozen=True):
    """Send `follower` nothing more; the last message it gets is `Unsubscribed`."""

    follower: Ref[Unsubscribed]


class AskToResubscribe(msgspec.Struct, frozen=True):
    """The service of this name (re)started without subscribers: a strategy subscribes to it again."""

    service: str


class Republish(msgspec.Struct, frozen=True):
    """A subscriber (re)started without state: publish the current state again."""
