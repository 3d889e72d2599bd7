"""An actor on its own asyncio loop, in its own thread: libraries that need a loop live inside their actor."""

import asyncio
from functools import partial

from mats.runtime.containment import contain
from mats.runtime.hosts.thread_host import ThreadHost
from mats.runtime.incarnation import Incarnation
from mats.runtime.testing import Trace

BREATH = 32
"""So many messages in a row before the loop may look after its sockets."""
CLEARANCES = 100
"""How often what is left on a loop is cancelled, when each time an exit out of one task interrupts it."""


class LoopHost(ThreadHost):
    """The host of an actor whose hooks and handlers may be coroutines, one after the other."""

    def _actor_loop_setup(self) -> None:
        """The actor begins on the loop, which may fail itself: there may be no more file descriptors for it."""

    def _actor_loop_running(self) -> None:
        _run(self._incarnation, self._trace)


def _run(incarnation: Incarnation, trace: Trace) -> None:
    loop = incarnation.loop = asyncio.new_event_loop()
    # Libraries look for the loop of the thread, not only for the running one.
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_live(incarnation, loop, trace))
    except BaseException as error:
        # A cancellation of the whole life, or an exit out of a library's task or callback. If the incarnation was
        # abandoned, its end is not awaited any more and this changes nothing.
        incarnation.fail(error)
        incarnation.end()
    finally:
        _clear(loop)
        incarnation.loop = None
        asyncio.set_event_loop(None)
        loop.close()


async def _live(incarnation: Incarnation, loop: asyncio.AbstractEventLoop, trace: Trace) -> None:
    awake = asyncio.Event()
    mailbox = incarnation.slot.mailbox
    mailbox.notify_by(partial(_wake, loop, awake))
    try:
        if (pending := incarnation.begin()) is not None:
            await pending
        await _handle(incarnation, awake, trace)
    finally:
        mailbox.notify_by(mailbox.wake_reader)
    for task in tuple(incarnation.tasks):
        task.cancel()
    await asyncio.gather(*incarnation.tasks, return_exceptions=True)
    if (pending := incarnation.end()) is not None:
        await pending


def _wake(loop: asyncio.AbstractEventLoop, awake: asyncio.Event) -> None:
    """Called by senders, who do not pay for a loop that is closed."""
    try:
        loop.call_soon_threadsafe(awake.set)
    except RuntimeError:
        return


async def _handle(incarnation: Incarnation, awake: asyncio.Event, trace: Trace) -> None:
    slot = incarnation.slot
    mailbox = slot.mailbox
    handled = 0
    while incarnation.exit is None and not incarnation.fenced:
        envelope = mailbox.poll_or_wait()
        if envelope is None:
            if mailbox.closed:
                break
            incarnation.envelope = None
            await awake.wait()
            awake.clear()
            incarnation.woken()
            continue
        if incarnation.falls(envelope):
            break
        if trace.on:
            trace.record(slot.name, envelope, slot.runtime.monotonic())
        if (pending := incarnation.step(envelope)) is not None:
            await pending
        del envelope
        handled += 1
        if handled % BREATH == 0:
            await asyncio.sleep(0)


def _clear(loop: asyncio.AbstractEventLoop) -> None:
    """End whatever else runs on the loop, so that nothing of this life outlives it."""
    for _ in range(CLEARANCES):
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if not left or contain("an exit out of a task", _wait, loop, left):
            break
    contain("asynchronous generators were not closed", _close_generators, loop)


def _wait(loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[object]]) -> None:
    loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))


def _close_generators(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(loop.shutdown_asyncgens())


def cancel_all(loop: asyncio.AbstractEventLoop) -> bool:
    """From another thread: cancel everything on the loop, which frees an actor that waits; False if it is closed."""
    try:
        loop.call_soon_threadsafe(_cancel_tasks, loop)
    except RuntimeError:
        return False
    return True


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
