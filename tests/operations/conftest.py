"""What an event costs, counted in operations: no clock, so that every machine counts the same.

Every connection to a journal counts its statements, its commits and the steps of SQLite's engine, which grow with the
rows it looks at. The journal counts the entries it reads, the store its calls and the rows that they read and write.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from arcticdb.version_store.library import Library
from msgspec.structs import replace

from mats.model import (
    SECOND,
    Commission,
    CommissionRecorded,
    Entry,
    Execution,
    FillRecorded,
    OrderIntent,
    OrderState,
    OrderTicket,
    Side,
    opening_view,
    parse_instrument,
)
from mats.runtime import VirtualRuntime
from mats.runtime.testing import Probe
from mats.store.journal import Journal, fill_log
from mats.store.tables.rows import PositionRow

SPY = replace(parse_instrument("SPY"), con_id=1)
START = 1_700_000_100 * SECOND

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


Cost = dict[str, int]


@pytest.fixture
def costs(tmp_path: Path) -> Callable[[Callable[[Path, int], list[Cost]]], None]:
    """Checks that a scenario, given a folder and the length of its history, costs the same for both lengths."""

    def check(scenario: Callable[[Path, int], list[Cost]]) -> None:
        short, long = (scenario(tmp_path / str(length), length) for length in (SHORT, LONG))
        assert any(short), "the scenario counts nothing"
        assert long == short

    return check
