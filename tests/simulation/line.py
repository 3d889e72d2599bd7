"""The line to the simulated broker: how long each message takes now, and what is seen on it from outside."""

from collections.abc import Callable
from random import Random

import msgspec

from actors.messages.broker import OrderAction, SubmitOrder
from mats.model.orders import IntentId
from tests.simulation.brokerage import Brokerage

Act = Callable[[], object]


class LineLost(Exception):
    """The broker hung up."""


class Condition(msgspec.Struct):
    """What is wrong with the line of one client: nothing arrives; seconds more; packets twice; packets overtaken."""

    lost: bool = False
    delay: float = 0.0
    repeats: float = 0.0
    spread: float = 0.0


class VenueLine:
    """The lines of all clients to a simulated broker; each way takes `latency` seconds.

    Towards the broker, and in its answers, messages keep their order, as a socket does. `complain` is told of an order
    id that stands for two intents, and of an order that goes out in another session than the one it was meant for.
    """

    def __init__(
        self, broker: Brokerage, latency: float = 0.0, seed: int = 0, complain: Callable[[str], object] = print
    ) -> None:
        self.broker, self._latency, self._complain = broker, latency, complain
        self._draw = Random(f"line/{seed}")
        self._conditions: dict[int, Condition] = {}
        self.preemption = 0.0
        """How many seconds late actions come to their connection."""
        self._intents: dict[tuple[int, int], IntentId] = {}
        self._on_the_way: dict[int, list[Act]] = {}

    def condition(self, client_id: int) -> Condition:
        return self._conditions.setdefault(client_id, Condition())

    def heal(self) -> None:
        self._conditions.clear()
        self.preemption = 0.0

    def delay(self, client_id: int) -> float | None:
        """Seconds that a message takes, None where it is lost."""
        now = self.condition(client_id)
        return None if now.lost else self._latency + now.delay

    def delays(self, client_id: int) -> tuple[float, ...]:
        """Seconds that each copy of a packet takes beyond what one takes that is neither repeated nor overtaken."""
        now = self.condition(client_id)
        if not (now.repeats or now.spread):
            return (0.0,)
        copies = 2 if self._draw.random() < now.repeats else 1
        return tuple(self._draw.uniform(0.0, now.spread) for _ in range(copies))

    def leave(self, client_id: int, act: Act) -> Act:
        """An action is on its way to the broker; the answer lets it act there, if it still is on its way."""
        self._on_the_way.setdefault(client_id, []).append(act)

        def arrive() -> None:
            if act in self._on_the_way.get(client_id, ()):
                self._on_the_way[client_id].remove(act)
                act()

        return arrive

    def unread(self, client_id: int) -> Act:
        """Lets everything act that is on its way to the broker now, and does not arrive otherwise."""
        left, self._on_the_way[client_id] = self._on_the_way.get(client_id, []), []

        def arrive() -> None:
            for act in left:
                act()

        return arrive

    def forget(self, client_id: int) -> None:
        """The line is lost, and what was on it."""
        self._on_the_way.pop(client_id, None)

    def going_out(self, client_id: int, session: str, action: OrderAction) -> None:
        """An action leaves for the broker in `session`."""
        if action.session != session:
            self._complain(f"{action} left in session {session} of client {client_id}")
        if isinstance(action, SubmitOrder):
            intent_id = self._intents.setdefault((client_id, action.order_id), action.intent.intent_id)
            if intent_id != action.intent.intent_id:
                self._complain(f"order id {action.order_id} of client {client_id} is that of {intent_id}: {action}")
