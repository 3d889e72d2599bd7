"""Puts the parts of a run together, and says in one sentence what does not fit."""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from mats.backtest.booking import Booking
from mats.backtest.express import Express
from mats.backtest.pipe import Pipe
from mats.backtest.portfolio import Portfolio
from mats.backtest.scene import Queue, Scene
from mats.backtest.speaker import BacktestDesk, Speaker
from mats.backtest.spec import BacktestSpec, ModelSettings
from mats.backtest.tape import Clock, Tape, timeline
from mats.errors import UserError
from mats.ledger.valuation import check_weights
from mats.model import DAY, SECOND, InstrumentId, Signal, StrategyName, StrategyRecord, check_table, exact, iso
from mats.model.bar_columns import BarData, Split
from mats.strategy import LogLevel
from mats.strategy.hosting import OrderCommand, shares
from mats.venue import BarMarket, Friction
from mats.venue.models import FeeModel, FixedFees, NoFees, PerUnitFees, TieredFees

ACCOUNT = "BACKTEST"
LINES_KEPT = 1_000

Due = tuple[int, Callable[[], None]]
"""Something to do before the opens that lead to a close of the timeline."""


class BacktestError(UserError):
    """A backtest that cannot begin; the text names thing, value and mend."""


class Parts:
    """Everything that a run consists of. `due` is what the calendar brings, by the step of the timeline."""

    def __init__(self, spec: BacktestSpec, data: BarData) -> None:
        check_table(spec.strategies, "the backtest")
        self.clock = Clock(spec.start)
        self.queue: Queue = deque()
        self.signals: list[Signal] = []
        self.log: deque[str] = deque(maxlen=LINES_KEPT)
        self._spec, self._data, self._minted = spec, data, 0
        self._weights = {record.name: exact(record.target_weight) for record in spec.strategies}
        check_weights(shares(spec.strategies), allow_leverage=False)
        self.speakers = {record.name: self._speaker(record) for record in sorted(spec.strategies, key=_name)}
        self.tapes = self._watched()
        self.closes = timeline(tuple(self.tapes.values()))
        every_tape = {**self.tapes, **self._pairs()}
        friction = Friction(
            spread_ticks=spec.models.spread_ticks,
            slippage_ticks=spec.models.slippage_ticks,
            participation=spec.models.participation,
        )
        self.markets = {name: BarMarket(tape.instrument, friction) for name, tape in self.tapes.items()}
        self.portfolio = Portfolio(ACCOUNT, spec.currency, spec.capital, every_tape, self.clock)
        scene = Scene(ACCOUNT, self.speakers, self.tapes, self.markets, self.portfolio, self.clock, self.queue)
        latency, fees = round(spec.models.latency * SECOND), fee_model(spec.models)
        self.pipe = Pipe(scene, spec.limits, latency)
        self.booking = Booking(scene, self.pipe, fees)
        self.express = Express(scene, self.pipe, self.booking, fees, spec.limits, self.drain, self._share)
        self._hear = self.express.hear
        self.due = sorted((*self._actions(), *self._borrowing()), key=lambda item: item[0])
        foreign = any(tape.instrument.currency != spec.currency for tape in self.tapes.values())
        if self.due or latency or foreign or spec.models.fees == "ib-tiered":
            self.express.leave()

    @property
    def shares(self) -> dict[StrategyName, Decimal]:
        """What part of the capital each strategy begins with."""
        return {name: self._spec.equities.get(name, w * self._spec.capital) for name, w in self._weights.items()}

    def _equity(self, name: StrategyName) -> Decimal | None:
        """What a strategy may work with now."""
        total = self.express.equity() if self.express.open else self.portfolio.equity()
        return None if total is None else self._share(name, total)

    def _share(self, name: StrategyName, total: Decimal) -> Decimal:
        """What of a total equity a strategy may work with: its explicit equity, else its weight of it."""
        given = self._spec.equities.get(name)
        return self._weights[name] * total if given is None else given

    def _ask(self, wish: OrderCommand) -> None:
        if isinstance(wish, Signal):
            self.signals.append(wish)
        self.queue.append((self._hear, wish))

    def drain(self) -> None:
        """Hear everything that was said, and what that brings."""
        queue = self.queue
        while queue:
            act, message = queue.popleft()
            act(message)

    # Strategies

    def _speaker(self, record: StrategyRecord) -> Speaker:
        desk = BacktestDesk(
            self._ask,
            self._mint,
            lambda: self.clock.now,
            partial(self._note, record.name),
            lambda: self._equity(record.name),
            lambda: self.express.leave(),
        )
        speaker = Speaker(record, Path(self._spec.folder), desk, self._spec.bar_seconds, self.clock)
        if missing := [name for name in speaker.instruments if name not in self._data.bars]:
            raise BacktestError(
                f"strategy {record.name} trades {missing[0]}, of which there are no bars; the data has "
                f"{', '.join(sorted(self._data.bars)) or 'nothing'}"
            )
        return speaker

    def _mint(self) -> str:
        self._minted += 1
        return f"bt-{self._minted}"

    def _note(self, strategy: StrategyName, level: LogLevel, text: str) -> None:
        self.log.append(f"{iso(self.clock.now)} {level} {strategy}: {text}")

    # Data

    def _watched(self) -> dict[InstrumentId, Tape]:
        names = sorted({name for speaker in self.speakers.values() for name in speaker.instruments})
        tapes = {name: self._tape(name, number) for number, name in enumerate(names, 1)}
        if all(tape.first == tape.last for tape in tapes.values()):
            spec = self._spec
            raise BacktestError(
                f"no bar of {', '.join(names)} begins from {iso(spec.start)} to before {iso(spec.end)}; "
                "give another period or more data"
            )
        return tapes

    def _tape(self, name: InstrumentId, number: int) -> Tape:
        """The bars of an instrument, which counts as completed by the broker under some contract id."""
        spec, columns, instrument = self._spec, self._data.bars[name], self._data.instruments[name]
        if columns.seconds != spec.bar_seconds:
            raise BacktestError(
                f"the bars of {name} span {columns.seconds} s and the run is over bars of {spec.bar_seconds} s; "
                "load bars of that span"
            )
        first, last = np.searchsorted(columns.start, [spec.start, spec.end], side="left").tolist()
        return Tape(replace(instrument, con_id=instrument.con_id or number), columns, first, last, self.clock)

    def _pairs(self) -> dict[InstrumentId, Tape]:
        """Pairs that nobody trades, but that tell the rate of a currency."""
        base, known = self._spec.currency, self.tapes
        currencies = {tape.instrument.currency for tape in known.values()} - {base}
        names = [name for c in sorted(currencies) for name in (c + base, base + c) if name in self._data.bars]
        pairs = {name: self._tape(name, 0) for name in names if name not in known}
        for tape in pairs.values():
            tape.lay_out(self.closes)
        return pairs

    # Calendar

    def _actions(self) -> list[Due]:
        """Splits and dividends, each before the open of the first bar that is not over when it takes effect."""
        planned: list[Due] = []
        for name, tape in self.tapes.items():
            for action in sorted(self._data.actions.get(name, ()), key=lambda a: (a.time, not isinstance(a, Split))):
                row = int(np.searchsorted(tape.columns.end, action.time, side="right"))
                if tape.first <= row < tape.last:
                    step = int(np.searchsorted(self.closes, int(tape.columns.end[row])))
                    planned.append((step, partial(self.booking.act, tape.instrument, action)))
        return planned

    def _borrowing(self) -> list[Due]:
        """Borrowed shares are paid for before the first open of each new UTC day, for every night since the last."""
        if not self._spec.models.borrow_rate:
            return []
        rate, days = exact(self._spec.models.borrow_rate), (self.closes - 1) // DAY
        nights = np.diff(days, prepend=days[:1])
        return [
            (step, partial(self.booking.borrow, rate, int(nights[step]))) for step in np.flatnonzero(nights).tolist()
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


def _name(record: StrategyRecord) -> StrategyName:
    return record.name
