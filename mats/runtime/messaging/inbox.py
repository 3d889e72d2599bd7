"""Where pykka's own `ActorRef` puts its envelopes: they go on to the mailbox of a name."""

from functools import partial
from typing import TYPE_CHECKING, Any

import pykka
from pykka.messages import _ActorStop

from mats.runtime.errors import ActorDeadError
from mats.runtime.messaging.envelope import Reply
from mats.runtime.messaging.messages import Down
from mats.runtime.messaging.ref import Ref

if TYPE_CHECKING:
    from pykka._envelope import Envelope


class FutureReply(Reply):
    """An answer that is passed on to a pykka future, whose `get` knows nothing of this runtime."""

    def __init__(self, future: pykka.Future[Any]) -> None:
        super().__init__()
        self._future = future

    def _settle(self, value: object, error: BaseException | None) -> bool:
        if not super()._settle(value, error):
            return False
        if error is None:
            self._future.set(value)
        else:
            self._future.set_exception((type(error), error, error.__traceback__))
        return True


class Inbox:
    """The inbox of one incarnation. It is only written: what comes waits in the mailbox of the name."""

    def __init__(self, ref: Ref[Any], incarnation: int) -> None:
        self._ref, self._incarnation = ref, incarnation

    def put(self, envelope: "Envelope[Any]") -> None:
        """Take what an `ActorRef` sends: a message, an ask with its future, or a stop."""
        message = envelope.message
        reply = None if envelope.reply_to is None else FutureReply(envelope.reply_to)
        if isinstance(message, _ActorStop):
            if reply is not None:
                self._ref.watch(partial(_answer_stop, reply), None)
            self._ref.stop(self._incarnation)
        elif reply is not None:
            self._ref.request(message, reply)
        else:
            self._ref.tell(message)


def _answer_stop(reply: Reply, down: Down) -> None:
    if down.reason == "noproc":
        reply.fail(ActorDeadError(f"{down.name} has ended already"))
    else:
        reply.set(None)
