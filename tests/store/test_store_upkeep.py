"""Compaction, readers beside the writer, and what operators see of the store."""

import subprocess
import sys

import pytest
from arcticdb.exceptions import ArcticException

from mats.store.tables import compaction, connection
from mats.store.tables.connection import StoreUnreachableError, connect, lmdb_uri
from mats.store.tables.store import Store
from tests.patience import PATIENCE


def test_a_reader_of_another_process_sees_no_error_while_the_writer_appends_and_compacts(tmp_path, request, make):
    uri, log = lmdb_uri(tmp_path / "arctic"), make.long_log(900)
    store = Store(uri)
    store.append_fills("DU1", log[:3])
    command = [sys.executable, str(request.path.parent / "reading.py"), uri]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as reader:
        assert reader.stdout.readline() == "reading\n"
        for start in range(3, len(log), 3):
            store.append_fills("DU1", log[start : start + 3])
            store.compact_due()
        output, errors = reader.communicate(timeout=PATIENCE)
    assert reader.returncode == 0, errors
    reads, rows = map(int, output.split())
    assert reads > 20
    assert rows <= len(log)


def test_quiet_hours_compact_what_is_worth_it(store_uri, account, make):
    store = Store(store_uri)
    for n in range(1, 20):
        store.append_fills(account, [make.fill(n, make.execution(n))])
    assert store.compact() == []
    store.append_fills(account, [make.fill(20, make.execution(20))])
    assert store.compact() == [f"fills/{account}"]
    assert store.compact() == []


def test_what_was_loose_is_still_known_after_a_restart(store_uri, account, make):
    store = Store(store_uri)
    for n in range(1, 101):
        if n % 10 == 0:
            store = Store(store_uri)
        store.append_fills(account, [make.fill(n, make.execution(n))])
    assert store.compact_due() == [f"fills/{account}"]


def test_upkeep_folds_version_keys_when_they_are_many(store_uri, account, make, monkeypatch):
    monkeypatch.setattr(compaction, "COMPACT_VERSIONS_AT", 10)
    store, names = Store(store_uri), [f"fills/{account}"]
    folded = []
    for n in range(1, 26):
        store.append_fills(account, [make.fill(n, make.execution(n))])
        folded.append(store.compact_versions())
    assert [n for n, done in enumerate(folded, 1) if done == names] == [11, 21]
    assert Store(store_uri).fills_seq(account) == 25
    assert connect(store_uri).get_library("fills").get_description(account).row_count == 25


def test_folding_version_keys_keeps_rows_and_cursor(store_uri, account, make):
    store = Store(store_uri)
    for n in range(1, 30):
        store.append_fills(account, [make.fill(n, make.execution(n))])
    store.compact()
    library = connect(store_uri).get_library("fills")
    assert compaction.compact_versions(library, account)
    assert library.get_description(account).row_count == 29
    assert Store(store_uri).fills_seq(account) == 29
    store.append_fills(account, [make.fill(30, make.execution(30))])
    assert library.get_description(account).row_count == 30


def test_the_use_of_every_map_is_known(tmp_path, make):
    store = Store(lmdb_uri(tmp_path / "arctic"))
    store.append_fills("DU1", [make.fill(1, make.execution(1))])
    assert store.read_strategies() == []
    use = compaction.map_use(tmp_path / "arctic", 1_000_000)
    assert {"fills", "general", "_arctic_cfg"} <= use.keys()
    assert use["fills"] == (tmp_path / "arctic" / "fills" / "data.mdb").stat().st_size / 1_000_000


def test_a_store_that_cannot_be_opened_says_so_without_its_secret(monkeypatch):
    def refuse(uri):
        raise ArcticException(f"cannot reach {uri}")

    monkeypatch.setattr(connection, "Arctic", refuse)
    with pytest.raises(StoreUnreachableError) as raised:
        connect("s3://host:bucket?access=me&secret=hush&region=eu")
    assert "hush" not in str(raised.value)
    assert "region=eu" in str(raised.value)


def test_a_closed_store_can_be_opened_again(tmp_path, make):
    uri = lmdb_uri(tmp_path / "arctic")
    store = Store(uri)
    store.append_fills("DU1", [make.fill(1, make.execution(1))])
    store.close()
    assert Store(uri).fills_seq("DU1") == 1
