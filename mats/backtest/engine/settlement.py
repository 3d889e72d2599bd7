"""What the market does to orders and holdings in a backtest: fills and what they cost, splits, dividends, borrowing."""

from decimal import Decimal
from functools import partial

import msgspec
from msgspec.structs import replace

from mats.backtest.engine.bar_order import BarOrder
from mats.backtest.engine.context import RunContext, drain
from mats.backtest.engine.order_path import OrderPath
from mats.backtest.engine.run_records import CashEvent, RuledFill
from mats.ledger.books import Book
from mats.model import (
    ONE,
    ZERO,
    AdjustmentRecorded,
    Execution,
    FillRecorded,
    Instrument,
    InstrumentId,
    Nanos,
    OrderIntent,
    OrderTicket,
    SecType,
    Side,
    StrategyName,
    floor_to,
    order_ref,
    round_to,
)
from mats.model.bar_columns import CorporateAction, Dividend, Split
from mats.venue.matching import Account
from mats.venue.models import FeeModel, TieredFees

BUY = Side.BUY
CENT = Decimal("0.01")
YEAR = Decimal(365)
"""Days in a year of borrowing, as IB counts short stock fees: the rate divided by 365 for each calendar day."""


class FillNote(msgspec.Struct):
    """What is kept of a fill: `filled` and `value` are the order's totals after it, `place` its place in line then."""

    intent: OrderIntent
    seq: int
    quantity: Decimal
    price: Decimal
    time: Nanos
    rate: Decimal | None
    filled: Decimal
    value: Decimal
    place: int
    fee: Decimal
    rule: str

    def recorded(self) -> FillRecorded:
        """The fill as an entry of the log."""
        intent, instrument = self.intent, self.intent.instrument
        execution = Execution(
            account=intent.account,
            exec_id=f"{self.seq:08d}.01",
            instrument=instrument.id,
            side=intent.side,
            quantity=self.quantity,
            price=self.price,
            time=self.time,
            currency=instrument.currency,
            multiplier=instrument.unit_value,
            order_ref=order_ref(intent.strategy, intent.intent_id),
            perm_id=self.place,
            cumulative_quantity=self.filled,
            average_price=self.value / self.filled,
        )
        return FillRecorded(
            seq=self.seq,
            strategy=intent.strategy,
            intent_id=intent.intent_id,
            execution=execution,
            recorded=self.time,
            rate=self.rate,
        )


