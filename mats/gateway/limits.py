"""What a gateway grants its clients. The defaults are IB's for an account with 100 market data lines, except for the
rate of messages, which nobody watches unless asked to.

Source: IB's TWS API documentation, "Market data lines", "Pacing limitations" and "Historical data limitations".
"""

from enum import StrEnum

import msgspec


class Excess(StrEnum):
    """What happens to messages beyond the rate: they wait, as at a gateway with its factory settings, or are refused
    with error 100 and the connection ends at the third time, as at one that is set to reject."""

    QUEUE = "queue"
    REJECT = "reject"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`messages_per_second` of one client, 0 for any number. `lines` are the instruments with top-of-book data or bars,
    `tick_by_tick` and `depth` the subscriptions of these sorts, over all clients. `historical` says whether requests
    for bars of up to 30 seconds are held to the three windows of IB (error 162)."""

    messages_per_second: int = 0
    excess: Excess = Excess.QUEUE
    lines: int = 100
    tick_by_tick: int = 5
    depth: int = 3
    historical: bool = True


LENIENT = Limits()
"""The defaults."""

STRICT = Limits(messages_per_second=50, excess=Excess.REJECT)
"""Everything that IB enforces."""
