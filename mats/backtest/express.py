"""The short way of ordinary orders: market orders from signals that nothing speaks against and one open fills whole.

Risk, order manager, market and books come to the same here in one place and a few operations; what they would have
said and kept is made afterwards, only where somebody asks for it. Whatever is not ordinary ends the short way for the
rest of the run: everything that went it is then handed to the parts one by one, as if it had never been.
"""

from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from mats.backtest.booking import Booking, recorded
from mats.backtest.pipe import ROUTE, Pipe
from mats.backtest.run import RuledFill
from mats.backtest.scene import Scene
from mats.backtest.speaker import Speaker
from mats.backtest.tape import Tape, exactly
from mats.model.executions import FillRecorded
from mats.model.instrument import InstrumentId
from mats.model.money import ONE, ZERO, floor_to
from mats.model.orders import PLAIN, OrderIntent, OrderState, OrderView, Side, Signal, StrategyName
from mats.model.timestamp import MINUTE, SECOND, Nanos
from mats.risk.limits import Limits
from mats.risk.sizing import order_quantity
from mats.strategy.desk import Wish
from mats.venue.bar_market import Traded, Working
from mats.venue.fees import FeeModel

Key = tuple[StrategyName, InstrumentId]


class Deal(msgspec.Struct):
    """An order on the short way for unsigned `quantity`: decided at the close `step`, filled after `filled_step`."""

    signal: Signal
    speaker: Speaker
    tape: Tape
    side: Side
    quantity: Decimal
    number: int
    now: Nanos
    step: int
    since: Nanos
    seq: int = 0
    price: Decimal = ZERO
    fee: Decimal = ZERO
    time: Nanos = 0
    filled_step: int = -1

    @property
    def signed(self) -> Decimal:
        """The units that came, or went."""
        return self.quantity if self.side is Side.BUY else -self.quantity

    @property
    def cost(self) -> Decimal:
        """What was paid for them, or got, commission included."""
        return self.signed * self.price * self.tape.instrument.multiplier + self.fee


