"""What an event costs, counted in operations: no clock, so that every machine counts the same.

Every connection to a journal counts its statements, its commits and the steps of SQLite's engine, which grow with the
rows it looks at. The journal counts the entries it reads, the store its calls and the rows that they read and write,
the ledger the executions that it folds.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from arcticdb.version_store.library import Library
from msgspec.structs import replace

from actors.persistence_writer import PersistenceWriter
from actors.portfolio_manager import PortfolioManager
from mats.instruments import parse_instrument
from mats.ledger.books import book_fold
from mats.ledger.books.lots import OpenLots
from mats.model import (
    SECOND,
    Commission,
    CommissionRecorded,
    Entry,
    Execution,
    FillCorrected,
    FillRecorded,
    OrderIntent,
    OrderState,
    OrderTicket,
    Side,
    opening_view,
)
from mats.runtime import Ref, VirtualRuntime
from mats.runtime.testing import Probe
from mats.store.journal import Journal, fill_log
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.rows import PositionRow

SPY = replace(parse_instrument("SPY"), con_id=1)
START = 1_700_060_100 * SECOND

SHORT, LONG = 12, 10_000
"""Entries that were there before the event whose cost is counted; the strategy is flat after either."""

READS, WRITES = ("read", "tail", "head"), ("write", "append", "update")


class Operations:
    """Counts what is done from `begin` on."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def begin(self) -> None:
        self._counts.clear()

    def add(self, kind: str, count: int = 1) -> None:
        self._counts[kind] += count

    def count_messages(self, *probes: Probe) -> list[object]:
        """What the probes have got since they were looked at last, counted with the entries in it."""
        got = []
        for probe in probes:
            while (envelope := probe._take(0.0)) is not None:
                got.append(envelope.message)
                self.add(f"{probe.ref.name} gets {type(envelope.message).__name__}")
                self.add("entries sent", len(getattr(envelope.message, "entries", ())))
        return got

    def taken(self) -> dict[str, int]:
        return {kind: count for kind, count in sorted(self._counts.items()) if count}

    def connect(self, path: Path, **options: object) -> sqlite3.Connection:
        """A connection that counts; a journal is opened with it in place of `sqlite3.connect`."""
        connection = CONNECT(path, **options)
        connection.set_trace_callback(self._statement)
        connection.set_progress_handler(self._step, 1)
        return connection

    def _statement(self, statement: str) -> None:
        self.add("commits" if statement == "COMMIT" else "statements")

    def _step(self) -> int:
        self.add("steps")
        return 0


CONNECT = sqlite3.connect


class CountingDecoder:
    def __init__(self, decoder: object, operations: Operations) -> None:
        self._decoder, self._operations = decoder, operations

    def decode(self, data: bytes) -> Entry:
        self._operations.add("entries read")
        return self._decoder.decode(data)


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> Operations:
    counted = Operations()
    monkeypatch.setattr("mats.store.journal.journal_file.sqlite3.connect", counted.connect)
    monkeypatch.setattr(fill_log, "_entry", CountingDecoder(fill_log._entry, counted))
    for name in READS + WRITES:
        monkeypatch.setattr(Library, name, _counting(counted, name, getattr(Library, name)))
    monkeypatch.setattr(OpenLots, "apply", _folding(counted, OpenLots.apply))
    monkeypatch.setattr(book_fold, "trade", _folding(counted, book_fold.trade))
    return counted


def _folding(operations: Operations, call: Callable[..., object]) -> Callable[..., object]:
    def counted(*arguments: object) -> object:
        operations.add("executions folded")
        return call(*arguments)

    return counted


def _counting(operations: Operations, name: str, call: Callable[..., object]) -> Callable[..., object]:
    def counted(library: Library, symbol: str, *arguments: object, **options: object) -> object:
        answer = call(library, symbol, *arguments, **options)
        operations.add(f"{name} of {library.name}")
        frame = answer.data if name in READS else arguments[0]
        operations.add("rows read" if name in READS else "rows written", len(frame))
        return answer

    return counted


