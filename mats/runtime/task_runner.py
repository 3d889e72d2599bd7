"""Tasks of actors on a loop: long requests beside the handlers, with their results in the actor's own turn."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, Protocol

from mats.runtime.interfaces import ActorHome
from mats.runtime.messaging import CURRENT, Envelope, Outcome, TaskEnded, Turn


class TaskOwner(Protocol):
    """The incarnation that tasks belong to."""

    number: int
    fenced: bool
    may_wait: bool
    envelope: Envelope | None
    slot: ActorHome
    loop: asyncio.AbstractEventLoop | None
    tasks: set[asyncio.Task[Outcome[Any]]]

    @property
    def name(self) -> str: ...

    def report_fault(self, error: BaseException) -> None: ...


def turn_context(incarnation: TaskOwner) -> Context:
    """A context in which what is sent has the message now in hand as its cause, however long it runs."""
    current = CURRENT.get()
    envelope = (current or incarnation).envelope
    context = copy_context()
    context.run(CURRENT.set, Turn(incarnation, envelope))
    return context


def start_task(
    incarnation: TaskOwner,
    coroutine: Coroutine[Any, Any, object],
    then: Callable[[Outcome[Any]], object] | None,
) -> asyncio.Task[Outcome[Any]]:
    """Run `coroutine` on the incarnation's loop; see `Actor.spawn_task`."""
    loop = incarnation.loop
    if loop is None:
        coroutine.close()
        raise RuntimeError(f'{incarnation.name} has no loop for a task; give its class host = "loop"')
    context = turn_context(incarnation)
    task = loop.create_task(_outcome(coroutine), context=context)
    incarnation.tasks.add(task)

    def ended(task: asyncio.Task[Outcome[Any]]) -> None:
        incarnation.tasks.discard(task)
        # Cancelled before its first step it has never run, and would complain.
        coroutine.close()
        _post(incarnation, Outcome(error=asyncio.CancelledError()) if task.cancelled() else task.result(), then)

    task.add_done_callback(ended, context=context)
    return task


async def _outcome(coroutine: Coroutine[Any, Any, object]) -> Outcome[Any]:
    """Even an exit of the interpreter is one actor's failure, and must not end the loop."""
    try:
        return Outcome(await coroutine)
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return Outcome(error=error)


def _post(incarnation: TaskOwner, outcome: Outcome[Any], then: Callable[[Outcome[Any]], object] | None) -> None:
    """Tell the incarnation: an outcome to `then`, a result as a message, an error as its failure."""
    message = outcome.value
    if then is not None:
        message = TaskEnded(then, outcome)
    elif isinstance(outcome.error, asyncio.CancelledError):
        return
    elif outcome.error is not None:
        incarnation.report_fault(outcome.error)
    if message is not None:
        envelope: Envelope = incarnation.slot.ref.envelope(message, None, incarnation.number)
        incarnation.slot.mailbox.put(envelope)
