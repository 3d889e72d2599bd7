"""The fills table equals the log, whatever order, batches, repeats and restarts the log arrives in."""

from decimal import Decimal
from itertools import count

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mats.model.executions import AdjustmentRecorded, CommissionRecorded, FillCorrected
from mats.model.timestamp import SECOND
from mats.store.tables import schemas
from mats.store.tables.connection import connect
from mats.store.tables.frames import from_frame
from mats.store.tables.store import Store
from mats.store.tables.time_index import second_of
from mats.store.views.decode import as_stored, decode_entries

FRESH = count()
LOG = {"fills": schemas.FILLS, "fill_corrections": schemas.FILL_CORRECTIONS, "adjustments": schemas.ADJUSTMENTS}


def stored(uri, library, account):
    return connect(uri).get_library(library).read(account).data


def oracle(log):
    """The rows by family, the simple way."""
    rows = {}
    for entry in log:
        if isinstance(entry, AdjustmentRecorded):
            continue
        execution = entry.execution
        row = rows.setdefault(
            execution.family, {"commission": None, "charged": -1, "second": second_of(execution.time)}
        )
        if isinstance(entry, CommissionRecorded):
            if execution.revision >= row["charged"]:
                row |= {"commission": str(entry.commission.amount), "charged": execution.revision}
        else:
            row |= {"fill_id": execution.exec_id, "quantity": str(execution.quantity), "seq": entry.seq}
            row |= {"time": execution.time}
    return rows


def check(uri, account, log):
    frame = stored(uri, "fills", account)
    index = frame.index.asi8.tolist()
    assert index == sorted(set(index))
    found = {
        row.family: {
            "commission": row.commission_exact,
            "second": second_of(at),
            "fill_id": row.fill_id,
            "quantity": row.quantity_exact,
            "seq": row.seq,
            "time": row.event_time_utc.value,
        }
        for at, row in zip(index, frame.itertuples(), strict=True)
    }
    expected = {family: {k: v for k, v in row.items() if k != "charged"} for family, row in oracle(log).items()}
    assert found == expected
    assert len(frame) == len(expected), "no family twice"
    adjusted = [entry.seq for entry in log if isinstance(entry, AdjustmentRecorded)]
    if adjusted:
        assert stored(uri, "adjustments", account)["seq"].tolist() == adjusted
    if replaced := replacing(log):
        assert stored(uri, "fill_corrections", account)["superseded_seq"].tolist() == replaced

    assert [plain(entry) for entry in rows_as_log(uri, account)] == [plain(entry) for entry in log]


def rows_as_log(uri, account):
    """The entries that the three tables hold."""
    return decode_entries("DU1", *(rows(uri, library, account) for library in LOG))


def rows(uri, library, account):
    opened = connect(uri).get_library(library)
    return from_frame(opened.read(account).data, LOG[library]).values() if opened.has_symbol(account) else ()


def plain(entry):
    """Without the report that a commission replaces: the logs made here do not name it."""
    stored = as_stored(entry)
    return msgspec.structs.replace(stored, previous=None) if isinstance(stored, CommissionRecorded) else stored


def replacing(log):
    """The entries that replace an execution or a commission, and the commissions that come too late to hold."""
    charged = set()
    return [
        entry.seq
        for entry in log
        if isinstance(entry, FillCorrected)
        or (isinstance(entry, CommissionRecorded) and entry.execution.family in charged)
        or (isinstance(entry, CommissionRecorded) and charged.add(entry.execution.family))
    ]


def history(draw, make):
    """A log of fills in and out of time order with ties, corrections that move in time, commissions and adjustments."""
    latest, log = {}, []
    for seq in range(1, draw(st.integers(2, 30)) + 1):
        kind = draw(st.sampled_from("ffffcrm" if latest else "fm"))
        if kind == "f":
            time = make.opening + draw(st.integers(0, 8)) * SECOND + draw(st.sampled_from([0, 0, 0, 5, SECOND - 1]))
            execution = make.execution(len(latest) + 1, time=time)
            latest[execution.family] = execution
            log.append(make.fill(seq, execution))
        elif kind == "m":
            log.append(adjustment(seq, make))
        else:
            execution = latest[draw(st.sampled_from(sorted(latest)))]
            if kind == "c":
                log.append(make.commission(seq, execution, f"{seq}.50"))
            else:
                later = execution.time + draw(st.sampled_from([0, 0, 3 * SECOND]))
                new = make.execution(execution.order_id, execution.revision + 1, time=later)
                latest[execution.family] = new
                log.append(make.correction(seq, new, execution))
    return log


