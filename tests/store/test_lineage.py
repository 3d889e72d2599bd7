"""Journal and tables that were put back to different moments, or lost, get one past again, and nothing is lost."""

import shutil
import sqlite3
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from mats.model import SECOND
from mats.store.journal import Journal
from mats.store.lineage import ForeignTablesError, LineageError, check_lineage, join_tables, require_lineage
from mats.store.lineage.join import STAGES
from mats.store.rebuild import Contents, differences, journal_differences, missing_entries, recompute
from mats.store.tables import NewerTableError, Store, connect
from mats.store.tables.connection import lmdb_uri
from mats.store.views import ViewWriter


class Place:
    """A data directory, and what the writer does in it."""

    def __init__(self, folder):
        self.folder, self.uri = folder, lmdb_uri(folder / "arctic")
        self.journal = Journal(folder / "journal.db")

    def start(self):
        """What a start says, once it has joined what differs."""
        self.journal.open_boot()
        return join_tables(self.journal, self.uri, "fifo") if check_lineage(self.journal, self.uri) else []

    def live(self, *entries):
        """Book entries and store them, as fill log and writer do."""
        self.journal.append(entries)
        self.store()

    def store(self):
        require_lineage(self.journal, self.uri)
        store, past = Store(self.uri, self.journal.branch()), self.journal.entries(0, 1_000)
        store.append_fills("DU1", past)
        views = ViewWriter(store, "USD", self.journal.entries_of, b"")
        views.apply(past, 0)
        views.commit(past[-1].recorded)
        self.journal.record_stored(store.log_seqs())
        for stage in STAGES:
            self.journal.save_snapshot(stage, past[-1].seq, views.save() if stage == "store" else b"")
        store.close()

    def backup(self, name):
        sqlite3.connect(self.journal.path).execute("VACUUM INTO ?", (str(self.folder / name),))

    def put_back(self, name=""):
        """The journal of the backup, or a new one."""
        self.journal.close()
        for file in self.folder.glob("journal.db*"):
            file.unlink()
        if name:
            (self.folder / name).rename(self.folder / "journal.db")
        self.journal = Journal(self.folder / "journal.db")

    def prove(self, families):
        """Each execution is once in the journal and the tables, which are the same, and so are all views."""
        contents, log = Contents(self.uri), self.journal.entries(0, 1_000)
        assert sorted(family for _, family, _ in self.journal.facts().executions) == families
        assert not missing_entries(contents.entries)
        assert not list(journal_differences(contents.entries, log))
        assert len(contents.entries) == len(log)
        assert not list(differences(contents.views, recompute(contents.entries, contents.views)))
        assert not check_lineage(self.journal, self.uri)


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    place.start()
    yield place
    place.journal.close()


def families(*numbers):
    return [f"0000.{number:06d}" for number in numbers]


def fill_and_cost(make, seq, number):
    execution = make.execution(number)
    return make.fill(seq, execution), make.commission(seq + 1, execution)


def test_an_ordinary_start_joins_nothing(place, make):
    place.live(*fill_and_cost(make, 1, 1))
    assert place.start() == []
    place.live(*fill_and_cost(make, 3, 2))
    assert place.start() == []


def test_a_journal_put_back_to_a_backup_takes_what_it_lacks_from_the_tables(place, make):
    place.live(*fill_and_cost(make, 1, 1))
    place.backup("backup.db")
    place.start()
    place.live(*fill_and_cost(make, 3, 2))
    place.put_back("backup.db")
    (said,) = place.start()
    assert "the tables had 2 entries, 1 of them executions, that the journal has not" in said
    assert said.endswith("they are booked as its entries 3 to 4")
    place.live(*fill_and_cost(make, 5, 3))
    place.prove(families(1, 2, 3))


def test_a_new_journal_beside_older_tables_takes_all_of_them(place, make):
    place.live(*fill_and_cost(make, 1, 1))
    place.put_back()
    assert "that the journal has not: it is new" in place.start()[0]
    place.live(*fill_and_cost(make, 3, 2))
    place.prove(families(1, 2))


def test_two_pasts_with_the_same_numbers_become_one(place, make):
    place.live(*fill_and_cost(make, 1, 1))
    place.backup("backup.db")
    place.live(*fill_and_cost(make, 3, 2))
    place.put_back("backup.db")
    place.journal.open_boot()
    place.journal.append(fill_and_cost(make, 3, 3))  # while the store was away
    with pytest.raises(ForeignTablesError, match="stop the daemon and start it again, or run `mats store rebuild"):
        place.store()
    said = place.start()
    assert "booked as its entries 5 to 6" in said[0]
    assert "the tables lacked 2 entries of the journal" in said[1]
    place.prove(families(1, 2, 3))


def test_an_execution_that_the_broker_reported_again_is_not_taken_twice(place, make):
    place.live(*fill_and_cost(make, 1, 1), *fill_and_cost(make, 3, 2))
    place.put_back()
    place.journal.open_boot()
    place.journal.append([make.fill(1, make.execution(2), "Discretionary")])
    place.start()
    place.prove(families(1, 2))
    assert place.journal.has_commission(make.execution(2).exec_id)


