"""Books against a real gateway over TCP (G3): attribution over restarts, what comes from elsewhere, and a split."""

import gzip
import os
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from actors.messages.portfolio_manager import AnswerBreak, BreakAnswered, Breaks, ReadBreaks
from mats.gateway.faults import fault_types
from mats.ledger.books.book import Book, BookKey
from mats.ledger.reconciliation.break_causes import SplitCause
from mats.ledger.reconciliation.breaks import Break, BreakState, describe
from mats.model.orders import DISCRETIONARY, Side
from mats.store.journal.journal import Journal
from tests.patience import PATIENCE
from tests.system.harness import ACCOUNT, ROOT, until, write_bars
from tests.system.inside import GatewayThread, System, running_system, write_strategies

HOLDER = '''
from mats.strategy import Bar, OrderTicket, Side, Strategy


class Holder(Strategy):
    """Takes its position once, and keeps it."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        quantity: int = 100
        bar_seconds: int = 5

    params: Params

    def on_start(self) -> None:
        self.asked = False

    def on_bar(self, bar: Bar) -> None:
        held = self.broker.position(bar.instrument).quantity
        if not self.asked and not held:
            self.asked = True
            side = Side.BUY if self.params.quantity > 0 else Side.SELL
            self.broker.place_order(bar.instrument, OrderTicket(), side, quantity=abs(self.params.quantity))
'''
LOOKS = 2
"""So many comparisons with the broker put everything from elsewhere into `Discretionary`: one that finds it, one that
proves it. How many seconds that takes with the default settings is counted in `tests/ledger/test_scheduler.py`."""
SPARE = 1
"""One more may be on its way already: it sees that what was booked before is right."""
HOUR = 3_600.0
"""Between two regular comparisons: none of those that are counted is one."""
DEFAULTS = {"reconcile_every": 60.0, "grace": 3.0}


def holders(instrument: str = "SPY", **quantities: int) -> str:
    """A strategy table of holders, each with its quantity."""
    return "\n".join(
        f'[[strategy]]\nname = "{name}"\nfile = "holder.py"\nclass_name = "Holder"\ntarget_weight = 0.2\n'
        f'params = {{ instrument = "{instrument}", quantity = {quantity} }}\n'
        for name, quantity in quantities.items()
    )


def held(system: System, instrument: str = "SPY") -> dict[str, Decimal]:
    """Who holds how much."""
    return {
        book.strategy: book.quantity
        for book in system.portfolio().books
        if book.instrument == instrument and book.quantity
    }


def breaks(system: System) -> Breaks:
    answer = system.names.portfolio.ask(ReadBreaks(past=20), timeout=PATIENCE)
    assert isinstance(answer, Breaks)
    return answer


def wait_until_held(system: System, seconds: float = PATIENCE, **quantities: int) -> None:
    until(lambda: held(system) == quantities, seconds, f"the books {quantities}")


class LookCounter:
    """Comparisons from the gateway's message to the book of `Discretionary`, after which both agree again."""

    def __init__(self, system: System, traffic: Path) -> None:
        self._system, self._traffic = system, traffic

    def count(self, *faults: fault_types.AnyFault, discretionary: int) -> int:
        begun = positions_told(self._traffic)
        self._system.gateway.fault(lambda hooks: hooks.arm(*faults))
        until(
            lambda: held(self._system).get(DISCRETIONARY, 0) == discretionary, PATIENCE, f"{discretionary} unattributed"
        )
        looks = positions_told(self._traffic) - begun
        until(lambda: not breaks(self._system).open, PATIENCE, "agreement again")
        return looks


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayThread]:
    gateway = GatewayThread(replay=write_bars(tmp_path / "bars", 3), bar_seconds=1.5, hold_seconds=0.2)
    yield gateway
    gateway.stop()


def test_attribution_at_a_net_of_zero_outlives_daemon_and_gateway(tmp_path: Path) -> None:
    write_strategies(tmp_path, holders(long=100, short=-100), holder=HOLDER)
    options = {"replay": write_bars(tmp_path / "bars", 3), "bar_seconds": 1.5, "state": tmp_path / "gateway.db"}
    gateway = GatewayThread(**options)
    port = gateway.gateway.port
    with running_system(tmp_path, gateway) as system:
        wait_until_held(system, long=100, short=-100)
        system.wait_until_booked()
        system.wait_for_agreement()
        before = {book.key: book for book in system.portfolio().books}
        lines = system.incarnations()["brokers/ib-0"]
        gateway.stop()
        gateway = system.gateway = GatewayThread(port=port, **options)
        until(lambda: system.incarnations()["brokers/ib-0"] > lines, PATIENCE, "a new connection")
        system.wait_for_agreement()
        assert attributed(system.portfolio().books) == attributed(before.values())
        summary, _ = system.finish()
        assert summary.breaks == 0
    with running_system(tmp_path, gateway) as system:
        system.wait_for_agreement()
        portfolio = system.portfolio()
        assert attributed(portfolio.books) == attributed(before.values())
        assert [p.quantity for p in portfolio.broker if p.instrument == "SPY" and p.quantity] == []
        assert breaks(system) == Breaks((), ())
    gateway.stop()


