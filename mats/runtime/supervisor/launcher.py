"""What a supervisor may do that no other actor may."""

from typing import Any, Protocol

from mats.runtime.actor import ActorClass
from mats.runtime.actor_slot import ActorSlot
from mats.runtime.events import Event
from mats.runtime.interfaces import ParentSink
from mats.runtime.spec import OwnProcess


class Launcher(Protocol):
    """The runtime as a supervisor sees it."""

    def slot(self, path: str) -> ActorSlot: ...

    def launch(
        self,
        path: str,
        actor: ActorClass[Any, Any],
        args: object,
        *,
        parent: ParentSink | None = None,
        supervised: bool = False,
        process: OwnProcess | None = None,
    ) -> int: ...

    def abandon(self, path: str) -> None: ...

    def close(self, path: str) -> None: ...

    def emit(self, event: Event) -> None: ...
