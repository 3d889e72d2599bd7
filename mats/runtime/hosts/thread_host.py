"""The host of an actor on a thread: a pykka actor, which starts its thread, is registered, and ends with the actor."""

from threading import Thread, get_ident
from typing import Any

import pykka

from mats.runtime.incarnation import Incarnation
from mats.runtime.messaging import CURRENT, Inbox
from mats.runtime.testing import Trace


class ThreadHost(pykka.ThreadingActor):
    """One incarnation, between pykka's `start` and the end of its thread.

    pykka's registry shows it with the class of its actor, and its URN is that of the actor's ref.
    """

    def __init__(self, incarnation: Incarnation, trace: Trace) -> None:
        self._incarnation, self._trace = incarnation, trace
        super().__init__()
        self.actor_urn = self.actor_ref.actor_urn = incarnation.slot.ref.actor_urn
        pykka_ref: pykka.ActorRef[Any] = self.actor_ref
        pykka_ref.actor_class = incarnation.actor_class
        incarnation.resources.add(self._leave)

    def _create_actor_inbox(self) -> Inbox:  # type: ignore[override]
        return Inbox(self._incarnation.slot.ref, self._incarnation.number)

    def _leave(self) -> None:
        """Dead to pykka: at the end of the incarnation, or when it is abandoned."""
        pykka.ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()

    def _start_actor_loop(self) -> None:
        """As pykka's, but the thread has the name of its actor."""
        Thread(target=self._actor_loop, name=self._incarnation.name, daemon=True).start()

    def _actor_loop(self) -> None:
        incarnation = self._incarnation
        try:
            CURRENT.set(incarnation)
            incarnation.thread_id = get_ident()
            super()._actor_loop()
        except BaseException as error:
            # Outside of all hooks and handlers, in a line of the runtime: the end of the actor no less than its own.
            incarnation.fail(error)
        incarnation.conclude()

    def _actor_loop_setup(self) -> None:
        self._incarnation.begin()

    def _actor_loop_running(self) -> None:
        """An actor that blocks in its mailbox."""
        incarnation, trace, slot = self._incarnation, self._trace, self._incarnation.slot
        mailbox, step = slot.mailbox, incarnation.step
        if incarnation.fenced:  # abandoned while it started: that mailbox is its successor's
            return
        while incarnation.exit is None:
            envelope = mailbox.poll()
            if envelope is None:
                # The actor is idle: nothing may keep its last message alive, or be taken for its cause.
                incarnation.envelope = None
                envelope = mailbox.get()
                if envelope is None:
                    break
                incarnation.woken()
            if incarnation.falls(envelope):
                break
            if trace.on:
                trace.record(slot.name, envelope, slot.runtime.monotonic())
            step(envelope)

    def _actor_loop_teardown(self) -> None:
        """What still waits belongs to the name, and to its next incarnation."""


class PlainHost(ThreadHost):
    """The host of a plain pykka actor, which is in pykka's registry itself once it is built."""

    def _start_actor_loop(self) -> None:
        pykka.ActorRegistry.unregister(self.actor_ref)
        super()._start_actor_loop()
