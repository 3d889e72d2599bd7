"""How a strategy parts from those who keep it informed, so that no message to it is lost on the way."""

import msgspec

from mats.runtime import Ref


class Leave(msgspec.Struct, frozen=True):
    """Tell `follower` nothing more; the last thing it gets is `Left`."""

    follower: Ref


class Left(msgspec.Struct, frozen=True):
    """The service of this name has told its last."""

    service: str
