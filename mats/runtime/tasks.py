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
) -> "asyncio.Task[object]":
    """Run `coroutine` on the incarnation's loop; see `Actor.spawn_task`."""
    loop = incarnation.loop
    if loop is None:
        coroutine.close()
        name = incarnation.actor_class.__name__
        raise RuntimeError(f'{name} has no loop for a task; give the class host = "loop"')
    context = turn_context(incarnation)
    task = loop.create_task(coroutine, context=context)
    incarnation.tasks.add(task)

    def ended(task: "asyncio.Task[object]") -> None:
        incarnation.tasks.discard(task)
        _post(incarnation, task, then)

    task.add_done_callback(ended, context=context)
    return task


def _post(incarnation: Incarnation, task: "asyncio.Task[object]", then: Callable[[Outcome], object] | None) -> None:
    error: BaseException | None = asyncio.CancelledError() if task.cancelled() else task.exception()
    if then is not None:
        outcome = Outcome(error=error) if error is not None else Outcome(task.result())
        message: object = TaskEnded(then, outcome)
    elif task.cancelled():
        return
    elif error is not None:
        incarnation.cell.ref.signal(Fault(error), incarnation.number)
        return
    elif (message := task.result()) is None:
        return
    cell = incarnation.cell
    envelope: Envelope = cell.ref.envelope(message, None, incarnation.number)
    cell.mailbox.put(envelope)
