"""Hosts that run strategies in tests: one that only records, and one that also fills orders from bars."""

import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from mats.model.executions import Execution, FillRecorded
from mats.model.market_data import Bar
from mats.model.money import ZERO
from mats.model.orders import OrderRequest, OrderState, OrderTicket, OrderType, OrderView, Side, Signal
from mats.model.timestamp import SECOND
from mats.strategy.host import Position
from mats.strategy.hosting.runner import StrategyRunner

ROOT = Path(__file__).resolve().parents[2]
START = 1_700_060_100 * SECOND  # 2023-11-15 14:55 UTC, 25 minutes after New York's open


class RecordingHost:
    """Keeps everything that a strategy asks for, in order."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.lines: list[tuple[str, str]] = []
        self.held: dict[str, Position] = {}
        self.working: dict[str, OrderView] = {}
        self.minted = 0
        self.cash: Decimal | None = Decimal(100_000)
        self.time = START

    def submit(self, signal) -> None:
        self.asked.append(signal)

    def place(self, request) -> None:
        self.asked.append(request)

    def cancel(self, request) -> None:
        self.asked.append(request)

    def modify(self, modification) -> None:
        self.asked.append(modification)

    def equity(self) -> Decimal | None:
        return self.cash

    def position(self, instrument) -> Position:
        return self.held.get(instrument, Position(instrument=instrument))

    def positions(self):
        return {key: position for key, position in self.held.items() if position.quantity}

    def working_orders(self):
        return self.working

    def now(self) -> int:
        return self.time

    def mint(self) -> str:
        self.minted += 1
        return f"i{self.minted}"

    def log(self, level, text) -> None:
        self.lines.append((level, text))


class FillingHost(RecordingHost):
    """Fills market orders at the next part's open and limits at their price once a part trades there."""

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[str, float] = {}
        self.fills: list[FillRecorded] = []
        self.runner: StrategyRunner | None = None

    def feed(self, part: Bar) -> None:
        """Match what waits against the part, then let the strategy see it."""
        for order in list(self.working.values()):
            if order.instrument == part.instrument and (price := self._price(order, part)) is not None:
                self._fill(order, price, part)
        self.last[part.instrument] = part.close
        self.runner.bar(part)

    def submit(self, signal: Signal) -> None:
        super().submit(signal)
        target = int(float(self.cash) * signal.strength / self.last[signal.instrument])
        pending = sum(o.quantity * o.side.sign for o in self.working.values() if o.instrument == signal.instrument)
        delta = Decimal(target) - self.position(signal.instrument).quantity - pending
        if delta:
            self._open(signal, Side.of(delta), abs(delta))

    def place(self, request: OrderRequest) -> None:
        super().place(request)
        quantity = request.quantity or Decimal(int(float(self.cash) * request.size / self.last[request.instrument]))
        self._open(request, request.side, quantity)

    def cancel(self, request) -> None:
        super().cancel(request)
        if (order := self.working.pop(request.intent_id, None)) is not None:
            self.runner.order_status(msgspec.structs.replace(order, state=OrderState.CANCELLED))

    def _open(self, wish: Signal | OrderRequest, side: Side, quantity: Decimal) -> None:
        self.working[wish.intent_id] = OrderView(
            intent_id=wish.intent_id,
            strategy=wish.strategy,
            account="DU1",
            instrument=wish.instrument,
            side=side,
            quantity=quantity,
            ticket=wish.ticket,
            state=OrderState.WORKING,
        )

    def _price(self, order: OrderView, part: Bar) -> float | None:
        if order.ticket.order_type is OrderType.MARKET:
            return part.open
        limit = float(order.ticket.limit_price)
        reached = part.low <= limit if order.side is Side.BUY else part.high >= limit
        return limit if reached else None

    def _fill(self, order: OrderView, price: float, part: Bar) -> None:
        del self.working[order.intent_id]
        before = self.position(order.instrument).quantity
        quantity = before + order.quantity * order.side.sign
        self.held[order.instrument] = Position(instrument=order.instrument, quantity=quantity)
        self.fills.append(make_fill(order, order.quantity, price, len(self.fills) + 1, part.start))
        filled = {"state": OrderState.FILLED, "filled": order.quantity, "average_price": Decimal(repr(price))}
        self.runner.order_status(msgspec.structs.replace(order, **filled))
        self.runner.fill(self.fills[-1])


def make_fill(order: OrderView, quantity: Decimal, price: float, seq: int, time: int) -> FillRecorded:
    execution = Execution(
        account=order.account,
        exec_id=f"e{seq}.01",
        instrument=order.instrument,
        side=order.side,
        quantity=quantity,
        price=Decimal(repr(price)),
        time=time,
    )
    return FillRecorded(seq=seq, strategy=order.strategy, intent_id=order.intent_id, execution=execution, recorded=time)


@pytest.fixture
def host() -> RecordingHost:
    return RecordingHost()


@pytest.fixture
def filling_host() -> Callable[[], FillingHost]:
    return FillingHost


@pytest.fixture
def part() -> Callable[..., Bar]:
    """A five-second bar that begins `at` seconds after a full minute."""

    def make(at: int, price: float = 100.0, instrument: str = "SPY", seconds: int = 5) -> Bar:
        return Bar(instrument, START + at * SECOND, seconds, price, price, price, price, 1.0)

    return make


@pytest.fixture
def view() -> Callable[..., OrderView]:
    """The view of an order to buy 10 SPY."""

    def make(intent_id: str = "i1", state: OrderState = OrderState.WORKING, filled: Decimal = ZERO) -> OrderView:
        return OrderView(
            intent_id=intent_id,
            strategy="s",
            account="DU1",
            instrument="SPY",
            side=Side.BUY,
            quantity=Decimal(10),
            ticket=OrderTicket(),
            state=state,
            filled=filled,
        )

    return make


@pytest.fixture
def fill_of() -> Callable[..., FillRecorded]:
    return make_fill


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def minute_data() -> Iterator[Path]:
    """The folder of real minute bars of SPY, IBM, BAC and AIG; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("MATS_DATA", ROOT.parent / "shared" / "data")) / "bars_1min" / "us_2013-10"
    if not folder.is_dir():
        pytest.skip("no real market data here; set MATS_DATA to its folder")
    yield folder
