"""How a service that streams and keeps no state finds its subscribers again after a restart."""

from typing import Any

from actors.messages.addresses import STRATEGIES
from actors.messages.subscription import AskToResubscribe
from mats.runtime import Actor, Address


def ask_to_resubscribe(service: Actor[Any]) -> None:
    """Ask every strategy that is up to subscribe to `service` again; one that starts later subscribes by itself."""
    for actor in service.runtime.status():
        if actor.name.startswith(f"{STRATEGIES.path}/") and actor.state in ("starting", "running"):
            service.runtime.ref(Address[AskToResubscribe](actor.name)).offer(AskToResubscribe(service.name))
