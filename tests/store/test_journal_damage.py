"""A damaged journal is recognized by whatever it shows, and its sentence has the remedy."""

import sqlite3

import pytest

from mats.store.journal import JournalDamagedError, journal_damage, refused_where_damaged, require_whole_log
from mats.store.journal.journal import Journal


@pytest.fixture
def path(tmp_path, make):
    path = tmp_path / "journal.db"
    journal = Journal(path)
    journal.append([make.fill(seq, make.execution(seq)) for seq in (1, 2, 3)])
    journal.close()
    return path


def run(path, statement):
    database = sqlite3.connect(path)
    database.execute(statement)
    database.commit()
    database.close()


def test_a_whole_journal_has_none(path):
    assert journal_damage(path) is None


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE entries SET payload = x'ffee01' WHERE seq = 2", "entry 2 cannot be decoded"),
        ("DELETE FROM entries WHERE seq = 2", "1 of its entries are missing, the first of them entry 2"),
    ],
)
def test_a_row_that_cannot_be_read_and_a_gap_are_named_with_the_remedy(statement, why, path):
    run(path, statement)
    assert why in str(journal_damage(path))
    assert "restore it from a backup, or move it away" in str(journal_damage(path))


def test_pruned_entries_are_no_gap(path):
    journal = Journal(path)
    assert journal.prune(2**62, 2)
    journal.close()
    assert journal_damage(path) is None


@pytest.mark.parametrize(("pruned", "lost", "first"), [(0, 1, 1), (0, 2, 2), (1, 2, 2), (1, 3, 3)])
def test_a_start_refuses_a_log_with_a_gap_and_names_it(path, make, pruned, lost, first):
    journal = Journal(path)
    journal.append([make.fill(seq, make.execution(seq)) for seq in (4, 5)])
    journal.prune(2**62, pruned)
    journal.close()
    require_whole_log(path)
    run(path, f"DELETE FROM entries WHERE seq = {lost}")
    with pytest.raises(JournalDamagedError, match=f"1 of its entries are missing, the first of them entry {first}"):
        require_whole_log(path)


@pytest.mark.parametrize("begin", [0, 100, 4096])
def test_overwritten_pages_are_damage(begin, path):
    content = bytearray(path.read_bytes())
    content[begin:] = b"\xff" * (len(content) - begin)
    path.write_bytes(content)
    assert isinstance(journal_damage(path), JournalDamagedError)


def test_a_lock_is_no_damage_and_keeps_its_error(path):
    with pytest.raises(sqlite3.OperationalError, match="locked"), refused_where_damaged(path):
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        try:
            sqlite3.connect(path, timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
        finally:
            holder.close()