def attributed(books: Iterable[Book]) -> dict[BookKey, tuple[Decimal, Decimal, Decimal]]:
    """What every book holds, what that cost, and what it earned."""
    return {book.key: (book.quantity, book.cost, book.realized) for book in books}


def test_what_comes_from_elsewhere_is_discretionary_after_two_looks_with_its_proof(
    tmp_path: Path, gateway: GatewayThread
) -> None:
    write_strategies(tmp_path, holders(one=100), holder=HOLDER)
    traffic = tmp_path / "traffic.jsonl"
    gateway.fault(lambda hooks: hooks.record(traffic))
    with running_system(tmp_path, gateway, **DEFAULTS | {"reconcile_every": HOUR}) as system:
        wait_until_held(system, one=100)
        system.wait_until_booked()
        counter = LookCounter(system, traffic)
        looks = {
            "manual trade": counter.count(
                fault_types.ManualOrder(instrument="SPY", side=Side.BUY, quantity=30), discretionary=30
            ),
            "transfer in": counter.count(
                fault_types.Transfer(instrument="SPY", quantity=50, price=590), discretionary=80
            ),
            "transfer out": counter.count(fault_types.Transfer(instrument="SPY", quantity=-20), discretionary=60),
            "liquidation": counter.count(fault_types.Liquidate(instrument="SPY"), discretionary=-100),
        }
        for transfer in ("transfer in", "transfer out"):  # the others are executions, and need no proof
            assert LOOKS <= looks[transfer] <= LOOKS + SPARE, looks
        assert held(system)["one"] == 100
        proved(breaks(system).past)
    journal = Journal(system.data / "journal.db")
    fills = [entry for entry in journal.entries_of(ACCOUNT, DISCRETIONARY, "SPY") if hasattr(entry, "execution")]
    by_hand = {entry.execution.exec_id: entry.execution.signed_quantity for entry in fills}
    journal.close()
    assert sorted(by_hand.values()) == [-160, 30], "the executions that nobody of us caused"