def adjustment(seq, make):
    return AdjustmentRecorded(
        seq=seq, strategy="Discretionary", account="DU1", instrument="SPY", quantity=make.intent(1).quantity,
        price=make.intent(1).quantity, currency="USD", multiplier=make.execution(1).multiplier, reason="split",
        recorded=make.opening,
    )  # fmt: skip


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_history_in_any_batches_with_repeats_and_restarts_equals_the_oracle(store_uri, make, monkeypatch, data):
    log = history(data.draw, make)
    monkeypatch.setattr(schemas, "FILLS", msgspec.structs.replace(schemas.FILLS, cached=3))
    account, store, done = f"H{next(FRESH)}", Store(store_uri), 0
    while done < len(log):
        start = max(0, done - data.draw(st.integers(0, 6)))
        done = min(len(log), done + data.draw(st.integers(1, 8)))
        assert store.append_fills(account, log[start:done]) == []
        if data.draw(st.booleans()):
            store = Store(store_uri)
    fills_seqs = [e.seq for e in log if not isinstance(e, AdjustmentRecorded)]
    assert store.fills_seq(account) >= max(fills_seqs, default=0)
    if fills_seqs:
        check(store_uri, account, log)


def test_a_commission_in_the_batch_of_its_fill_costs_no_second_commit(store_uri, account, make):
    store = Store(store_uri)
    executions = [make.execution(n) for n in range(1, 6)]
    log = [make.fill(n, e) for n, e in enumerate(executions, 1)]
    log += [make.commission(n, e) for n, e in enumerate(executions, 6)]
    store.append_fills(account, log)
    assert len(connect(store_uri).get_library("fills").list_versions(account)) == 1
    check(store_uri, account, log)


def test_a_batch_of_new_fills_and_recent_commissions_is_one_commit(store_uri, account, make):
    store = Store(store_uri)
    store.append_fills(account, [make.fill(n, make.execution(n)) for n in range(1, 101)])
    later = [make.commission(100 + n, make.execution(n)) for n in range(1, 101)]
    store.append_fills(account, [*later, make.fill(201, make.execution(201))])
    library = connect(store_uri).get_library("fills")
    assert len(library.list_versions(account)) == 2
    assert library.read_metadata(account).metadata["seq"] == 201


def test_a_correction_keeps_both_versions(store_uri, account, make):
    store, first, second = Store(store_uri), make.execution(1), make.execution(1, 2)
    store.append_fills(account, [make.fill(1, first), make.commission(2, first), make.correction(3, second, first)])
    now = stored(store_uri, "fills", account).iloc[0]
    old = stored(store_uri, "fill_corrections", account).iloc[0]
    assert (now.fill_id, now.quantity_exact, now.commission_exact) == (second.exec_id, "102", "1.25")
    assert (old.fill_id, old.quantity_exact, old.superseded_by) == (first.exec_id, "101", second.exec_id)


def test_a_row_that_does_not_fit_is_returned_and_the_rest_is_stored(store_uri, account, make):
    bad = msgspec.structs.replace(make.execution(2), perm_id=2**70)
    log = [make.fill(1, make.execution(1)), make.fill(2, bad), make.fill(3, make.execution(3))]
    store = Store(store_uri)
    (reject,) = store.append_fills(account, log)
    assert "column perm_id cannot hold" in reject.reason
    assert bad.exec_id in reject.row
    assert stored(store_uri, "fills", account)["seq"].tolist() == [1, 3]
    assert store.fills_seq(account) == 3


def test_a_commission_without_its_fill_is_returned(store_uri, account, make):
    (reject,) = Store(store_uri).append_fills(account, [make.commission(1, make.execution(1))])
    assert "is not in the table" in reject.reason


def test_exact_numbers_survive_as_text(store_uri, account, make):
    execution = msgspec.structs.replace(make.execution(1), price=Decimal("0.1000000000000000001"))
    Store(store_uri).append_fills(account, [make.fill(1, execution)])
    row = stored(store_uri, "fills", account).iloc[0]
    assert (row.price, row.price_exact) == (0.1, "0.1000000000000000001")


