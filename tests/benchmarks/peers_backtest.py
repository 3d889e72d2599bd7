"""One backtest by one peer in an environment of its own: `python peers_backtest.py PEER BARS.npz` prints a JSON line.

Each function runs the rule of `market_backtest` as the peer's own documentation has it, and returns the seconds of the
run alone (imports, data and feeds made before), the fills, and the final equity. Engines for one instrument run once
for each instrument with its part of the capital.
"""

import json
import math
import resource
import sys
from time import process_time

import numpy as np
from market_backtest import CAPITAL, FAST, FEE, FIRST, QUIET_BARS, SHARE, SLOW

Bars = dict[str, np.ndarray]
Ran = tuple[float, int, float]


def ema(values: np.ndarray, span: int) -> np.ndarray:
    """As the rule has it: begun with the first value."""
    import pandas as pd

    return pd.Series(np.asarray(values)).ewm(span=span, adjust=False).mean().to_numpy()


def backtrader(bars: Bars) -> Ran:
    from peer_backtrader import run

    seconds, fills, equity = run(bars)
    return seconds, sum(map(len, fills)), equity


def backtesting(bars: Bars) -> Ran:
    import pandas as pd
    from backtesting import Backtest, Strategy

    class Cross(Strategy):
        def init(self) -> None:
            self.fast, self.slow = self.I(ema, self.data.Close, FAST), self.I(ema, self.data.Close, SLOW)

        def next(self) -> None:
            if len(self.data) <= QUIET_BARS:
                return
            long = self.fast[-1] > self.slow[-1]
            if long and not self.position:
                self.buy(size=math.floor(self.equity * SHARE / self.data.Close[-1]))
            elif not long and self.position:
                self.position.close()

    count, seconds, fills, equity = len(bars["close"]), 0.0, 0, 0.0
    for i in range(count):
        index = pd.to_datetime(FIRST + 60 * np.arange(bars["close"].shape[1]), unit="s")
        frame = pd.DataFrame({name.capitalize(): bars[name][i] for name in bars}, index=index)
        test = Backtest(frame, Cross, cash=CAPITAL / count, commission=lambda size, price: abs(size) * FEE)
        begun = process_time()
        result = test.run()
        seconds += process_time() - begun
        closed, still_open = result["_trades"], len(result["_strategy"].trades)
        fills, equity = fills + 2 * len(closed) + still_open, equity + result["Equity Final [$]"]
    return seconds, fills, equity


def vnpy(bars: Bars) -> Ran:
    from datetime import datetime, timedelta, timezone

    from vnpy.trader.constant import Exchange, Interval
    from vnpy.trader.object import BarData
    from vnpy_ctastrategy import CtaTemplate
    from vnpy_ctastrategy.backtesting import BacktestingEngine

    class Cross(CtaTemplate):
        author = ""

        def on_init(self) -> None:
            self.cash, self.count, self.fast, self.slow = CAPITAL / len(bars["close"]), 0, None, None

        def on_trade(self, trade: object) -> None:
            change = trade.volume if trade.direction.name == "LONG" else -trade.volume
            self.cash -= change * trade.price + trade.volume * FEE

        def on_bar(self, bar: BarData) -> None:
            close = bar.close_price
            self.fast = close if self.fast is None else self.fast + 2 / (FAST + 1) * (close - self.fast)
            self.slow = close if self.slow is None else self.slow + 2 / (SLOW + 1) * (close - self.slow)
            self.count += 1
            if self.count <= QUIET_BARS:
                return
            if self.fast > self.slow:
                if not self.pos:
                    self.buy(close * 1.2, math.floor((self.cash + self.pos * close) * SHARE / close))
            elif self.pos:
                self.sell(close * 0.8, abs(self.pos))

        def on_tick(self, tick: object) -> None: ...

        def on_order(self, order: object) -> None: ...

        def on_stop_order(self, order: object) -> None: ...

    seconds, fills, equity = 0.0, 0, 0.0
    zone = timezone.utc  # noqa: UP017, as its documentation writes it
    for i in range(len(bars["close"])):
        engine, begin = BacktestingEngine(), datetime(2020, 1, 1, tzinfo=zone)
        engine.output = lambda text: None
        engine.set_parameters("X.LOCAL", Interval.MINUTE, begin, 0, FEE, 1, 0.01, int(CAPITAL))
        engine.add_strategy(Cross, {})
        rows = zip(*(bars[name][i].tolist() for name in ("open", "high", "low", "close")), strict=True)
        engine.history_data = [
            BarData("", "X", Exchange.LOCAL, begin + timedelta(minutes=at), Interval.MINUTE, 0, 0, 0, *row)
            for at, row in enumerate(rows)
        ]
        begun = process_time()
        engine.run_backtesting()
        seconds += process_time() - begun
        fills, equity = (
            fills + len(engine.trades),
            equity + engine.strategy.cash + engine.strategy.pos * bars["close"][i][-1],
        )
    return seconds, fills, equity


