"""What the market does to orders and holdings in a backtest: fills and what they cost, splits, dividends, borrowing."""

from decimal import Decimal

from msgspec.structs import replace

from mats.backtest.pipe import Pipe
from mats.backtest.run import CashEvent, RuledFill
from mats.backtest.scene import Scene
from mats.ledger import apply
from mats.ledger import order_events as ev
from mats.ledger.books import Book
from mats.model import (
    ONE,
    ZERO,
    AccountId,
    AdjustmentRecorded,
    CorporateAction,
    Dividend,
    Execution,
    FillRecorded,
    Instrument,
    InstrumentId,
    Nanos,
    OrderTicket,
    OrderView,
    SecType,
    Side,
    Split,
    StrategyName,
    floor_to,
    order_ref,
    round_to,
)
from mats.strategy import Position
from mats.venue import Lapsed, Met, Traded, Working
from mats.venue.matching import Account
from mats.venue.models import FeeModel, TieredFees

CENT = Decimal("0.01")
YEAR = Decimal(365)
"""Days in a year of borrowing, as IB counts short stock fees: the rate divided by 365 for each calendar day."""


class Booking:
    """Takes one thing at a time: orders first, then risk, then the books, then the strategy."""

    def __init__(self, scene: Scene, pipe: Pipe, fees: FeeModel) -> None:
        self._account, self._speakers, self._tapes, self._markets, self._portfolio, self._clock, _ = scene
        self._pipe, self._fees = pipe, fees
        self._month = Account(scene.account, {}) if isinstance(fees, TieredFees) else None
        self._entries = 0
        self.fills: list[RuledFill] = []
        self.cash_events: list[CashEvent] = []
        self.splits: list[AdjustmentRecorded] = []

    # Orders

    def take(self, met: Met) -> None:
        """What happened to an order at the market."""
        view = self._pipe.views[met.order.intent_id]
        if isinstance(met, Lapsed):
            ended = apply(view, ev.StatusReported(time=met.time, status="Cancelled", filled=view.filled))
            self._pipe.put(replace(ended, note=met.reason))
        else:
            self._fill(met, view.strategy)

    def _fill(self, traded: Traded, strategy: StrategyName) -> None:
        fill, view = self.book(traded, strategy)
        self._speakers[strategy].fill(fill, view)

    def book(self, traded: Traded, strategy: StrategyName) -> tuple[FillRecorded, OrderView]:
        """Book a fill: the order, risk, the books. What its strategy is to hear comes back."""
        order, portfolio, pipe = traded.order, self._portfolio, self._pipe
        self._entries += 1
        rate = portfolio.rate(order.instrument.currency)
        what = order, traded.quantity, traded.price, traded.time
        fill = recorded(*what, strategy, self._account, self._entries, rate)
        booked = apply(
            pipe.views[order.intent_id],
            ev.FillBooked(time=traded.time, quantity=traded.quantity, price=traded.price),
        )
        view = pipe.views[order.intent_id] = replace(booked, applied=fill.seq)
        pipe.state.apply(fill)
        pipe.state.observe(view)
        fee = self._charge(traded)
        signed = traded.quantity if order.side is Side.BUY else -traded.quantity
        book = portfolio.trade(strategy, order.instrument, signed, traded.price, fee)
        self.fills.append(RuledFill(fill, fee, portfolio.base, traded.rule))
        desk = self._speakers[strategy].desk
        desk.take_order(view)
        desk.take_position(_position(book), fill.seq)
        return fill, view

    def _charge(self, traded: Traded) -> Decimal:
        """What the fill adds to the cost of its order."""
        order, instrument = traded.order, traded.order.instrument
        rate = self._portfolio.rate(instrument.currency)
        value = order.value * instrument.multiplier * (ONE if rate is None else rate)
        total = self._fees.order_fee(instrument, order.filled, value, self._month_before(traded, value))
        fee, order.fee = total - order.fee, total
        return fee

    def _month_before(self, traded: Traded, value: Decimal) -> Decimal:
        """What was traded of its kind in the month before the order; asked for where it matters."""
        if self._month is None:
            return ZERO
        order = traded.order
        pair = order.instrument.sec_type is SecType.CASH
        amount = value * traded.quantity * traded.price / order.value if pair else traded.quantity
        month = self._month.add_volume(order.instrument.sec_type, amount, traded.time)
        return max(month - (value if pair else order.filled), ZERO)

    # Holdings

    def act(self, instrument: Instrument, action: CorporateAction) -> None:
        """What the company did to its shares."""
        if isinstance(action, Split):
            self.split(instrument, action)
        else:
            self.dividend(instrument, action)

    def split(self, instrument: Instrument, split: Split) -> None:
        """Positions, average costs and working orders in new units; what is less than a lot is paid out."""
        tape, mark = self._tapes[instrument.id], self._tapes[instrument.id].mark()
        tape.split(split.ratio)
        for strategy in self._holders(instrument.id):
            before = self._portfolio.book(strategy, instrument)
            after, rest = self._portfolio.split(strategy, instrument, split.ratio)
            self._adjust(before, after, f"split {split.ratio}:1")
            if rest and mark is not None:
                self._pay(strategy, instrument, "split-cash", rest * mark / split.ratio * instrument.multiplier)
        for order in list(self._markets[instrument.id].orders.values()):
            self._resize(order, split.ratio)

    def _adjust(self, before: Book, after: Book, reason: str) -> None:
        self._entries += 1
        entry = AdjustmentRecorded(
            seq=self._entries,
            strategy=after.strategy,
            account=self._account,
            instrument=after.instrument,
            quantity=after.quantity - before.quantity,
            price=ZERO,
            currency=after.currency,
            multiplier=after.multiplier,
            reason=reason,
            recorded=self._clock.now,
        )
        self._pipe.state.apply(entry)
        self.splits.append(entry)
        self._speakers[after.strategy].desk.take_position(_position(after), entry.seq)

    def _resize(self, order: Working, ratio: Decimal) -> None:
        """The order in new units: more of them, at lower prices."""
        step, tick = order.instrument.size_increment, order.instrument.tick_size
        order.quantity, order.filled = floor_to(order.quantity * ratio, step), floor_to(order.filled * ratio, step)
        order.ticket = _split_ticket(order.ticket, ratio, tick)
        view = self._pipe.views[order.intent_id]
        average = order.value / order.filled if order.filled else ZERO
        changed = replace(
            view, quantity=order.quantity, filled=order.filled, average_price=average, ticket=order.ticket
        )
        self._pipe.put(changed)
        if order.remaining <= 0:
            self._markets[order.instrument.id].remove(order)
            self.take(Lapsed(order, "nothing of it is left after the split", self._clock.now))

    def dividend(self, instrument: Instrument, dividend: Dividend) -> None:
        """Who is long gets it, who is short pays it."""
        for strategy in self._holders(instrument.id):
            quantity = self._portfolio.book(strategy, instrument).quantity
            self._pay(strategy, instrument, "dividend", quantity * dividend.amount, dividend.currency)

    def borrow(self, rate: Decimal, days: int) -> None:
        """Who was short over the last `days` nights pays for what was borrowed, at the newest closes."""
        for (strategy, name), book in sorted(self._portfolio.books.items()):
            instrument = self._tapes[name].instrument
            mark = self._tapes[name].mark()
            if book.quantity < 0 and mark is not None and instrument.sec_type is SecType.STOCK:
                cost = book.quantity * mark * instrument.multiplier * rate * days / YEAR
                self._pay(strategy, instrument, "borrow", cost.quantize(CENT))

    def _pay(
        self, strategy: StrategyName, instrument: Instrument, kind: str, amount: Decimal, currency: str = ""
    ) -> None:
        currency = currency or instrument.currency
        self._portfolio.pay(strategy, currency, amount)
        event = CashEvent(self._clock.now, strategy, instrument.id, kind, amount, currency)  # type: ignore[arg-type]
        self.cash_events.append(event)

    def _holders(self, instrument: InstrumentId) -> list[StrategyName]:
        books = self._portfolio.books.items()
        return sorted(strategy for (strategy, held), book in books if held == instrument and book.quantity)


