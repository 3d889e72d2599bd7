"""While the store cannot be written nothing is acknowledged or lost; afterwards everything is stored once."""

from pathlib import Path

import pytest
from arcticdb.version_store.library import Library
from structlog.testing import capture_logs

from actors.messages.fill_log import Acknowledge, ApplyEntries
from actors.messages.order_manager import OrderChanged
from actors.persistence_writer import PersistenceWriter
from mats.model.orders import opening_view
from mats.runtime import VirtualRuntime
from mats.store.journal.journal import Journal
from mats.store.tables import connection
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.reader import Reader
from mats.store.tables.store import Store


class World:
    """A persistence writer between a fill log that is a probe and a real store."""

    def __init__(self, folder, make):
        self.runtime = VirtualRuntime(start=make.opening)
        self.fill_log, self.uri = self.runtime.probe("fill-log"), lmdb_uri(folder / "arctic")
        journal = Journal(folder / "journal.db")
        self.log = [make.fill(seq, make.execution(seq)) for seq in range(1, 301)]
        journal.append(self.log)
        journal.close()
        self.writer = self.runtime.spawn(
            PersistenceWriter,
            PersistenceWriter.Args(
                uri=self.uri, journal_path=folder / "journal.db", rejects=folder / "rejects.jsonl", base_currency="USD",
                keep_days=1e6, matching="fifo", stages=("store",), fill_log=self.fill_log.ref, publishers=(),
            ),
        )  # fmt: skip

    def feed(self, first, last):
        self.writer.tell(ApplyEntries(tuple(self.log[first - 1 : last])))
        return self.acknowledged()

    def acknowledged(self):
        """The last entry that was acknowledged within three seconds, None when none was."""
        self.runtime.advance(3.0)
        seq = None
        while (envelope := self.fill_log._take(0.0)) is not None:
            seq = envelope.message.seq if isinstance(envelope.message, Acknowledge) else seq
        return seq

    def failures(self):
        return [status.last_failure for status in self.runtime.status() if status.last_failure]

    def stored(self):
        reader = Reader(self.uri)
        return reader.fills("DU1")["seq"].tolist(), reader.position_history("TREND", "SPY")["fills_seq"].tolist()


@pytest.fixture
def world(tmp_path: Path, make):
    made = World(tmp_path, make)
    yield made
    made.runtime.stop(2.0)


def test_a_full_disk_is_said_once_and_everything_is_stored_when_there_is_room_again(world, monkeypatch, make):
    assert world.feed(1, 100) == 100
    with capture_logs() as lines:
        monkeypatch.setattr(connection, "RESERVE_BYTES", 2**62)
        world.writer.tell(OrderChanged(opening_view(make.intent(1))))
        assert world.feed(101, 200) is None, "nothing is acknowledged"
        assert world.feed(201, 300) is None
        assert [line["event"] for line in lines] == ["store is away; everything is kept and given to it again"]
        assert "bytes left; free" in lines[0]["reason"]
        assert world.stored()[0] == list(range(1, 101)), "the store was not touched"
        monkeypatch.undo()
        assert world.acknowledged() == 300
        assert lines[-1]["event"] == "store is back; everything kept is stored"
    assert world.stored() == (list(range(1, 301)), list(range(1, 301)))
    assert Reader(world.uri).orders("DU1")["intent_id"].tolist() == ["i1"]
    assert world.failures() == []


def test_a_commit_whose_outcome_is_unknown_is_made_again_without_a_second_row(world, monkeypatch):
    assert world.feed(1, 100) == 100
    really, answers = Library.append, iter([OSError("the answer was lost")] * 2)

    def durable_but_unheard(self, *arguments, **options):
        written = really(self, *arguments, **options)
        if fault := next(answers, None):
            raise fault
        return written

    monkeypatch.setattr(Library, "append", durable_but_unheard)
    assert world.feed(101, 200) == 200
    assert world.stored() == (list(range(1, 201)), list(range(1, 201)))
    assert world.failures() == []


def test_a_full_map_is_a_fault_that_may_pass(tmp_path, make):
    uri = f"lmdb://{tmp_path}/small?map_size=1MB"
    store = Store(uri)
    with pytest.raises(connection.STORE_ERRORS):
        for start in range(1, 100_000, 2_000):
            store.append_fills("DU1", [make.fill(seq, make.execution(seq)) for seq in range(start, start + 2_000)])
    store.close()
