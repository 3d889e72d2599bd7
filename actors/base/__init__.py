"""What several actors share: stages of the fill log, broker connections, subscribers, references."""

from actors.base.broker_connection import BrokerConnection, ConnectionRefs
from actors.base.fill_log_client import Replayed
from actors.base.refs import PortfolioRefs, Refs
from actors.base.stage import Stage
from actors.base.subscribers import FollowerDown, Subscribers, call_followers

__all__ = [
    "BrokerConnection",
    "ConnectionRefs",
    "FollowerDown",
    "PortfolioRefs",
    "Refs",
    "Replayed",
    "Stage",
    "Subscribers",
    "call_followers",
]
