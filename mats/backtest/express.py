"""The short way of ordinary orders: market orders from signals that nothing speaks against and one open fills whole.

Risk, order manager, market and books come to the same here in one place and a few operations; what they would have
said and kept is made afterwards, only where somebody asks for it. Whatever is not ordinary ends the short way for the
rest of the run: everything that went it is then handed to the parts one by one, as if it had never been.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from itertools import islice

from mats.backtest.booking import Booking
from mats.backtest.deals import Deal, Lane, Place, fill_of, intent_of, view_of
from mats.backtest.pipe import Pipe
from mats.backtest.portfolio import Moves
from mats.backtest.run import RuledFill
from mats.backtest.scene import Scene
from mats.backtest.tape import exactly
from mats.model import MINUTE, PLAIN, ZERO, InstrumentId, Nanos, OrderView, Signal, StrategyName, floor_to
from mats.risk import Limits, order_quantity
from mats.strategy.hosting import OrderCommand
from mats.venue import Traded
from mats.venue.models import FeeModel


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
        self._account, self._speakers, tapes, markets, self._portfolio, self._clock, self._queue = scene
        self._pipe, self._booking, self._fees, self._limits = pipe, booking, fees, limits
        self._drain, self._share = drain, share
        self._cash = self._portfolio.cash[self._portfolio.base]
        places = {name: Place.of(tape, markets[name]) for name, tape in tapes.items()}
        self._lanes = {strategy: _lanes(strategy, scene, places) for strategy in scene.speakers}
        self._traded: dict[InstrumentId, Place] = {}
        self._sent: list[Deal] = []
        self._filled: list[Deal] = []

    def equity(self) -> Decimal | None:
        """Everything at the newest closes; None where a price is missing."""
        total = self._cash
        for place in self._traded.values():
            if place.net:
                mark = place.tape.mark()
                if mark is None:
                    return None
                total += place.net * mark * place.multiplier
        return total

    def hear(self, wish: OrderCommand) -> None:
        """A signal goes the short way if it is ordinary; anything else ends it."""
        if not (self.open and isinstance(wish, Signal) and self._takes(wish)):
            self.leave()
            self._pipe.hear(wish)

    # Risk and orders

    def _takes(self, signal: Signal) -> bool:
        lane = self._lanes[signal.strategy][signal.instrument]
        price = lane.place.tape.mark()
        if signal.ticket is not PLAIN or price is None or price <= 0 or lane.name in self.pending:
            return False
        worth = price * lane.place.multiplier
        target = self._target(lane, signal.strength, worth)
        if target is None:
            return False
        signed = order_quantity(target, lane.held, ZERO, lane.place.instrument.size_increment)
        if not signed:
            return True
        if not self._is_ordinary(lane, signed, worth):
            return False
        now, step, sent = self._clock.now, self._clock.step, self._sent
        lane.recent.append(now)
        since = max(now, self._pipe.not_before)
        deal = self.pending[lane.name] = Deal(signal, lane, signed, len(sent) + 1, now, step, since, len(self._filled))
        sent.append(deal)
        if lane.speaker.hears:
            self._queue.append((self._acknowledge, deal))
        return True

    def _target(self, lane: Lane, strength: float, worth: Decimal) -> Decimal | None:
        """The position that a strength means, as `mats.risk.sizing` has it; None where there is no equity."""
        if not strength:
            return ZERO
        total = self.equity()
        equity = ZERO if total is None else self._share(lane.strategy, total)
        if equity <= 0:
            return None
        return floor_to(equity * exactly(strength) / worth, lane.place.instrument.size_increment)

    def _is_ordinary(self, lane: Lane, signed: Decimal, worth: Decimal) -> bool:
        """Whether none of the checks of `mats.risk.checks` objects to the order."""
        limits, place, recent, now = self._limits, lane.place, lane.recent, self._clock.now
        while recent and recent[0] <= now - MINUTE:
            recent.popleft()
        size = signed.copy_abs()
        return (
            place.tape.overdue() <= limits.stale_after
            and len(recent) < limits.max_orders_per_minute
            and place.instrument.min_size <= size <= limits.max_order_quantity
            and size * worth <= limits.max_order_notional
            and abs(lane.held + signed) * worth <= limits.max_position_notional
            and abs(place.net + signed) * worth <= limits.max_account_notional
        )

    def _acknowledge(self, deal: Deal) -> None:
        """The market has the order: its strategy hears of it in a turn of its own."""
        self._queue.append((self._tell, view_of(deal, self._account)))

    def _tell(self, view: OrderView) -> None:
        speaker = self._speakers[view.strategy]
        (speaker.heard if self.open else speaker.order)(view)

    # The open, and the books

    def at_opens(self, step: int) -> bool:
        """Fill what waits for bars that begin before the close `step`; False where that is not ordinary any more."""
        met = [
            (start, name, row, deal)
            for name, deal in self.pending.items()
            for row in deal.lane.place.tape.opening(step)
            if (start := deal.lane.place.tape.start(row)) >= deal.since
        ]
        if len(met) > 1:
            met.sort()
        for start, name, row, deal in met:
            place = deal.lane.place
            if self.pending.pop(name, None) is not deal:
                return False
            if place.bounded and not place.market.takes(place.tape.volume(row), deal.size):
                return False
            self._clock.now, self._pipe.not_before = start, start + 1
            self._fill(deal, row, start)
            if self._queue:
                self._drain()
        return self.open

    def _fill(self, deal: Deal, row: int, start: Nanos) -> None:
        lane, signed, filled = deal.lane, deal.signed, self._filled
        place = lane.place
        filled.append(deal)
        deal.seq, deal.time, deal.filled_step = len(filled), start, self._clock.step
        deal.price = price = place.price(signed > 0, row)
        value = signed * price * place.multiplier
        deal.fee = fee = self._fees.order_fee(place.instrument, signed.copy_abs(), value.copy_abs(), ZERO)
        deal.cost = cost = value + fee
        self._cash -= cost
        lane.held += signed
        place.net += signed
        self._traded[lane.name] = place
        if lane.speaker.hears:
            lane.speaker.fill(fill_of(deal, self._account), view_of(deal, self._account))

    # What the parts would have said and kept

    def orders(self) -> list[OrderView]:
        """The orders of a run that went the short way to its end."""
        return [view_of(deal, self._account) for deal in self._sent]

    def fills(self) -> list[RuledFill]:
        """The fills of such a run."""
        base = self._portfolio.base
        return [RuledFill(fill_of(deal, self._account), deal.fee, base, "open") for deal in self._filled]

    def note_moves(self) -> None:
        """Tell the portfolio what moved when, for the curves."""
        of_lane: defaultdict[tuple[StrategyName, InstrumentId], list[Deal]] = defaultdict(list)
        of_strategy: defaultdict[StrategyName, list[Deal]] = defaultdict(list)
        for deal in self._filled:
            of_lane[deal.lane.strategy, deal.lane.name].append(deal)
            of_strategy[deal.lane.strategy].append(deal)
        portfolio = self._portfolio
        for key, deals in of_lane.items():
            portfolio.positions[key] = Moves.of(_steps(deals), [deal.signed for deal in deals])
        for name, deals in of_strategy.items():
            portfolio.results[name, portfolio.base] = Moves.of(_steps(deals), [-deal.cost for deal in deals])

    def leave(self) -> None:
        """The short way is over: hand everything that went it to the parts, one thing after the other."""
        if not self.open:
            return
        self.open = False
        clock, pipe = self._clock, self._pipe
        now, step, not_before = clock.now, clock.step, pipe.not_before
        fills = iter(self._filled)
        handed = 0
        for deal in self._sent:
            for filled in islice(fills, deal.after - handed):
                self._hand_over_fill(filled)
            handed = deal.after
            clock.step, clock.now, pipe.not_before = deal.step, deal.now, deal.since
            pipe.hand_over(intent_of(deal, self._account))
        for filled in fills:
            self._hand_over_fill(filled)
        clock.now, clock.step, pipe.not_before = now, step, not_before
        self.pending.clear()

    def _hand_over_fill(self, deal: Deal) -> None:
        self._clock.step, self._clock.now = deal.filled_step, deal.time
        market = deal.lane.place.market
        order = market.orders[deal.signal.intent_id]
        order.filled, order.value = order.quantity, order.quantity * deal.price
        market.remove(order)
        self._booking.book(Traded(order, order.quantity, deal.price, deal.time, "open"), deal.signal.strategy)


def _lanes(strategy: StrategyName, scene: Scene, places: dict[InstrumentId, Place]) -> dict[InstrumentId, Lane]:
    speaker, recent = scene.speakers[strategy], deque[Nanos]()
    return {name: Lane(strategy, name, speaker, places[name], recent) for name in sorted(speaker.instruments)}


def _steps(deals: list[Deal]) -> list[int]:
    """The closes from which on each of them counts."""
    return [deal.filled_step + 1 for deal in deals]
