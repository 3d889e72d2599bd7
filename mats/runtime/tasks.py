"""Tasks of actors on a loop: long requests beside the handlers, with their results in the actor's own turn."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context

from mats.runtime.envelope import CURRENT, Envelope, Turn
from mats.runtime.incarnation import Incarnation
from mats.runtime.messages import Fault, Outcome, TaskEnded


def turn_context(incarnation: Incarnation) -> Context:
    """A context in which what is sent has the message now in hand as its cause, however long it runs."""
    current = CURRENT.get()
    envelope = (current or incarnation).envelope
    context = copy_context()
    context.run(CURRENT.set, Turn(incarnation, envelope))
    return context


def start_task(
    incarnation: Incarnation,
    coroutine: Coroutine[object, object, object],
    then: Callable[[Outcome], object] | None,
) -> "asyncio.Task[Outcome]":
    """Run `coroutine` on the incarnation's loop; see `Actor.spawn_task`."""
    loop = incarnation.loop
    if loop is None:
        coroutine.close()
        name = incarnation.actor_class.__name__
        raise RuntimeError(f'{name} has no loop for a task; give the class host = "loop"')
    context = turn_context(incarnation)
    task = loop.create_task(_outcome(coroutine), context=context)
    incarnation.tasks.add(task)

    def ended(task: "asyncio.Task[Outcome]") -> None:
        incarnation.tasks.discard(task)
        # Cancelled before its first step it has never run, and would complain.
        coroutine.close()
        _post(incarnation, Outcome(error=asyncio.CancelledError()) if task.cancelled() else task.result(), then)

    task.add_done_callback(ended, context=context)
    return task


async def _outcome(coroutine: Coroutine[object, object, object]) -> Outcome:
    """Even an exit of the interpreter is one actor's failure, and must not end the loop."""
    try:
        return Outcome(await coroutine)
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return Outcome(error=error)


def _post(incarnation: Incarnation, outcome: Outcome, then: Callable[[Outcome], object] | None) -> None:
    """Tell the incarnation: an outcome to `then`, a result as a message, an error as its failure."""
    message = outcome.value
    if then is not None:
        message = TaskEnded(then, outcome)
    elif isinstance(outcome.error, asyncio.CancelledError):
        return
    elif outcome.error is not None:
        incarnation.cell.ref.signal(Fault(outcome.error), incarnation.number)
    if message is not None:
        envelope: Envelope = incarnation.cell.ref.envelope(message, None, incarnation.number)
        incarnation.cell.mailbox.put(envelope)