def bt(bars: Bars) -> Ran:
    import bt as peer
    import pandas as pd

    count, size = bars["close"].shape
    index = pd.to_datetime(FIRST + 60 * np.arange(size), unit="s")
    names = [f"S{i}" for i in range(count)]
    opens = pd.DataFrame(dict(zip(names, bars["open"], strict=True)), index=index)
    long = np.column_stack([ema(c, FAST) > ema(c, SLOW) for c in bars["close"]])
    long[:QUIET_BARS] = False
    wanted = pd.DataFrame(np.vstack((np.zeros((1, count), bool), long[:-1])), index=index, columns=names)
    changes = wanted.ne(wanted.shift(fill_value=False)).to_numpy()
    share = SHARE / count

    class Cross(peer.Algo):
        """Trades only what changes, at the opens that it is given, sized at the price of the fill."""

        def __call__(self, target: object) -> bool:
            at = index.get_loc(target.now)
            if changes[at].any():
                for i in np.flatnonzero(changes[at]):
                    target.rebalance(share if wanted.iat[at, i] else 0.0, names[i])
            return True

    strategy = peer.Strategy("cross", [Cross()])
    test = peer.Backtest(
        strategy, opens, initial_capital=CAPITAL, commissions=lambda quantity, price: abs(quantity) * FEE,
        integer_positions=True, progress_bar=False,
    )  # fmt: skip
    begun = process_time()
    test.run()
    seconds = process_time() - begun
    fills = int(sum((test.positions[name].diff().fillna(0) != 0).sum() for name in names if name in test.positions))
    units = sum(
        float(test.positions[name].iloc[-1]) * (bars["close"][i][-1] - bars["open"][i][-1])
        for i, name in enumerate(names)
        if name in test.positions
    )
    return seconds, fills, float(test.strategy.value) + units


def nautilus_rule(share: float) -> tuple[type, type]:
    """The strategy, and the class of its settings; the peer is imported only where it runs."""
    from nautilus_trader.config import StrategyConfig
    from nautilus_trader.indicators import ExponentialMovingAverage
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.data import BarType
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.model.objects import Quantity
    from nautilus_trader.trading.strategy import Strategy

    class Settings(StrategyConfig, frozen=True):
        bar_types: tuple[BarType, ...]

    class Cross(Strategy):
        def on_start(self) -> None:
            self.fills, self.seen, self.pairs = 0, {}, {}
            for kind in self.config.bar_types:
                pair = ExponentialMovingAverage(FAST), ExponentialMovingAverage(SLOW)
                for average in pair:
                    self.register_indicator_for_bars(kind, average)
                self.pairs[kind], self.seen[kind] = pair, 0
                self.subscribe_bars(kind)

        def on_order_filled(self, event: object) -> None:
            self.fills += 1

        def on_bar(self, bar: object) -> None:
            kind, (fast, slow) = bar.bar_type, self.pairs[bar.bar_type]
            self.seen[kind] += 1
            if self.seen[kind] <= QUIET_BARS:
                return
            name, long = kind.instrument_id, fast.value > slow.value
            held = self.portfolio.net_position(name)
            if long and not held:
                account = self.portfolio.account(name.venue)
                open_result = self.portfolio.unrealized_pnls(name.venue).get(USD)
                equity = float(account.balance_total(USD)) + (float(open_result) if open_result else 0.0)
                self.trade(name, OrderSide.BUY, math.floor(equity * share / float(bar.close)))
            elif held and not long:
                self.trade(name, OrderSide.SELL, int(held))

        def trade(self, name: object, side: OrderSide, units: int) -> None:
            self.submit_order(self.order_factory.market(name, side, Quantity.from_int(units)))

    return Cross, Settings


def nautilus(bars: Bars) -> Ran:
    import pandas as pd
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.backtest.models import PerContractFeeModel
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.data import BarType
    from nautilus_trader.model.enums import AccountType, OmsType
    from nautilus_trader.model.identifiers import Venue
    from nautilus_trader.model.objects import Money
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.test_kit.providers import TestInstrumentProvider

    count = len(bars["close"])
    cross, settings = nautilus_rule(SHARE / count)
    quiet = LoggingConfig(bypass_logging=True)
    engine = BacktestEngine(config=BacktestEngineConfig(logging=quiet, run_analysis=False))
    venue = Venue("XNAS")
    engine.add_venue(
        venue, OmsType.NETTING, AccountType.MARGIN, [Money(CAPITAL, USD)], base_currency=USD,
        fee_model=PerContractFeeModel(Money(FEE, USD)) if Money(FEE, USD).as_double() == FEE else fee_model(),
    )  # fmt: skip
    index = pd.to_datetime(FIRST + 60 * np.arange(1, bars["close"].shape[1] + 1), unit="s", utc=True)
    kinds = []
    for i in range(count):
        instrument = TestInstrumentProvider.equity(f"S{i}", "XNAS")
        engine.add_instrument(instrument)
        kind = BarType.from_str(f"S{i}.XNAS-1-MINUTE-LAST-EXTERNAL")
        frame = pd.DataFrame({name: bars[name][i] for name in bars}, index=index).assign(volume=1e6)
        engine.add_data(BarDataWrangler(kind, instrument).process(frame))
        kinds.append(kind)
    strategy = cross(settings(bar_types=tuple(kinds)))
    engine.add_strategy(strategy)
    begun = process_time()
    engine.run()
    seconds = process_time() - begun
    open_result = engine.portfolio.unrealized_pnls(venue).get(USD)
    equity = float(engine.portfolio.account(venue).balance_total(USD)) + (float(open_result) if open_result else 0.0)
    return seconds, strategy.fills, equity


def fee_model() -> object:
    """0.005 a unit, which its own model rounds to nothing before it multiplies."""
    from nautilus_trader.backtest.models import FeeModel
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.objects import Money

    class PerUnit(FeeModel):
        def get_commission(self, order: object, fill_qty: object, fill_px: object, instrument: object) -> Money:
            return Money(float(fill_qty) * FEE, USD)

    return PerUnit()


PEERS = {"vnpy": vnpy, "backtesting": backtesting, "bt": bt, "nautilus": nautilus, "backtrader": backtrader}


if __name__ == "__main__":
    with np.load(sys.argv[2]) as file:
        loaded = {name: file[name] for name in file.files}
    seconds, fills, equity = PEERS[sys.argv[1]](loaded)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "fills": fills, "equity": equity, "memory": memory}))