def recorded(
    order: Working,
    quantity: Decimal,
    price: Decimal,
    time: Nanos,
    strategy: StrategyName,
    account: AccountId,
    seq: int,
    rate: Decimal | None,
) -> FillRecorded:
    """A fill of an order as entry `seq` of the log; `rate` is base currency for one unit of the instrument's."""
    execution = Execution(
        account=account,
        exec_id=f"{seq:08d}.01",
        instrument=order.instrument.id,
        side=order.side,
        quantity=quantity,
        price=price,
        time=time,
        currency=order.instrument.currency,
        multiplier=order.instrument.multiplier,
        order_ref=order_ref(strategy, order.intent_id),
        perm_id=order.place,
        cumulative_quantity=order.filled,
        average_price=order.value / order.filled,
    )
    return FillRecorded(
        seq=seq, strategy=strategy, intent_id=order.intent_id, execution=execution, recorded=time, rate=rate
    )


def _position(book: Book) -> Position:
    return Position(instrument=book.instrument, quantity=book.quantity, average_price=book.average_price)


def _split_ticket(ticket: OrderTicket, ratio: Decimal, tick: Decimal) -> OrderTicket:
    prices = (ticket.limit_price, ticket.stop_price)
    limit, stop = (None if price is None else round_to(price / ratio, tick) for price in prices)
    return replace(ticket, limit_price=limit, stop_price=stop)