class History:
    """Entries of one strategy that buys and sells in turn, each with its cost, and the orders that they are of."""

    @staticmethod
    def execution(number: int) -> Execution:
        return Execution(
            account="DU1",
            exec_id=f"0000.{number:06d}.01",
            instrument="SPY",
            side=Side.SELL if number % 2 else Side.BUY,
            quantity=Decimal(10),
            price=Decimal(100),
            time=START + number * SECOND,
            order_ref=f"trend:i{number}",
            perm_id=9_000 + number,
            client_id=1,
            order_id=number + 1,
        )

    @staticmethod
    def commission(number: int) -> Commission:
        return Commission(exec_id=f"0000.{number:06d}.01", amount=Decimal(1), currency="USD")

    def burst(self, number: int, count: int, side: Side) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
        """So many executions of one second, the first of them `number`, and their commissions, which follow them."""
        fills, charges = [], []
        for place in range(count):
            fill, charge = self.pair(number + place)
            execution = replace(fill.execution, side=side, time=START + number * SECOND)
            fills.append(replace(fill, seq=2 * number + 1 + place, execution=execution))
            charges.append(replace(charge, seq=2 * number + 1 + count + place, execution=execution))
        return tuple(fills), tuple(charges)

    def past_changes(self, number: int) -> tuple[Entry, ...]:
        """What changes the past of the executions before `number`: a correction with its commission, another amount
        for a commission, and an execution that comes late."""
        fill, charge = self.pair(number - 4)
        fixed = replace(fill.execution, exec_id=f"{fill.execution.family}.02", price=Decimal(101))
        again = self.pair(number - 3)[1]
        late = self.pair(number)[0]
        whose = {"strategy": fill.strategy, "intent_id": fill.intent_id, "recorded": late.recorded}
        seq = late.seq
        return (
            FillCorrected(seq=seq, execution=fixed, previous=fill.execution, **whose),
            replace(charge, seq=seq + 1, execution=fixed, commission=replace(charge.commission, exec_id=fixed.exec_id)),
            replace(
                again,
                seq=seq + 2,
                previous=again.commission,
                commission=replace(again.commission, amount=Decimal(2)),
            ),
            replace(late, seq=seq + 3, execution=replace(late.execution, time=again.execution.time)),
        )

    def entries(self, first: int, count: int) -> tuple[Entry, ...]:
        """`count` entries, an even number, beginning with the execution `first`."""
        return tuple(entry for number in range(first, first + count // 2) for entry in self.pair(number))

    def pair(self, number: int) -> tuple[FillRecorded, CommissionRecorded]:
        execution, seq = self.execution(number), 2 * number + 1
        whose = {"strategy": "trend", "intent_id": f"i{number}", "execution": execution, "recorded": execution.time}
        return (
            FillRecorded(seq=seq, **whose),
            CommissionRecorded(seq=seq + 1, rate=Decimal(1), commission=self.commission(number), **whose),
        )

    @staticmethod
    def intent(number: int) -> OrderIntent:
        return OrderIntent(
            intent_id=f"i{number}",
            strategy="trend",
            account="DU1",
            instrument=SPY,
            side=Side.SELL if number % 2 else Side.BUY,
            quantity=Decimal(10),
            ticket=OrderTicket(),
            time=START,
        )

    @staticmethod
    def position(seq: int) -> PositionRow:
        """A position after entry `seq`; all of them are of one second."""
        return PositionRow(
            account="DU1",
            strategy="trend",
            instrument="SPY",
            quantity=Decimal(seq + 1),
            average_cost=Decimal(100),
            currency="USD",
            time=START + seq,
            fills_seq=seq,
        )

    def journal(self, path: Path, entries: int, orders: int = 0) -> None:
        """Writes a journal with so many entries, and orders that have filled."""
        path.parent.mkdir(parents=True, exist_ok=True)
        journal = Journal(path)
        journal._db.execute("PRAGMA synchronous = OFF")
        if entries:
            journal.append(self.entries(0, entries))
        views = []
        for number in range(orders):
            intent = self.intent(number)
            view = opening_view(intent)
            journal.record_intent(intent, view, "0")
            views.append(replace(view, state=OrderState.FILLED, filled=view.quantity))
        if views:
            journal.record_views(views)
        journal.close()


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def worlds() -> Iterator[Callable[[], VirtualRuntime]]:
    """Makes runtimes in virtual time, which end with the test."""
    made: list[VirtualRuntime] = []

    def make() -> VirtualRuntime:
        made.append(VirtualRuntime(start=START))
        return made[-1]

    yield make
    for runtime in made:
        runtime.stop(5.0)


Stage = tuple[Ref[object], tuple[Probe, ...]]
"""A stage, and the probes that get what it sends."""


@pytest.fixture
def portfolio_manager() -> Callable[[VirtualRuntime, Path], Stage]:
    """Starts one on the journal of a folder."""

    def start(runtime: VirtualRuntime, folder: Path) -> Stage:
        names = ("fill-log", "risk", "store", "ib-0", "market-data", "manager")
        log, risk, store, broker, market_data, manager = probes = tuple(map(runtime.probe, names))
        args = PortfolioManager.Args(
            journal_path=folder / "journal.db", base_currency="USD",
            rate_stale_after=86_400.0, reconcile_every=60.0, grace=0.0, fill_log=log.ref, risk=risk.ref,
            store=store.ref, broker=broker.ref, market_data=market_data.ref, strategy_manager=manager.ref,
        )  # fmt: skip
        return runtime.spawn(PortfolioManager, args, name="portfolio"), probes

    return start


@pytest.fixture
def persistence_writer() -> Callable[[VirtualRuntime, Path], Stage]:
    """Starts one on the journal and the store of a folder."""

    def start(runtime: VirtualRuntime, folder: Path) -> Stage:
        log = runtime.probe("fill-log")
        args = PersistenceWriter.Args(
            uri=lmdb_uri(folder / "arctic"), journal_path=folder / "journal.db", rejects=folder / "rejects.jsonl",
            base_currency="USD", keep_days=1e6, matching="fifo", stages=("store",), fill_log=log.ref, publishers=(),
        )  # fmt: skip
        return runtime.spawn(PersistenceWriter, args, name="store"), (log,)

    return start


Cost = dict[str, int]


@pytest.fixture
def costs(tmp_path: Path) -> Callable[[Callable[[Path, int], list[Cost]]], None]:
    """Checks that a scenario, given a folder and the length of its history, costs the same for both lengths."""

    def check(scenario: Callable[[Path, int], list[Cost]]) -> None:
        short, long = (scenario(tmp_path / str(length), length) for length in (SHORT, LONG))
        assert any(short), "the scenario counts nothing"
        assert long == short

    return check