def test_an_option_that_is_assigned_delivers_to_its_holder_at_the_strike(
    tmp_path: Path, gateway: GatewayThread
) -> None:
    write_strategies(tmp_path, holders(one=100), holder=HOLDER)
    calls = [o for o in gateway.call(lambda g: g.universe.options_on("SPY")) if o.right == "C"]
    call = calls[len(calls) // 2]
    with running_system(tmp_path, gateway, grace=0.3) as system:
        wait_until_held(system, one=100)
        gateway.fault(lambda hooks: hooks.arm(fault_types.Transfer(instrument=call.id, quantity=-1, price=5)))
        until(lambda: held(system, call.id) == {DISCRETIONARY: -1}, PATIENCE, "a short call")
        until(lambda: not breaks(system).open, PATIENCE, "agreement")
        assigned = (
            fault_types.Transfer(instrument=call.id, quantity=1, price=0),
            fault_types.Transfer(instrument="SPY", quantity=-100, price=float(call.strike)),
        )
        gateway.fault(lambda hooks: hooks.arm(*assigned))
        wait_until_held(system, one=100, Discretionary=-100)
        books = {(book.strategy, book.instrument): book for book in system.portfolio().books}
        assert books[DISCRETIONARY, "SPY"].cost == -100 * call.strike
        assert (books[DISCRETIONARY, call.id].quantity, books[DISCRETIONARY, call.id].realized) == (0, 500)
        until(lambda: not breaks(system).open, PATIENCE, "agreement again")


def test_positions_on_a_link_that_is_down_prove_nothing(tmp_path: Path, gateway: GatewayThread) -> None:
    write_strategies(tmp_path, holders(one=100), holder=HOLDER)
    traffic = tmp_path / "traffic.jsonl"
    gateway.fault(lambda hooks: hooks.record(traffic))
    with running_system(tmp_path, gateway, grace=0.2) as system:
        wait_until_held(system, one=100)
        system.wait_for_agreement()
        gateway.fault(lambda hooks: hooks.connectivity(1100))
        gateway.fault(lambda hooks: hooks.arm(fault_types.Transfer(instrument="SPY", quantity=50, price=590)))
        for _ in range(3):
            told = positions_told(traffic)
            system.operator.reconcile()
            until(lambda n=told: positions_told(traffic) > n, PATIENCE, "positions of the gateway")
        assert breaks(system) == Breaks((), ())
        gateway.fault(lambda hooks: hooks.connectivity(1102))
        wait_until_held(system, one=100, Discretionary=50)


def positions_told(traffic: Path) -> int:
    """How often the gateway has told all its positions."""
    return traffic.read_text().count('"kind":"out","fields":["62"')


def test_what_nobody_follows_has_a_price_all_the_same(tmp_path: Path, gateway: GatewayThread) -> None:
    write_strategies(tmp_path, holders(one=100), holder=HOLDER)
    with running_system(tmp_path, gateway, **DEFAULTS) as system:
        gateway.fault(lambda hooks: hooks.arm(fault_types.ManualOrder(instrument="IBM", side=Side.BUY, quantity=3)))
        until(lambda: system.portfolio().prices.get("IBM"), PATIENCE, "a price of IBM")


def proved(past: tuple[Break, ...]) -> None:
    """Each transfer has a break whose proof adds up, and whose end names the entry that made the numbers equal."""
    out, come = (found for found in past if found.state is BreakState.ADJUSTED)
    for found, quantity in ((come, 50), (out, -20)):
        assert found.difference == quantity
        assert found.proof is not None
        assert found.proof.expected == found.expected
        assert found.resolution == f"booked as {quantity:+} to Discretionary"
        assert [line.quantity for line in found.settled_by if line.what == "adjustment"] == [quantity]
        assert found.agreed is not None
        assert found.agreed.quantity + sum(line.quantity for line in found.proof.lines) == found.expected
        assert "agreed on" in describe(found, found.first_seen)
    assert come.proof is not None and come.proof.average_cost


def test_a_split_over_which_a_share_was_held_is_asked_and_costs_nobody_anything(tmp_path: Path) -> None:
    """Apple, 7 for 1, on the morning of 2014-06-09. The daemon is started anew while the question is open."""
    write_strategies(tmp_path, holders("AAPL", trend=70, revert=-20), holder=HOLDER)
    gateway = GatewayThread(replay=apple(tmp_path / "bars"), bar_seconds=0.2, hold_seconds=0.2)
    try:
        with running_system(tmp_path, gateway, grace=0.5) as system:
            until(lambda: held(system, "AAPL") == {"trend": 70, "revert": -20}, PATIENCE, "positions before the split")
            system.wait_for_agreement()
            before = system.portfolio().books
            until(lambda: system.portfolio().prices.get("AAPL", 999) < 100, PATIENCE, "the price after the split")
            gateway.fault(lambda hooks: hooks.arm(fault_types.StockSplit(instrument="AAPL", new=7, old=1)))
            asked = question(system)
            assert (asked.expected, asked.broker, asked.suspects) == (50, 350, (SplitCause("AAPL", 7, 1),))
            assert attributed(system.portfolio().books) == attributed(before), "booked before anybody has answered"
        with running_system(tmp_path, gateway, grace=0.5) as system:
            assert question(system).id == asked.id
            answer = system.names.portfolio.ask(AnswerBreak(asked.id, asked.suspects[0]), timeout=PATIENCE)
            assert isinstance(answer, BreakAnswered)
            until(
                lambda: held(system, "AAPL") == {"trend": 490, "revert": -140},
                PATIENCE,
                "the positions after the split",
            )
            until(lambda: not breaks(system).open, PATIENCE, "agreement")
            after = {book.strategy: book for book in system.portfolio().books}
            for book in before:
                known = after[book.strategy]
                assert (known.cost, known.realized) == (book.cost, book.realized)
                assert abs(known.average_price * 7 / book.average_price - 1) < Decimal("1e-12")
            (past,) = breaks(system).past
            assert (past.id, past.resolution) == (asked.id, "booked as a 7:1 split of AAPL")
    finally:
        gateway.stop()


def question(system: System) -> Break:
    """The one break that waits for an answer."""
    until(lambda: [found.state for found in breaks(system).open] == [BreakState.QUESTION], PATIENCE, "the question")
    return breaks(system).open[0]


def apple(folder: Path) -> Path:
    """The last quarter of an hour before the split and the first day after it, as they were traded."""
    shared = Path(os.environ.get("MATS_DATA", ROOT.parent / "shared" / "data"))
    source = shared / "bars_1min" / "aapl_2014-06" / "AAPL.csv.gz"
    if not source.is_file():
        pytest.skip("no real market data here; set MATS_DATA to its folder")
    with gzip.open(source, "rt") as file:
        head, *lines = file.read().splitlines()
    friday = [line for line in lines if line.startswith("2014-06-06")][-15:]
    monday = [line for line in lines if line.startswith("2014-06-09")]
    folder.mkdir()
    (folder / "AAPL.csv").write_text("\n".join([head, *friday, *monday]) + "\n")
    return folder
