"""Results in the store, exactly; and their verification by a repeated run."""

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np
import pandas as pd

from mats.backtest.bar_sources import STORE
from mats.backtest.engine import BacktestRun, CashEvent, Progress, RuledFill, run_backtest
from mats.backtest.preparation import data_for
from mats.backtest.provenance import code_of
from mats.backtest.result import dataframes
from mats.backtest.result.metric_names import Metrics
from mats.backtest.result.result import BacktestResult, Record, data_fingerprints
from mats.ledger.books import Trade
from mats.model import AdjustmentRecorded, OrderView, Signal
from mats.store.tables import BacktestLibrary, ResultError

EXACT = "exact"
COMPARED = ("trades", "equity_curve")
"""The tables that a repeated run must reproduce byte for byte."""


class Exact(msgspec.Struct, frozen=True):
    """The results of a run besides its curves, with exact decimals."""

    signals: tuple[Signal, ...]
    orders: tuple[OrderView, ...]
    fills: tuple[RuledFill, ...]
    trades: tuple[Trade, ...]
    cash_events: tuple[CashEvent, ...]
    adjustments: tuple[AdjustmentRecorded, ...]


class Verdict(msgspec.Struct, frozen=True):
    """Whether a stored result is reproduced; each difference is one sentence. `notes` explain."""

    name: str
    same: bool
    differences: tuple[str, ...]
    notes: tuple[str, ...]


def store_result(uri: str, result: BacktestResult) -> None:
    """Store a new result. Raises ResultError where its name is taken."""
    record = msgspec.json.encode(result.record).decode()
    BacktestLibrary(uri).write(result.name, result.metrics_table(), record, pieces(result))


def replace_result(uri: str, result: BacktestResult) -> None:
    """Store a result in place of the one of its name, if there is one."""
    record = msgspec.json.encode(result.record).decode()
    BacktestLibrary(uri).replace(result.name, result.metrics_table(), record, pieces(result))


def pieces(result: BacktestResult) -> dict[str, pd.DataFrame]:
    """The tables of a result that have rows, and everything exact as bytes."""
    run = result.run
    made = tuple(run.orders), tuple(run.fills), tuple(run.trades)
    exact = Exact(run.signals, *made, run.cash_events, run.adjustments)
    packed = np.frombuffer(msgspec.msgpack.encode(exact), dtype=np.uint8)
    filled = {name: table for name, table in result.tables.items() if len(table)}
    return {**filled, EXACT: pd.DataFrame({"msgpack": packed})}


def read_record(uri: str, name: str) -> Record:
    """What was recorded about a result. Raises ResultError, also for one that another version of MATS wrote."""
    try:
        return msgspec.json.decode(BacktestLibrary(uri).record(name), type=Record)
    except msgspec.ValidationError as error:
        raise ResultError(
            f"result {name} was stored by another version of MATS ({error}); read it with that version, or delete it"
        ) from error


def records(uri: str) -> tuple[list[Record], list[str]]:
    """The records of all results, oldest first; and a sentence for each that cannot be read."""
    found, unreadable = [], []
    for name in BacktestLibrary(uri).names():
        try:
            found.append(read_record(uri, name))
        except ResultError as error:
            unreadable.append(str(error))
    return sorted(found, key=lambda record: (record.created, record.name)), unreadable


def ranking(found: Iterable[Record], figure: str) -> list[Record]:
    """Complete runs in which a figure is defined, the largest first. Raises ResultError for an unknown figure."""
    if figure not in Metrics.__struct_fields__ or figure == "undefined":
        known = ", ".join(name for name in Metrics.__struct_fields__ if name != "undefined")
        raise ResultError(f"figure {figure!r} is not known; name one of {known}")
    complete = [record for record in found if record.state == "complete"]
    scored = [(value, record) for record in complete if (value := record.total.figures()[figure]) is not None]
    return [record for _, record in sorted(scored, key=lambda pair: -pair[0])]


def load_result(uri: str, name: str) -> BacktestResult:
    """A stored result, as it was. Raises ResultError."""
    library, record = BacktestLibrary(uri), read_record(uri, name)
    packed = library.piece(name, EXACT)["msgpack"].to_numpy()
    exact = msgspec.msgpack.decode(packed.tobytes(), type=Exact)
    strategies = tuple(strategy.name for strategy in record.spec.strategies)
    total, by_strategy = dataframes.curves(library.piece(name, "equity_curve"), strategies)
    run = BacktestRun(
        spec=record.spec,
        state=record.state,
        failure=record.failure,
        bars=record.bars,
        total=total,
        by_strategy=by_strategy,
        seconds=record.seconds,
        **{name: getattr(exact, name) for name in Exact.__struct_fields__},
    )
    return BacktestResult(record, run)


def verify(uri: str, name: str, progress: Progress | None = None) -> Verdict:
    """Run a stored result again from its spec and its data, and compare trades and equity byte for byte."""
    library, record = BacktestLibrary(uri), read_record(uri, name)
    notes = _code_notes(record)
    data = data_for(record.spec, record.source, uri)
    if changed := _changed(record.data, data_fingerprints(data)):
        where = "the store" if record.source.place == STORE else record.source.place
        difference = f"the data of {', '.join(changed)} in {where} has changed since the run; restore it to compare"
        return Verdict(name, False, (difference,), notes)
    run = run_backtest(record.spec, data, progress)
    repeated = {"trades": dataframes.trades(run), "equity_curve": dataframes.equity_curve(run)}
    differences = [f for piece in COMPARED for f in _difference(piece, library.piece(name, piece), repeated[piece])]
    if (run.state, run.failure) != (record.state, record.failure):
        differences.append(f"the run now ends {run.state} {run.failure}, it ended {record.state} {record.failure}")
    return Verdict(name, not differences, tuple(differences), notes)


def _changed(stored: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in stored.keys() | now.keys() if stored.get(name) != now.get(name))


def _difference(piece: str, stored: pd.DataFrame, repeated: pd.DataFrame) -> list[str]:
    """The first difference of two tables; nothing where every byte is the same."""
    if dataframes.digest(stored) == dataframes.digest(repeated) or not len(stored) + len(repeated):
        return []
    if len(stored) != len(repeated):
        return [f"{piece} has {len(repeated):,} rows where {len(stored):,} are stored"]
    for row in range(len(stored)):
        for column in stored.columns:
            if column not in repeated or str(stored[column].iat[row]) != str(repeated[column].iat[row]):
                now = repeated[column].iat[row] if column in repeated else "missing"
                return [f"{piece}, row {row + 1}, {column}: {now!s} where {stored[column].iat[row]!s} is stored"]
    return [f"{piece} differs in its times or types"]


def _code_notes(record: Record) -> tuple[str, ...]:
    """Differences between today's code and that of the run."""
    now = code_of(record.spec)
    notes = [
        f"the file of strategy {name} has changed since the run"
        for name, stored in record.code.files.items()
        if now.files.get(name) != stored
    ]
    if (now.package, now.commit) != (record.code.package, record.code.commit):
        was = f"{record.code.package} {record.code.commit}".strip()
        notes.append(f"the run was made by mats {was}, this is mats {now.package} {now.commit}".rstrip())
    return tuple(notes)
