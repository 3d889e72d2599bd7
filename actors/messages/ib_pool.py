"""What the pool of connections understands and says."""

import msgspec

from mats.model import StrategyName


class LeaseConnection(msgspec.Struct, frozen=True):
    """Make sure that the strategy's own connection is there; its orders and only they travel on it."""

    strategy: StrategyName


class ResyncConnections(msgspec.Struct, frozen=True):
    """Let every connection that carries orders announce itself again."""