def test_a_failed_commit_is_read_again_before_the_next_one(store_uri, account, make, monkeypatch):
    store = Store(store_uri)
    store.append_fills(account, [make.fill(1, make.execution(1))])
    library = store._symbol("fills", account, schemas.FILLS)._library
    really_append = type(library).append

    def durable_but_unheard(self, *arguments, **options):
        really_append(self, *arguments, **options)
        raise OSError("the answer was lost")

    monkeypatch.setattr(type(library), "append", durable_but_unheard)
    batch = [make.fill(2, make.execution(2)), make.fill(3, make.execution(3))]
    with pytest.raises(OSError, match="lost"):
        store.append_fills(account, batch)
    monkeypatch.undo()
    assert store.append_fills(account, batch) == []
    check(store_uri, account, [make.fill(1, make.execution(1)), *batch])


def test_the_first_write_is_not_repeated_over_its_own_rows(store_uri, account, make, monkeypatch):
    store = Store(store_uri)
    library = store._symbol("fills", account, schemas.FILLS)._library
    really_write = type(library).write

    def durable_but_unheard(self, *arguments, **options):
        really_write(self, *arguments, **options)
        raise OSError("the answer was lost")

    monkeypatch.setattr(type(library), "write", durable_but_unheard)
    with pytest.raises(OSError, match="lost"):
        store.append_fills(account, [make.fill(1, make.execution(1))])
    monkeypatch.undo()
    store.append_fills(account, [make.fill(1, make.execution(1)), make.fill(2, make.execution(2))])
    check(store_uri, account, [make.fill(1, make.execution(1)), make.fill(2, make.execution(2))])


def test_a_batch_cut_between_two_stretches_is_made_whole_by_sending_it_again(store_uri, account, make, monkeypatch):
    monkeypatch.setattr("mats.store.tables.table_writer.RUN_ROWS", 2)
    store, late = Store(store_uri), make.execution(100, time=make.opening + 3 * SECOND)
    log = [make.fill(n, make.execution(n)) for n in range(1, 41)]
    store.append_fills(account, log)
    batch = [make.fill(41, late), make.commission(42, make.execution(20)), make.fill(43, make.execution(43))]
    library = store._symbol("fills", account, schemas.FILLS)._library
    monkeypatch.setattr(type(library), "append", lambda *_, **__: (_ for _ in ()).throw(OSError("power cut")))
    with pytest.raises(OSError, match="power cut"):
        store.append_fills(account, batch)
    assert len(stored(store_uri, "fills", account)) == 41, "the late row is in, its cursor is not"
    assert Store(store_uri).fills_seq(account) == 40
    monkeypatch.undo()
    store.append_fills(account, batch)
    check(store_uri, account, log + batch)


def test_a_second_writer_is_noticed(store_uri, account, make):
    store, intruder = Store(store_uri), Store(store_uri)
    store.append_fills(account, [make.fill(n, make.execution(n)) for n in (1, 3)])
    intruder.append_fills(account, [make.fill(4, make.execution(4))])
    with pytest.raises(Exception, match="check for a second writer"):
        store.append_fills(account, [make.fill(5, make.execution(5))])


def test_compaction_keeps_rows_cursor_and_later_updates(store_uri, account, make):
    store = Store(store_uri)
    for n in range(1, 101):
        store.append_fills(account, [make.fill(n, make.execution(n))])
    assert store.compact_due() == [f"fills/{account}"]
    assert store.compact_due() == []
    library = connect(store_uri).get_library("fills")
    assert len(library.list_versions(account)) == 1
    assert Store(store_uri).fills_seq(account) == 100
    log = [make.fill(n, make.execution(n)) for n in range(1, 101)] + [make.commission(101, make.execution(50))]
    store.append_fills(account, log)
    check(store_uri, account, log)


def test_updates_ask_for_compaction_sooner_than_appends(store_uri, account, make):
    store = Store(store_uri)
    store.append_fills(account, [make.fill(1, make.execution(1))])
    for n in range(20):
        assert store.compact_due() == []
        store.append_fills(account, [make.commission(n + 2, make.execution(1), f"{n}.5")])
    assert store.compact_due() == [f"fills/{account}"]
