"""An actor on its own asyncio loop, in its own thread: libraries that need a loop live inside their actor."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from contextvars import copy_context

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
    mailbox = incarnation.slot.mailbox
    reader = Reader(incarnation, loop, trace)
    mailbox.notify_by(reader.notify)
    try:
        if (pending := incarnation.begin()) is not None:
            await pending
        await reader.read_all()
    finally:
        reader.over = True
        mailbox.notify_by(mailbox.wake_reader)
    for task in tuple(incarnation.tasks):
        task.cancel()
    await asyncio.gather(*incarnation.tasks, return_exceptions=True)
    if (pending := incarnation.end()) is not None:
        await pending


class Reader:
    """Takes what comes to the mailbox of an actor on a loop.

    Where the actor is idle, a message is handled in the callback that it wakes the loop by. The way over the task would
    give the interpreter away three times between the two. What a handler returns to be awaited, the task awaits.
    """

    def __init__(self, incarnation: Incarnation, loop: asyncio.AbstractEventLoop, trace: Trace) -> None:
        self._incarnation, self._loop, self._trace = incarnation, loop, trace
        self._mailbox = incarnation.slot.mailbox
        self._context = copy_context()
        self._awake = asyncio.Event()
        self._pending: Awaitable[None] | None = None
        self.over = False

    def notify(self) -> None:
        """Called by senders, who do not pay for a loop that is closed."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake, context=self._context)

    def _wake(self) -> None:
        """The task waits, until there is something for it."""
        if self.over:
            return
        self._incarnation.woken()
        try:
            if self._read():
                return
        except BaseException as error:  # in a line of the runtime
            self._incarnation.fail(error)
        self._awake.set()

    async def read_all(self) -> None:
        """Until the incarnation is to end."""
        incarnation = self._incarnation
        while incarnation.exit is None and not incarnation.fenced:
            if self._read():
                await self._awake.wait()
                self._awake.clear()
            pending, self._pending = self._pending, None
            if pending is not None:
                await pending
            elif self._mailbox.closed:
                break
            else:
                await asyncio.sleep(0)

    def _read(self) -> bool:
        """Handle what waits, at most so much that the loop can breathe; whether nothing is left, now and for the task.

        Then the next message calls `notify`.
        """
        incarnation, slot = self._incarnation, self._incarnation.slot
        for _ in range(BREATH):
            if incarnation.exit is not None:
                return False
            envelope = self._mailbox.poll_or_wait()
            if envelope is None:
                incarnation.envelope = None
                return not self._mailbox.closed
            if incarnation.falls(envelope):
                return False
            if self._trace.on:
                self._trace.record(slot.name, envelope, slot.runtime.monotonic())
            self._pending = incarnation.step(envelope)
            if self._pending is not None:
                return False
        return False


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
