"""How those who keep others informed and their followers find each other again, and how a follower parts from them."""

import msgspec

from mats.runtime import Ref


class Unsubscribed(msgspec.Struct, frozen=True):
    """The service of this name has told its last."""

    service: str


class Unsubscribe(msgspec.Struct, frozen=True):
    """Tell `follower` nothing more; the last thing it gets is `Unsubscribed`."""

    follower: Ref[Unsubscribed]


class AskToResubscribe(msgspec.Struct, frozen=True):
    """The service of this name (re)started and knows nobody: a strategy that follows it says so again."""

    service: str


class Resubscribe(msgspec.Struct, frozen=True):
    """Somebody whom you keep informed (re)started and knows nothing: tell again what holds now."""
