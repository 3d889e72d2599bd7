"""The last stage without a database: it takes what the persistence writer takes, and keeps it in memory."""

from collections.abc import Callable
from typing import Any

import msgspec

from actors.base.stage import Stage
from actors.base.stage_quarantine import Trial
from actors.messages.addresses import FillLogMessage
from actors.messages.fill_log import ApplyEntries, ReportCursor
from actors.messages.order_manager import OrderChanged
from actors.messages.persistence_writer import SeedStrategies, StrategiesRead
from actors.messages.subscription import Republish
from mats.model.executions import Entry
from mats.model.orders import IntentId, OrderView
from mats.runtime import MailboxSpec, Ref


class Disk(msgspec.Struct):
    """What was stored: entries, and the newest view of each order."""

    entries: list[Entry] = []
    orders: dict[IntentId, OrderView] = {}


class LightStore(Stage[Any]):
    """Fourth stage."""

    stage = "store"
    mailbox = MailboxSpec(capacity=50_000, never_full=(ApplyEntries, OrderChanged))

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        """`flush` takes the journal to the disk, which the real writer does before each commit, too."""

        disk: Disk
        flush: Callable[[], object]
        fill_log: Ref[FillLogMessage]
        publishers: tuple[Ref[Republish], ...]

    def __init__(self, args: Args) -> None:
        self._disk, self.fill_log, self._publishers = args.disk, args.fill_log, args.publishers
        self._flush = args.flush

    def on_start(self) -> None:
        self.cursor = self._disk.entries[-1].seq if self._disk.entries else 0
        self.report_cursor()
        for publisher in self._publishers:
            publisher.tell(Republish())

    def on_receive(self, message: object) -> object:
        match message:
            case ApplyEntries():
                self.receive_entries(message)
            case OrderChanged(order=order):
                self._disk.orders[order.intent_id] = order
            case SeedStrategies(records=records, reply_to=reply_to):
                reply_to.tell(StrategiesRead(records))
            case ReportCursor():
                self.report_cursor()
        return None

    def rehearse(self) -> Trial:
        """It fails at no entry."""
        return lambda entry: None

    def apply(self, entries: tuple[Entry, ...]) -> None:
        self._flush()
        for entry in entries:
            self._disk.entries.append(entry)