class Settlement:
    """Takes one thing at a time: the order and risk, then the books, then the strategy and what it says to that."""

    def __init__(self, run: RunContext, path: OrderPath, fees: FeeModel) -> None:
        self._account, _, self._feeds, self._markets, self._portfolio, self._clock, self._queue = run
        self._path, self._flow, self._fees = path, path.flow, fees
        self._drain = partial(drain, run.queue)
        self._month = Account(run.account, {}) if isinstance(fees, TieredFees) else None
        self._fills: list[FillNote] = []
        for market in run.markets.values():
            market.reports = self
        self.cash_events: list[CashEvent] = []
        self.splits: list[AdjustmentRecorded] = []

    def fills(self) -> list[RuledFill]:
        """Every fill of the run."""
        base = self._portfolio.base
        return [RuledFill(note.recorded(), note.fee, base, note.rule) for note in self._fills]

    # Orders

    def on_lapse(self, order: BarOrder, time: Nanos, reason: str) -> None:
        """An order ended by itself."""
        self._path.end(order, time, reason)
        self._drain()

    def on_trade(self, order: BarOrder, quantity: Decimal, price: Decimal, time: Nanos, rule: str) -> None:
        """An order traded."""
        intent, holding, portfolio = order.origin, order.holding, self._portfolio
        seq = self._flow.fill(order, intent, quantity, price, time)
        rate = ONE if holding.net.currency == portfolio.base else portfolio.rate(holding.net.currency)
        fee = self._charge(order, quantity, price, time, rate)
        portfolio.trade(holding, quantity if intent.side is BUY else -quantity, price, fee, seq)
        note = FillNote(intent, seq, quantity, price, time, rate, order.filled, order.notional, order.place, fee, rule)
        self._fills.append(note)
        driver = order.driver
        if driver.hears or driver.timers:
            driver.on_fill(note.recorded(), order.view())
        if self._path.brackets:
            self._path.filled(order, quantity, time)
        if self._flow.moved:
            self._queue.append((self._path.pursue, None))
        if self._queue:
            self._drain()

    def _charge(self, order: BarOrder, quantity: Decimal, price: Decimal, time: Nanos, rate: Decimal | None) -> Decimal:
        """What the fill adds to the cost of its order."""
        instrument = order.origin.instrument
        value = order.notional * instrument.unit_value
        if rate is not None:
            value *= rate
        month = ZERO if self._month is None else _month_before(self._month, order, quantity, price, time, value)
        total = self._fees.order_fee(instrument, order.filled, value, month)
        fee, order.fee = total - order.fee, total
        return fee

    # Holdings

    def act(self, instrument: Instrument, action: CorporateAction) -> None:
        """What the company did to its shares."""
        if isinstance(action, Split):
            self.split(instrument, action)
        else:
            self.dividend(instrument, action)

    def split(self, instrument: Instrument, split: Split) -> None:
        """Positions, average costs and working orders in new units; what is less than a lot is paid out."""
        feed, mark = self._feeds[instrument.id], self._feeds[instrument.id].mark()
        feed.split(split.ratio)
        for strategy in self._holders(instrument.id):
            before = self._portfolio.book(strategy, instrument)
            seq = self._flow.next_entry
            after, rest = self._portfolio.split(strategy, instrument, split.ratio, seq)
            change = after.quantity - before.quantity
            self._flow.adjust(self._account, strategy, instrument.id, change)
            self.splits.append(_adjustment(after, change, seq, f"split {split.ratio}:1", self._clock.now))
            if rest and mark is not None:
                self._pay(strategy, instrument, "split-cash", rest * mark / split.ratio * instrument.unit_value)
        orders = self._markets[instrument.id].orders.values()
        for order in (*orders, *self._path.brackets.waiting(instrument.id)):
            self._resize(order, split.ratio)

    def _resize(self, order: BarOrder, ratio: Decimal) -> None:
        """The order in new units: more of them, at lower prices."""
        step = order.instrument.size_increment
        quantity, filled = floor_to(order.quantity * ratio, step), floor_to(order.filled * ratio, step)
        self._path.resize(order, quantity, filled, _split_ticket(order.ticket, ratio, order.instrument))
        if order.remaining <= 0:
            self._markets[order.instrument.id].remove(order)
            self._path.end(order, self._clock.now, "nothing of it is left after the split")

    def dividend(self, instrument: Instrument, dividend: Dividend) -> None:
        """Who is long gets it, who is short pays it."""
        for strategy in self._holders(instrument.id):
            quantity = self._portfolio.book(strategy, instrument).quantity
            self._pay(strategy, instrument, "dividend", quantity * dividend.amount, dividend.currency)

    def borrow(self, rate: Decimal, days: int) -> None:
        """Who was short over the last `days` nights pays for what was borrowed, at the newest closes."""
        for strategy, name, quantity in self._portfolio.quantities():
            instrument, mark = self._feeds[name].instrument, self._feeds[name].mark()
            if quantity < 0 and mark is not None and instrument.sec_type is SecType.STOCK:
                cost = quantity * mark * instrument.unit_value * rate * days / YEAR
                self._pay(strategy, instrument, "borrow", cost.quantize(CENT))

    def _pay(
        self, strategy: StrategyName, instrument: Instrument, kind: str, amount: Decimal, currency: str = ""
    ) -> None:
        currency = currency or instrument.currency
        self._portfolio.balance(strategy, currency).pay(self._clock.step + 1, amount)
        event = CashEvent(self._clock.now, strategy, instrument.id, kind, amount, currency)  # type: ignore[arg-type]
        self.cash_events.append(event)

    def _holders(self, instrument: InstrumentId) -> list[StrategyName]:
        return [
            strategy for strategy, name, quantity in self._portfolio.quantities() if name == instrument and quantity
        ]


def _month_before(
    account: Account, order: BarOrder, quantity: Decimal, price: Decimal, time: Nanos, value: Decimal
) -> Decimal:
    """What was traded of its kind in the month before the order, whose fills are worth `value`."""
    pair = order.instrument.sec_type is SecType.CASH
    amount = value * quantity * price / order.notional if pair else quantity
    month = account.add_volume(order.instrument.sec_type, amount, time)
    return max(month - (value if pair else order.filled), ZERO)


def _adjustment(book: Book, change: Decimal, seq: int, reason: str, now: Nanos) -> AdjustmentRecorded:
    return AdjustmentRecorded(
        seq=seq,
        strategy=book.strategy,
        account=book.account,
        instrument=book.instrument,
        quantity=change,
        price=ZERO,
        currency=book.currency,
        multiplier=book.multiplier,
        reason=reason,
        recorded=now,
    )


def _split_ticket(ticket: OrderTicket, ratio: Decimal, instrument: Instrument) -> OrderTicket:
    prices = (price and price / ratio for price in (ticket.limit_price, ticket.stop_price))
    limit, stop = (None if price is None else round_to(price, instrument.tick_at(price)) for price in prices)
    return replace(ticket, limit_price=limit, stop_price=stop)