class Express:
    """`open` while everything has been ordinary. `pending` are the deals that wait for an open, by instrument."""

    def __init__(
        self,
        scene: Scene,
        pipe: Pipe,
        booking: Booking,
        fees: FeeModel,
        limits: Limits,
        drain: Callable[[], None],
        share: Callable[[StrategyName, Decimal], Decimal],
    ) -> None:
        """`share` is what of a total equity a strategy may work with; `drain` lets all that was said be heard."""
        self.open = True
        self.pending: dict[InstrumentId, Deal] = {}
        self._account, self._speakers, self._tapes, self._markets, self._portfolio, self._clock, self._queue = scene
        self._pipe, self._booking, self._fees, self._limits = pipe, booking, fees, limits
        self._drain, self._share = drain, share
        self._cash = self._portfolio.cash[self._portfolio.base]
        self._held: dict[Key, Decimal] = {}
        self._net: dict[InstrumentId, Decimal] = {}
        self._recent: dict[StrategyName, deque[Nanos]] = {name: deque() for name in scene.speakers}
        self._sent: list[Deal] = []
        self._filled: list[Deal] = []
        self._story: list[tuple[bool, Deal]] = []

    def equity(self) -> Decimal | None:
        """Everything at the newest closes; None where a price is missing."""
        total = self._cash
        for name, quantity in self._net.items():
            if quantity:
                tape = self._tapes[name]
                mark = tape.mark()
                if mark is None:
                    return None
                total += quantity * mark * tape.instrument.multiplier
        return total

    def hear(self, wish: Wish) -> None:
        """A signal goes the short way if it is ordinary; anything else ends it."""
        if not (self.open and isinstance(wish, Signal) and self._takes(wish)):
            self.leave()
            self._pipe.hear(wish)

    # Risk and orders

    def _takes(self, signal: Signal) -> bool:
        name, strategy, now = signal.instrument, signal.strategy, self._clock.now
        tape = self._tapes[name]
        instrument, price, total = tape.instrument, tape.mark(), self.equity()
        if signal.ticket is not PLAIN or price is None or price <= 0 or total is None or name in self.pending:
            return False
        equity, held = self._share(strategy, total), self._held.get((strategy, name), ZERO)
        if equity <= 0:
            return False
        worth, strength = price * instrument.multiplier, exactly(signal.strength)
        target = floor_to(equity * strength / worth, instrument.size_increment) if strength else ZERO
        quantity = order_quantity(target, held, ZERO, instrument.size_increment)
        if not quantity:
            return True
        if not self._is_ordinary(tape, strategy, quantity, held, worth):
            return False
        self._recent[strategy].append(now)
        number, since = len(self._sent) + 1, max(now, self._pipe.not_before)
        side, size = Side.of(quantity), quantity.copy_abs()
        deal = Deal(signal, self._speakers[strategy], tape, side, size, number, now, self._clock.step, since)
        self.pending[name] = deal
        self._sent.append(deal)
        self._story.append((False, deal))
        if deal.speaker.hears:
            self._queue.append((self._acknowledge, deal))
        return True

    def _is_ordinary(
        self, tape: Tape, strategy: StrategyName, quantity: Decimal, held: Decimal, worth: Decimal
    ) -> bool:
        """Whether none of the checks of `mats.risk.checks` objects to the order."""
        limits, instrument, size, now = self._limits, tape.instrument, quantity.copy_abs(), self._clock.now
        recent = self._recent[strategy]
        while recent and recent[0] <= now - MINUTE:
            recent.popleft()
        overdue = (now - tape.end(tape.row)) / SECOND - tape.columns.seconds
        return (
            overdue <= limits.stale_after
            and len(recent) < limits.max_orders_per_minute
            and instrument.min_size <= size <= limits.max_order_quantity
            and size * worth <= limits.max_order_notional
            and abs(held + quantity) * worth <= limits.max_position_notional
            and abs(self._net.get(instrument.id, ZERO) + quantity) * worth <= limits.max_account_notional
        )

    def _acknowledge(self, deal: Deal) -> None:
        """The market has the order: its strategy hears of it in a turn of its own."""
        self._queue.append((self._tell, self._view(deal)))

    def _tell(self, view: OrderView) -> None:
        speaker = self._speakers[view.strategy]
        (speaker.heard if self.open else speaker.order)(view)

    # The open, and the books

    def at_opens(self, step: int) -> bool:
        """Fill what waits for bars that begin before the close `step`; False where that is not ordinary any more."""
        due = [
            (start, name, row)
            for name, deal in self.pending.items()
            for row in deal.tape.opening(step)
            if (start := deal.tape.start(row)) >= deal.since
        ]
        if len(due) > 1:
            due.sort()
        for start, name, row in due:
            deal, market = self.pending.get(name), self._markets[name]
            if deal is None or not market.takes(deal.tape.volume(row), deal.quantity):
                return False
            self._clock.now, self._pipe.not_before = start, start + 1
            away = market.quote(deal.tape.spread(row))[deal.side]
            self._fill(deal, market.price(deal.side, exactly(deal.tape.open(row)), away), start)
            if self._queue:
                self._drain()
        return self.open

    def _fill(self, deal: Deal, price: Decimal, start: Nanos) -> None:
        instrument, size, strategy = deal.tape.instrument, deal.quantity, deal.signal.strategy
        value = size * price * instrument.multiplier
        del self.pending[instrument.id]
        self._filled.append(deal)
        self._story.append((True, deal))
        deal.seq, deal.price, deal.time, deal.filled_step = len(self._filled), price, start, self._clock.step
        deal.fee = self._fees.order_fee(instrument, size, value, ZERO)
        quantity = deal.signed
        self._cash += -deal.cost
        key = strategy, instrument.id
        self._held[key] = self._held.get(key, ZERO) + quantity
        self._net[instrument.id] = self._net.get(instrument.id, ZERO) + quantity
        if deal.speaker.hears:
            deal.speaker.fill(self._recorded(deal), self._view(deal))

    # What the parts would have said and kept

    def _view(self, deal: Deal) -> OrderView:
        signal, size, filled = deal.signal, deal.quantity, deal.seq > 0
        notional = size * deal.price if filled else ZERO
        return OrderView(
            intent_id=signal.intent_id,
            strategy=signal.strategy,
            account=self._account,
            instrument=signal.instrument,
            side=deal.side,
            quantity=size,
            ticket=PLAIN,
            state=OrderState.FILLED if filled else OrderState.WORKING,
            filled=size if filled else ZERO,
            notional=notional,
            average_price=notional / size if filled else ZERO,
            acknowledged=True,
            applied=deal.seq,
            created=signal.time,
            updated=max(deal.now, deal.time),
            client_id=ROUTE,
            order_id=deal.number,
            perm_id=deal.number,
        )

    def _recorded(self, deal: Deal) -> FillRecorded:
        signal, size = deal.signal, deal.quantity
        value = size * deal.price
        order = Working(
            signal.intent_id, deal.tape.instrument, deal.side, size, PLAIN, deal.since, deal.number, size, value
        )
        return recorded(order, size, deal.price, deal.time, signal.strategy, self._account, deal.seq, ONE)

    def orders(self) -> list[OrderView]:
        """The orders of a run that went the short way to its end."""
        return [self._view(deal) for deal in self._sent]

    def fills(self) -> list[RuledFill]:
        """The fills of such a run."""
        base = self._portfolio.base
        return [RuledFill(self._recorded(deal), deal.fee, base, "open") for deal in self._filled]

    def note_moves(self) -> None:
        """Tell the portfolio what moved when, for the curves."""
        for deal in self._filled:
            strategy, name = deal.signal.strategy, deal.tape.instrument.id
            self._portfolio.note(strategy, name, deal.filled_step + 1, deal.signed, -deal.cost)

    def leave(self) -> None:
        """The short way is over: hand everything that went it to the parts, one thing after the other."""
        if not self.open:
            return
        self.open = False
        clock, pipe, now, step, not_before = self._clock, self._pipe, self._clock.now, self._clock.step, 0
        not_before = pipe.not_before
        for is_fill, deal in self._story:
            clock.step = deal.filled_step if is_fill else deal.step
            clock.now = deal.time if is_fill else deal.now
            if is_fill:
                self._hand_over_fill(deal)
            else:
                pipe.not_before = deal.since
                pipe.hand_over(self._intent(deal))
        clock.now, clock.step, pipe.not_before = now, step, not_before
        self.pending.clear()

    def _intent(self, deal: Deal) -> OrderIntent:
        signal = deal.signal
        return OrderIntent(
            intent_id=signal.intent_id,
            strategy=signal.strategy,
            account=self._account,
            instrument=deal.tape.instrument,
            side=deal.side,
            quantity=deal.quantity,
            ticket=PLAIN,
            time=signal.time,
            reason=signal.reason,
        )

    def _hand_over_fill(self, deal: Deal) -> None:
        market = self._markets[deal.tape.instrument.id]
        order = market.orders[deal.signal.intent_id]
        order.filled, order.value = order.quantity, order.quantity * deal.price
        market.remove(order)
        self._booking.book(Traded(order, order.quantity, deal.price, deal.time, "open"), deal.signal.strategy)