def test_a_correction_that_only_the_tables_know_corrects_what_the_journal_has(place, make):
    one, two = make.execution(1), make.execution(1, 2)
    place.live(make.fill(1, one))
    place.backup("backup.db")
    place.live(make.correction(2, two, one), make.commission(3, two, "2.5"))
    place.put_back("backup.db")
    place.start()
    place.prove([*families(1), *families(1)])
    newest = place.journal.latest_execution("DU1", one.family)
    assert (newest.execution, newest.previous) == (replace(two, cumulative_quantity=0, average_price=0), one)


def lose_tables(place):
    shutil.rmtree(place.folder / "arctic")


def lose_fills(place):
    connect(place.uri).delete_library("fills")


@pytest.mark.parametrize("lose", [lose_tables, lose_fills])
def test_tables_that_are_gone_are_written_anew_and_it_is_said(place, make, lose: Callable[[Place], None]):
    place.live(*fill_and_cost(make, 1, 1))
    lose(place)
    assert "the tables lacked 2 entries of the journal" in place.start()[0]
    place.prove(families(1))


def test_tables_put_back_to_an_older_moment_get_what_came_since(place, make):
    place.live(*fill_and_cost(make, 1, 1))
    shutil.copytree(place.folder / "arctic", place.folder / "backup")
    place.live(*fill_and_cost(make, 3, 2))
    there = Place.__new__(Place)
    there.folder, there.journal = place.folder, place.journal
    (place.folder / "backup").rename(place.folder / "older")
    there.uri = lmdb_uri(place.folder / "older")
    assert "the tables lacked 2 entries of the journal" in there.start()[0]
    there.prove(families(1, 2))


def test_a_stage_without_its_state_gets_the_pruned_past_back_from_the_tables(place, make):
    place.live(*fill_and_cost(make, 1, 1), *fill_and_cost(make, 3, 2))
    assert place.journal.prune(make.opening + SECOND, keep_after_seq=3) == 3
    raw = sqlite3.connect(place.journal.path)
    raw.execute("UPDATE snapshots SET seq = 1000 WHERE stage = 'portfolio'")
    raw.commit()
    assert place.journal.open_boot().dropped == ("portfolio",)
    assert check_lineage(place.journal, place.uri)
    join_tables(place.journal, place.uri, "fifo")
    assert place.journal.pruned_to() == 0
    assert [entry.seq for entry in place.journal.entries(0, 10)] == [1, 2, 3, 4]
    place.prove(families(1, 2))


def test_a_past_that_nobody_has_is_one_sentence_with_the_remedy(place, make):
    place.live(*fill_and_cost(make, 1, 1), *fill_and_cost(make, 3, 2))
    place.journal.prune(make.opening + SECOND, keep_after_seq=3)
    sqlite3.connect(place.journal.path, isolation_level=None).execute("DELETE FROM snapshots")
    shutil.rmtree(place.folder / "arctic")
    with pytest.raises(LineageError, match="restore the data directory from a backup"):
        place.start()


def test_pruned_entries_stay_in_the_tables_when_both_are_joined(place, make):
    place.live(*fill_and_cost(make, 1, 1))
    place.journal.prune(make.opening + SECOND, keep_after_seq=2)
    place.backup("backup.db")
    place.journal.append(fill_and_cost(make, 3, 2))
    store = Store(place.uri, place.journal.branch())
    store.append_fills("DU1", place.journal.entries(2, 10))
    store.close()
    place.put_back("backup.db")
    place.start()
    assert [entry.seq for entry in Contents(place.uri).entries] == [1, 2, 3, 4]
    assert not check_lineage(place.journal, place.uri)


def test_a_table_of_a_newer_program_is_refused(place, make):
    place.live(make.fill(1, make.execution(1)))
    connect(place.uri)["fills"].write_metadata("DU1", {"format": 99, "seq": 1})
    with pytest.raises(NewerTableError, match="has version 99 and this program knows up to 1"):
        check_lineage(place.journal, place.uri)


def test_tables_of_an_earlier_program_are_compared_once_and_marked(place, make):
    place.live(*fill_and_cost(make, 1, 1))
    connect(place.uri)["fills"].write_metadata("DU1", {"seq": 2})
    place.journal.record_stored({})
    assert place.start() == ["the tables were compared with the journal; they have the same past"]
    place.prove(families(1))


def test_tables_of_an_earlier_program_are_compared_by_the_writer_where_no_start_could(place, make):
    place.live(*fill_and_cost(make, 1, 1))
    connect(place.uri)["fills"].write_metadata("DU1", {"seq": 2})
    place.journal.record_stored({})
    place.journal.open_boot()
    place.journal.append(fill_and_cost(make, 3, 2))  # while the store was away
    place.store()
    assert [entry.seq for entry in Contents(place.uri).entries] == [1, 2, 3, 4]
    place.prove(families(1, 2))


def test_tables_of_an_earlier_program_that_are_not_those_of_the_journal_are_not_written_by_the_writer(place, make):
    place.live(*fill_and_cost(make, 1, 1))
    connect(place.uri)["fills"].write_metadata("DU1", {"seq": 2})
    place.put_back()
    place.journal.open_boot()
    place.journal.append(fill_and_cost(make, 1, 2))
    with pytest.raises(ForeignTablesError, match="the same up to entry 0, and the tables go to 2"):
        place.store()
    assert [entry.seq for entry in Contents(place.uri).entries] == [1, 2]
