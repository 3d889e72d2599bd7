"""Puts the parts of a run together, and says in one sentence what does not fit."""

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from mats.backtest.engine.bar_feed import BarFeed, Clock, timeline
from mats.backtest.engine.bar_matching import BarMarket, Friction
from mats.backtest.engine.bar_order import BarOrder
from mats.backtest.engine.context import Queue, RunContext
from mats.backtest.engine.order_path import ROUTE, OrderPath
from mats.backtest.engine.own_bars import OwnBars
from mats.backtest.engine.portfolio import Portfolio
from mats.backtest.engine.settlement import Settlement
from mats.backtest.engine.strategy_driver import BacktestHost, StrategyDriver
from mats.backtest.spec import BacktestSpec, ModelSettings
from mats.errors import UserError
from mats.ledger.books import Book
from mats.model import (
    DAY,
    ONE,
    SECOND,
    Currency,
    Instrument,
    InstrumentId,
    IntentId,
    Nanos,
    OrderView,
    Signal,
    StrategyName,
    StrategyRecord,
    Unknown,
    check_table,
    check_weights,
    exact,
    iso,
)
from mats.model.bar_columns import BarData, Split
from mats.orders import OrderFlow, PreTrade
from mats.risk import Limits, MarketQuote, MarketState, RiskState
from mats.strategy import LogLevel, Position
from mats.strategy.hosting import OrderCommand, shares
from mats.venue.models import FeeModel, FixedFees, NoFees, PerUnitFees, TieredFees

ACCOUNT = "BACKTEST"
LINES_KEPT = 1_000

Due = tuple[int, Callable[[], None]]
"""Something to do before the opens that lead to a close of the timeline."""


class BacktestError(UserError):
    """A backtest that cannot begin; the text names the input, its value and the fix."""


class RunMarket(MarketState):
    """The market state of a run: its figures are looked up as of the clock."""

    def __init__(
        self,
        context: RunContext,
        limits: Limits,
        weights: Mapping[StrategyName, Decimal],
        given: Mapping[StrategyName, Decimal],
    ) -> None:
        super().__init__(limits, context.portfolio.base, (context.account,))
        self.accounts, self.behind, self.routes = (context.account,), (), {ROUTE}
        self._feeds, self._portfolio = context.feeds, context.portfolio
        self._base, self._weights, self._given = context.portfolio.base, weights, given
        for feed in context.feeds.values():
            self.know(feed.instrument)

    def equity(self, strategy: StrategyName) -> Decimal | None:
        """The equity that was given for it, else its weight of the total."""
        total = self._portfolio.equity()
        if total is None:
            return None
        given = self._given.get(strategy)
        return self._weights[strategy] * total if given is None else given

    def quote(self, instrument: Instrument, now: Nanos, monotonic: float) -> MarketQuote:
        """Between two closes a price cannot be younger than the last close: it grows old when the next one is late."""
        feed = self._feeds[instrument.id]
        rate = ONE if instrument.currency == self._base else self._rate(instrument.currency)
        if (price := feed.mark()) is None:
            return None, None, rate
        due = feed.due()
        return price, 0.0 if due >= now else monotonic - due / SECOND, rate

    def _rate(self, currency: Currency) -> Decimal | Unknown:
        rate = self._portfolio.rate(currency)
        return Unknown(f"no rate from {currency} to {self._base} is known") if rate is None else rate


class StrategyAccount:
    """What a run knows of one strategy."""

    def __init__(self, name: StrategyName, assembly: "Assembly") -> None:
        self._name, self._run = name, assembly

    def equity(self) -> Decimal | None:
        return self._run.market.equity(self._name)

    def positions(self) -> dict[InstrumentId, Position]:
        held = self._run.portfolio.held(self._name)
        return {name: _position(book) for name, book in held.items()}

    def working_orders(self) -> dict[IntentId, OrderView]:
        flow = self._run.flow
        orders = ((intent_id, flow.working(intent_id)) for intent_id in flow.working_ids)
        return {intent_id: order.view() for intent_id, order in orders if order and order.origin.strategy == self._name}


def _position(book: Book) -> Position:
    return Position(instrument=book.instrument, quantity=book.quantity, average_price=book.average_price)


