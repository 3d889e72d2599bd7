"""Orders that went the short way: the few figures kept of each, and what the parts would have said of it."""

from collections import deque
from decimal import Decimal

import msgspec

from mats.backtest.booking import recorded
from mats.backtest.pipe import ROUTE
from mats.backtest.speaker import Speaker
from mats.backtest.tape import Tape, exactly
from mats.model import (
    ONE,
    PLAIN,
    ZERO,
    AccountId,
    FillRecorded,
    Instrument,
    InstrumentId,
    Nanos,
    OrderIntent,
    OrderState,
    OrderView,
    Side,
    Signal,
    StrategyName,
)
from mats.venue import BarMarket, Working


class Place(msgspec.Struct, eq=False):
    """Where an instrument trades; `net` units of it are held by all strategies together.

    `bounded` says that an order may find too little volume.
    `bought` and `sold` are how far from the path each side trades, None where the data has a spread of its own.
    """

    tape: Tape
    market: BarMarket
    instrument: Instrument
    multiplier: Decimal
    bounded: bool
    bought: Decimal | None = None
    sold: Decimal | None = None
    net: Decimal = ZERO

    @staticmethod
    def of(tape: Tape, market: BarMarket) -> "Place":
        """The place of a tape, with what its market adds to every price worked out where that is the same all along."""
        place = Place(tape, market, tape.instrument, tape.instrument.multiplier, bool(market.friction.participation))
        if tape.columns.spread is None:
            away, slippage = market.quote(None), market.slippage
            place.bought, place.sold = away[Side.BUY] + slippage, away[Side.SELL] - slippage
        return place

    def price(self, buys: bool, row: int) -> Decimal:
        """What a market order gets at the open of a bar, as `BarMarket.price` has it."""
        path = exactly(self.tape.open(row))
        away = self.bought if buys else self.sold
        if away is None:
            side, market = Side.BUY if buys else Side.SELL, self.market
            return market.price(side, path, market.quote(self.tape.spread(row))[side])
        price = path + away if away else path
        return max(price, self.instrument.tick_size)


class Lane(msgspec.Struct, eq=False):
    """One strategy in one instrument, of which it holds `held` units; `recent` are its orders of the last minute."""

    strategy: StrategyName
    name: InstrumentId
    speaker: Speaker
    place: Place
    recent: deque[Nanos]
    held: Decimal = ZERO


class Deal(msgspec.Struct, eq=False):
    """An order for `signed` units, decided after the close `step`, and after `after` fills of others.

    `fee` and `cost`, which contains it, are in the base currency; `seq` is 0 until it is filled at `time`, after the
    close `filled_step`.
    """

    signal: Signal
    lane: Lane
    signed: Decimal
    number: int
    now: Nanos
    step: int
    since: Nanos
    after: int
    seq: int = 0
    price: Decimal = ZERO
    fee: Decimal = ZERO
    cost: Decimal = ZERO
    time: Nanos = 0
    filled_step: int = -1

    @property
    def side(self) -> Side:
        return Side.of(self.signed)

    @property
    def size(self) -> Decimal:
        return self.signed.copy_abs()


def intent_of(deal: Deal, account: AccountId) -> OrderIntent:
    """What risk approved."""
    signal = deal.signal
    return OrderIntent(
        intent_id=signal.intent_id,
        strategy=signal.strategy,
        account=account,
        instrument=deal.lane.place.instrument,
        side=deal.side,
        quantity=deal.size,
        ticket=PLAIN,
        time=signal.time,
        reason=signal.reason,
    )


def view_of(deal: Deal, account: AccountId) -> OrderView:
    """The order as it stands."""
    signal, size, filled = deal.signal, deal.size, deal.seq > 0
    notional = size * deal.price if filled else ZERO
    return OrderView(
        intent_id=signal.intent_id,
        strategy=signal.strategy,
        account=account,
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


def fill_of(deal: Deal, account: AccountId) -> FillRecorded:
    """The fill as an entry of the log."""
    signal, size, side = deal.signal, deal.size, deal.side
    order = Working(
        signal.intent_id, deal.lane.place.instrument, side, size, PLAIN, deal.since, deal.number, size,
        size * deal.price,
    )  # fmt: skip
    return recorded(order, size, deal.price, deal.time, signal.strategy, account, deal.seq, ONE)
