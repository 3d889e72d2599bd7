"""Messages handled by the pool of broker connections, and the names of the connections."""

import msgspec

from mats.model import StrategyName

MASTER_CLIENT = 0
"""Sees all executions, positions and account values; places nothing."""
DATA_CLIENT = 99
"""History, contracts and market data: bulk requests never share a socket or a pacing lane with orders."""


def connection_name(client_id: int) -> str:
    """The actor's name within the supervisor of the connections."""
    return f"ib-{client_id}"


class LeaseConnection(msgspec.Struct, frozen=True):
    """Make sure that the strategy has its own connection, which carries its orders and no others."""

    strategy: StrategyName
