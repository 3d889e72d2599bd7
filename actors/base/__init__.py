"""Shared by several actors: fill log stages, broker connections, subscribers, references."""

from actors.base.bar_archive import BarArchive, BarCollector
from actors.base.broker_connection import BaseMessage, BrokerConnection
from actors.base.fill_log_client import Replayed
from actors.base.history_loads import HistoryLoads
from actors.base.journal_writes import JournalWrites
from actors.base.missed_bars import MissedBars
from actors.base.operator_tables import OperatorTables
from actors.base.owner import Owner
from actors.base.quarantine import Quarantine
from actors.base.refs import Refs
from actors.base.stage import Stage
from actors.base.stage_quarantine import Trial
from actors.base.subscribers import ask_to_resubscribe
from actors.base.subscription import FollowerDown, Publisher, Subscription

__all__ = [
    "BarArchive",
    "BarCollector",
    "BaseMessage",
    "BrokerConnection",
    "FollowerDown",
    "HistoryLoads",
    "JournalWrites",
    "MissedBars",
    "OperatorTables",
    "Owner",
    "Publisher",
    "Quarantine",
    "Refs",
    "Replayed",
    "Stage",
    "Subscription",
    "Trial",
    "ask_to_resubscribe",
]