class Assembly:
    """Everything that a run consists of. `due` is what the calendar brings, by the step of the timeline."""

    def __init__(self, spec: BacktestSpec, data: BarData) -> None:
        check_table(spec.strategies, "the backtest")
        self.clock = Clock(spec.start)
        self.queue: Queue = deque()
        self.signals: list[Signal] = []
        self.log: deque[str] = deque(maxlen=LINES_KEPT)
        self._spec, self._data = spec, data
        self._minted = count(1)
        self._weights = {record.name: exact(record.target_weight) for record in spec.strategies}
        check_weights(shares(spec.strategies), allow_leverage=False)
        self.drivers = {record.name: self._driver(record) for record in sorted(spec.strategies, key=_name)}
        self.feeds = self._watched()
        own = OwnBars(data, self.feeds, self.clock)
        for driver in self.drivers.values():
            driver.watch(own)
        own.mark_regular_hours()
        self.closes = timeline((*self.feeds.values(), *own.made))
        friction = Friction(
            spread_ticks=spec.models.spread_ticks,
            slippage_ticks=spec.models.slippage_ticks,
            participation=spec.models.participation,
        )
        self.active: dict[InstrumentId, BarMarket] = {}
        self.markets = {
            name: BarMarket(feed, number, friction, self.active)
            for number, (name, feed) in enumerate(self.feeds.items())
        }
        every_feed = {**self.feeds, **self._pairs()}
        self.portfolio = Portfolio(ACCOUNT, spec.currency, spec.capital, every_feed, self.clock)
        context = RunContext(ACCOUNT, self.drivers, self.feeds, self.markets, self.portfolio, self.clock, self.queue)
        self.market = RunMarket(context, spec.limits, self._weights, spec.equities)
        self.flow: OrderFlow[BarOrder] = OrderFlow(PreTrade(RiskState(), self.market, spec.limits, _route), ROUTE)
        self.path = OrderPath(context, self.flow, round(spec.models.latency * SECOND))
        self.settlement = Settlement(context, self.path, fee_model(spec.models))
        self._decide, self._on_command = self.path.decide, self.path.on_command
        self.due = sorted((*self._actions(), *self._borrowing()), key=lambda item: item[0])

    @property
    def shares(self) -> dict[StrategyName, Decimal]:
        """What part of the capital each strategy begins with."""
        return {name: self._spec.equities.get(name, w * self._spec.capital) for name, w in self._weights.items()}

    def _submit(self, signal: Signal) -> None:
        self.signals.append(signal)
        self.queue.append((self._decide, signal))

    def _send(self, command: OrderCommand) -> None:
        self.queue.append((self._on_command, command))

    # Strategies

    def _driver(self, record: StrategyRecord) -> StrategyDriver:
        host = BacktestHost(
            self._submit, self._send, self._mint, lambda: self.clock.now, partial(self._note, record.name)
        )
        host.account = StrategyAccount(record.name, self)
        driver = StrategyDriver(record, Path(self._spec.folder), host, self._spec.bar_seconds, self.clock)
        if missing := [name for name in driver.instruments if name not in self._data.bars]:
            raise BacktestError(
                f"strategy {record.name} trades {missing[0]}, of which there are no bars; the data has "
                f"{', '.join(sorted(self._data.bars)) or 'nothing'}"
            )
        return driver

    def _mint(self) -> IntentId:
        return f"bt-{next(self._minted)}"

    def _note(self, strategy: StrategyName, level: LogLevel, text: str) -> None:
        self.log.append(f"{iso(self.clock.now)} {level} {strategy}: {text}")

    # Data

    def _watched(self) -> dict[InstrumentId, BarFeed]:
        names = sorted({name for driver in self.drivers.values() for name in driver.instruments})
        feeds = {name: self._feed(name, number) for number, name in enumerate(names, 1)}
        if all(feed.first == feed.last for feed in feeds.values()):
            spec = self._spec
            raise BacktestError(
                f"no bar of {', '.join(names)} begins from {iso(spec.start)} to before {iso(spec.end)}; "
                "give another period or more data"
            )
        return feeds

    def _feed(self, name: InstrumentId, number: int) -> BarFeed:
        """The bars of an instrument, which counts as completed by the broker under some contract id."""
        spec, columns, instrument = self._spec, self._data.bars[name], self._data.instruments[name]
        if columns.seconds != spec.bar_seconds:
            raise BacktestError(
                f"the bars of {name} span {columns.seconds} s and the run is over bars of {spec.bar_seconds} s; "
                "load bars of that span"
            )
        first, last = np.searchsorted(columns.start, [spec.start, spec.end], side="left").tolist()
        return BarFeed(replace(instrument, con_id=instrument.con_id or number), columns, first, last, self.clock)

    def _pairs(self) -> dict[InstrumentId, BarFeed]:
        """Pairs that nobody trades, but that tell the rate of a currency."""
        base, known = self._spec.currency, self.feeds
        currencies = {feed.instrument.currency for feed in known.values()} - {base}
        names = [name for c in sorted(currencies) for name in (c + base, base + c) if name in self._data.bars]
        pairs = {name: self._feed(name, 0) for name in names if name not in known}
        for feed in pairs.values():
            feed.lay_out(self.closes)
        return pairs

    # Calendar

    def _actions(self) -> list[Due]:
        """Splits and dividends, each before the open of the first bar that is not over when it takes effect."""
        planned: list[Due] = []
        for name, feed in self.feeds.items():
            for action in sorted(self._data.actions.get(name, ()), key=lambda a: (a.time, not isinstance(a, Split))):
                row = int(np.searchsorted(feed.columns.end, action.time, side="right"))
                if feed.first <= row < feed.last:
                    step = int(np.searchsorted(self.closes, int(feed.columns.end[row])))
                    planned.append((step, partial(self.settlement.act, feed.instrument, action)))
        return planned

    def _borrowing(self) -> list[Due]:
        """Borrowed shares are paid for before the first open of each new UTC day, for every night since the last."""
        if not self._spec.models.borrow_rate:
            return []
        rate, days = exact(self._spec.models.borrow_rate), (self.closes - 1) // DAY
        nights = np.diff(days, prepend=days[:1])
        return [
            (step, partial(self.settlement.borrow, rate, int(nights[step]))) for step in np.flatnonzero(nights).tolist()
        ]


def fee_model(models: ModelSettings) -> FeeModel:
    """The schedule of commissions that is meant."""
    match models.fees:
        case "ib-fixed":
            return FixedFees()
        case "ib-tiered":
            return TieredFees()
        case "per-unit":
            return PerUnitFees(models.fee_per_unit)
        case "none":
            return NoFees()


def _route(strategy: StrategyName) -> int:
    return ROUTE


def _name(record: StrategyRecord) -> StrategyName:
    return record.name
