"""Killed at any moment, the stores keep every acknowledged row once, and no half of a batch."""

import random
import signal
import subprocess
import sys

from mats.model.executions import CommissionRecorded
from mats.store.journal.journal import Journal
from mats.store.tables.connection import connect, lmdb_uri
from mats.store.tables.store import Store
from tests.patience import PATIENCE


def write_and_kill(request, *arguments, after):
    """The last acknowledgement that the writer printed before it was killed, `after` acknowledgements or a few more."""
    command = [sys.executable, str(request.path.parent / "kill_writer.py"), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        rest, errors = process.communicate(timeout=PATIENCE)
    acknowledged = [int(line) for line in [*lines, *rest.splitlines(keepends=True)] if line.endswith("\n")]
    assert acknowledged, errors
    return acknowledged[-1]


def test_the_journal_keeps_acknowledged_batches_and_no_half_ones(tmp_path, request):
    path, chance = tmp_path / "journal.sqlite", random.Random(7)
    for _ in range(4):
        acknowledged = write_and_kill(request, "journal", path, after=chance.randint(1, 60))
        journal = Journal(path)
        last = journal.last_seq()
        assert last >= acknowledged
        assert last % 3 == 0, "a batch has three entries"
        assert [entry.seq for entry in journal.entries(0, last + 1)] == list(range(1, last + 1))
        assert journal.counts()["executions"] == last // 3 * 2
        journal.close()


def expected(log):
    """Id and commission by family after `log`."""
    rows = {}
    for entry in log:
        fill_id, commission = rows.get(entry.execution.family, (None, None))
        if isinstance(entry, CommissionRecorded):
            commission = str(entry.commission.amount)
        else:
            fill_id = entry.execution.exec_id
        rows[entry.execution.family] = (fill_id, commission)
    return rows


def test_the_store_keeps_each_row_once_although_the_last_ones_are_sent_again(tmp_path, request, make):
    uri, chance, acknowledged, log = lmdb_uri(tmp_path / "arctic"), random.Random(11), 0, make.long_log(4_000)
    for _ in range(8):
        start = max(0, acknowledged - 25)
        acknowledged = write_and_kill(request, "store", uri, start, after=chance.randint(1, 40))
        store = Store(uri)
        seq = store.fills_seq("DU1")
        assert seq >= acknowledged
        frame = connect(uri).get_library("fills").read("DU1").data
        assert frame.index.is_unique
        found = zip(frame["family"], zip(frame["fill_id"], frame["commission_exact"], strict=True), strict=True)
        assert dict(found) == expected(log[:seq])
        assert len(frame) == frame["family"].nunique()
        store.close()
    assert seq > 100, "the writer came far enough to have been killed in every kind of commit"
