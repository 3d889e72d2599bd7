"""What both ends of a link between a runtime and a process of actors share: frames, their bytes, errors as text."""

from mats.runtime.hosts.link.codec import BrokenFrame, decode, decode_plain, encode
from mats.runtime.hosts.link.errors import Described, ProcessEnded
from mats.runtime.hosts.link.frames import (
    ActorEnded,
    ActorStarted,
    Answered,
    Deliver,
    End,
    FromProcess,
    Handled,
    Hello,
    Launch,
    Logged,
    LostInside,
    Noticed,
    Offered,
    Told,
    ToProcess,
    Watched,
    WatchEnded,
)
from mats.runtime.hosts.link.line_limit import LineLimit
from mats.runtime.hosts.link.socket_link import Link

__all__ = [
    "ActorEnded",
    "ActorStarted",
    "Answered",
    "BrokenFrame",
    "Deliver",
    "Described",
    "End",
    "FromProcess",
    "Handled",
    "Hello",
    "Launch",
    "LineLimit",
    "Link",
    "Logged",
    "LostInside",
    "Noticed",
    "Offered",
    "ProcessEnded",
    "ToProcess",
    "Told",
    "WatchEnded",
    "Watched",
    "decode",
    "decode_plain",
    "encode",
]
