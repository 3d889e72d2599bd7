"""A plain pykka actor in the tree: a class as in pykka's documentation, hosted and supervised like any actor."""

from functools import cache
from typing import Any, ClassVar

import msgspec
import pykka

from mats.runtime.actor import Actor, HostKind
from mats.runtime.messaging import Inbox


class PlainArgs(msgspec.Struct, frozen=True):
    """What a plain actor's class is called with."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}


class PlainActor(Actor[object]):
    """Lives under the name and calls the plain actor, in whose `ActorRef` the inbox leads to this mailbox.

    As in pykka, an exception in a told message is the actor's end, and one in an ask is the answer.
    """

    host: ClassVar[HostKind] = "pykka"
    plain_class: ClassVar[type[pykka.ThreadingActor]]

    def __init__(self, args: PlainArgs = PlainArgs()) -> None:  # noqa: B008
        self._started = False
        self._plain = self._build(args)
        pykka.ActorRegistry.register(self._plain.actor_ref)
        self.defer(self._leave)

    def _build(self, args: PlainArgs) -> pykka.ThreadingActor:
        """pykka's constructor asks the object for its inbox, so the object must know the mailbox before."""
        plain = self.plain_class.__new__(self.plain_class, *args.args, **args.kwargs)
        inbox = Inbox(self.ref, self.incarnation)
        vars(plain)["_create_actor_inbox"] = lambda: inbox
        plain.__init__(*args.args, **args.kwargs)  # type: ignore[misc]
        plain.actor_urn = plain.actor_ref.actor_urn = self.ref.actor_urn
        return plain

    def _leave(self) -> None:
        """Dead to pykka; called again it changes nothing."""
        pykka.ActorRegistry.unregister(self._plain.actor_ref)
        self._plain.actor_stopped.set()

    def on_start(self) -> None:
        self._plain.on_start()
        self._started = True

    def on_receive(self, message: object) -> object:
        asked = self._incarnation.envelope
        if asked is None or asked.reply is None:
            self._plain._handle_receive(message)
            return None
        try:
            asked.reply.set(self._plain._handle_receive(message))
        except Exception as error:
            asked.reply.fail(error)
        return asked.reply

    def on_stop(self) -> None:
        self._leave()
        self._plain.on_stop()

    def on_failure(self, error: BaseException) -> None:
        """As in pykka, whose hook is not called when `on_start` has raised."""
        self._leave()
        if self._started:
            self._plain.on_failure(type(error), error, error.__traceback__)


@cache
def plain_actor(plain_class: type[pykka.ThreadingActor]) -> type[PlainActor]:
    """The class for a spec: `ChildSpec(name="greeter", actor=plain_actor(Greeter), args=PlainArgs(("hello",)))`."""
    return type(plain_class.__name__, (PlainActor,), {"plain_class": plain_class, "__module__": plain_class.__module__})
