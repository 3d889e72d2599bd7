"""The last stage without a database: it takes what the persistence writer takes, into a memory that outlives it."""

import msgspec

from actors.base.stage import Stage
from actors.messages.fill_log import ApplyEntries, ReportCursor
from actors.messages.order_manager import OrderChanged
from actors.messages.persistence_writer import Republish, SeedStrategies, StrategiesRead
from mats.model.executions import Entry
from mats.model.orders import IntentId, OrderView
from mats.runtime import MailboxSpec, Ref, chaos


class Disk(msgspec.Struct):
    """What was stored: entries as often as they were written, and the newest view of each order."""

    entries: list[Entry] = []
    orders: dict[IntentId, OrderView] = {}


class LightStore(Stage):
    """Fourth stage. The cursor is what is on the disk, so that a crash between commit and acknowledgement shows."""

    stage = "store"
    mailbox = MailboxSpec(capacity=50_000, never_full=(ApplyEntries, OrderChanged))

    def __init__(self, disk: Disk, fill_log: Ref, sources: tuple[Ref, ...]) -> None:
        self._disk, self.fill_log, self._sources = disk, fill_log, sources

    def on_start(self) -> None:
        self.cursor = self._disk.entries[-1].seq if self._disk.entries else 0
        self.say_hello()
        for source in self._sources:
            source.tell(Republish())

    def on_receive(self, message: object) -> object:
        match message:
            case ApplyEntries():
                self.receive_entries(message)
            case OrderChanged(order=order):
                self._disk.orders[order.intent_id] = order
            case SeedStrategies(records=records, reply_to=reply_to):
                reply_to.tell(StrategiesRead(records))
            case ReportCursor():
                self.say_hello()
        return None

    def apply(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            self._disk.entries.append(entry)
            chaos.point("store: within a commit")
