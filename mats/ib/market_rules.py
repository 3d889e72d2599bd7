"""Market rules: the broker's tick sizes by the level of the price, each asked for once a session."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from ib_async.contract import ContractDetails
from ib_async.objects import PriceIncrement

from mats.ib.conversion import or_zero
from mats.ib.pacing import PacedSender, SendLane
from mats.ib.pending_requests import PendingRequests
from mats.model import PriceIncrements

ANSWER_SECONDS = 5.0
"""How long a rule is waited for: it is answered at once or never, as it has no error of its own."""


class MarketRule(NamedTuple):
    """The key of the answer about a rule, which carries its number and no request id."""

    number: int


class MarketRules:
    """The rules that a session has asked for. One that was not answered stays unknown until the next session."""

    def __init__(self, client: Any, sender: PacedSender, pending: PendingRequests) -> None:
        self._client, self._sender, self._pending = client, sender, pending
        self._known: dict[int, PriceIncrements | None] = {}
        self._lock = asyncio.Lock()

    async def levels(self, number: int) -> PriceIncrements | None:
        """The tick sizes of a rule; None where the gateway does not say."""
        async with self._lock:
            if number not in self._known:
                self._known[number] = await self._ask(number)
        return self._known[number]

    async def _ask(self, number: int) -> PriceIncrements | None:
        with self._pending.collecting(MarketRule(number)) as answer:
            self._sender.send(SendLane.LINK, lambda: self._client.reqMarketRule(number))
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await answer
            except TimeoutError:
                return None
        return tuple(answer.items) or None


def rule_number(details: ContractDetails, exchange: str) -> int | None:
    """The number of the rule of a contract on an exchange; details have one for each exchange, in their order."""
    numbers, exchanges = details.marketRuleIds.split(","), details.validExchanges.split(",")
    place = exchanges.index(exchange) if exchange in exchanges else 0
    number = numbers[place] if place < len(numbers) else numbers[0]
    return int(number) if number.isdecimal() else None


def to_levels(increments: Sequence[PriceIncrement]) -> PriceIncrements:
    """The levels of a rule, ascending. Raises ValueError for a tick size that is none."""
    levels = tuple(sorted((or_zero(level.lowEdge), or_zero(level.increment)) for level in increments))
    if any(tick <= 0 for _, tick in levels):
        raise ValueError("a market rule with a tick size of zero is none")
    return levels
