"""The rule of `market_backtest` by backtrader: what it trades, what is left, and how long the run alone takes."""

import math
from time import process_time
from typing import NamedTuple

import backtrader as bt
import numpy as np
from market_backtest import CAPITAL, COLUMNS, FAST, FEE, QUIET_BARS, SHARE, SLOW

FIRST_DAY = 737_425.0
"""backtrader counts days; each bar is a minute here, whatever it was."""


class Ran(NamedTuple):
    """`fills` are bar, signed units and price, by instrument."""

    seconds: float
    fills: list[list[tuple[int, int, float]]]
    equity: float


class Feed(bt.feed.DataBase):
    """Rows from memory; how long it takes to load them is not counted."""

    def __init__(self, rows: np.ndarray) -> None:
        super().__init__()
        self.rows, self.at, self.seconds = rows.tolist(), 0, 0.0

    def preload(self) -> None:
        begun = process_time()
        super().preload()
        self.seconds = process_time() - begun

    def _load(self) -> bool:
        if self.at == len(self.rows):
            return False
        lines = self.lines
        lines.datetime[0] = FIRST_DAY + self.at / 1_440
        lines.open[0], lines.high[0], lines.low[0], lines.close[0] = self.rows[self.at]
        lines.volume[0] = lines.openinterest[0] = 0.0
        self.at += 1
        return True


class Cross(bt.Strategy):
    """Half of the equity at the signal's close, shared by the instruments."""

    def __init__(self) -> None:
        self.fills: list[list[tuple[int, int, float]]] = [[] for _ in self.datas]
        self.pairs = [(bt.ind.EMA(data, period=FAST), bt.ind.EMA(data, period=SLOW)) for data in self.datas]

    def notify_order(self, order: bt.Order) -> None:
        if order.status == order.Completed:
            done = order.executed
            at = next(at for at, data in enumerate(self.datas) if data is order.data)  # == compares their prices
            self.fills[at].append((len(self) - 1, int(done.size), done.exbits[0].price))

    def next(self) -> None:
        if len(self.data) <= QUIET_BARS:
            return
        equity = 0.0
        for data, (fast, slow) in zip(self.datas, self.pairs, strict=True):
            held, long = self.getposition(data).size, fast[0] > slow[0]
            if long and not held:
                equity = equity or self.broker.getvalue()
                self.buy(data, size=math.floor(equity * SHARE / len(self.datas) / data.close[0]))
            elif held and not long:
                self.close(data)


def run(bars: dict[str, np.ndarray]) -> Ran:
    """Bars are an array of instruments × bars for each of open, high, low and close."""
    cerebro = bt.Cerebro(stdstats=False)
    feeds = [Feed(np.column_stack([bars[name][i] for name in COLUMNS])) for i in range(len(bars["close"]))]
    for feed in feeds:
        cerebro.adddata(feed)
    cerebro.addstrategy(Cross)
    cerebro.broker.setcash(CAPITAL)
    fee = bt.CommInfoBase(commission=FEE, stocklike=True, commtype=bt.CommInfoBase.COMM_FIXED)
    cerebro.broker.addcommissioninfo(fee)
    begun = process_time()
    done = cerebro.run()
    return Ran(process_time() - begun - sum(f.seconds for f in feeds), done[0].fills, cerebro.broker.getvalue())
