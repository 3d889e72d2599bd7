"""The pages of a report before they are HTML: for each result its cards, tables and charts, as text."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec

from mats.backtest.engine import BacktestRun
from mats.backtest.result import Figure, TableRow, Value
from mats.backtest.result import formatting as fmt
from mats.backtest.result.metrics import net
from mats.ledger.books import Trade
from mats.model import InstrumentId, StrategyName
from mats.model.bar_columns import BarColumns, Floats, Instants
from mats.report import chart_data, charts
from mats.report.charts import Chart

Metrics = Mapping[str, float | None]

EXTREMES = 5
"""How many of the best trades are listed, and of the worst."""
SHOWN_INSTRUMENTS = 24
"""Prices of more instruments would make the page heavy; those with the most trades are shown."""

FIGURES = (
    Figure("total_return", "Total return", fmt.percent, True),
    Figure("cagr", "Return a year", fmt.percent, True),
    Figure("volatility", "Volatility a year", fmt.percent),
    Figure("sharpe", "Sharpe ratio", fmt.ratio),
    Figure("sortino", "Sortino ratio", fmt.ratio),
    Figure("calmar", "Calmar ratio", fmt.ratio),
    Figure("max_drawdown", "Largest drawdown", fmt.percent),
    Figure("max_drawdown_days", "Longest drawdown", fmt.days),
    Figure("exposure", "Exposure", fmt.share),
    Figure("turnover", "Turnover a year", fmt.ratio),
    Figure("trades", "Trades", fmt.whole),
    Figure("hit_rate", "Trades won", fmt.share),
    Figure("profit_factor", "Profit factor", fmt.ratio),
    Figure("costs", "Costs", fmt.amount),
    Figure("benchmark_return", "Benchmark's return", fmt.percent, True),
    Figure("alpha", "Alpha a year", fmt.percent, True),
    Figure("beta", "Beta", fmt.ratio),
)
CARDS = ("total_return", "cagr", "sharpe", "sortino", "max_drawdown", "hit_rate", "trades")


class Reported(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A result with its metrics in total and by strategy, and prices where available."""

    name: str
    run: BacktestRun
    total: Metrics
    by_strategy: Mapping[StrategyName, Metrics] = {}
    prices: Mapping[InstrumentId, BarColumns] = {}
    benchmarks: Mapping[str, tuple[Instants, Floats]] = {}
    """Name, and value over time from the same capital."""
    facts: tuple[tuple[str, str], ...] = ()
    """What else was recorded about the run: fingerprint of the data, versions, seed."""


class Card(msgspec.Struct, frozen=True):
    label: str
    value: Value
    signed: bool = False
    unit: str = ""


class Month(msgspec.Struct, frozen=True):
    year: int
    months: tuple[Value, ...]
    total: Value


class PageTable(msgspec.Struct, frozen=True):
    names: tuple[str, ...]
    rows: tuple[TableRow, ...]


class Price(msgspec.Struct, frozen=True, eq=False):
    instrument: InstrumentId
    chart: Chart


class Titled(msgspec.Struct, frozen=True, eq=False):
    title: str
    chart: Chart


class TradeLine(msgspec.Struct, frozen=True, kw_only=True):
    strategy: StrategyName
    instrument: InstrumentId
    side: str
    quantity: str
    entered: str
    entry: str
    left: str
    exit: str
    net: Value


class Page(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One result, as the template shows it."""

    id: str
    name: str
    subtitle: str
    failure: str
    cards: tuple[Card, ...]
    equity: Chart
    months: tuple[Month, ...]
    strategies: PageTable
    strategy_chart: Chart | None
    prices: tuple[Price, ...]
    prices_note: str
    histograms: tuple[Titled, ...]
    costs: Chart
    exposure: Chart
    cost_labels: tuple[str, ...]
    cost_rows: tuple[TableRow, ...]
    trades: tuple[TradeLine, ...]
    facts: tuple[tuple[str, str], ...]

    def charts(self) -> tuple[Chart, ...]:
        """Every chart of the page."""
        optional = [self.strategy_chart] if self.strategy_chart is not None else []
        prices, histograms = [one.chart for one in self.prices], [one.chart for one in self.histograms]
        return (self.equity, self.costs, self.exposure, *optional, *prices, *histograms)


def page(result: Reported, at: int) -> Page:
    """The page of the report's result number `at`; ids of its charts are unique in the report."""
    run, capital = result.run, float(result.run.spec.capital)
    rows = chart_data.costs(run)
    lines = {name: chart_data.thin(*series) for name, series in result.benchmarks.items()}
    histograms = (("Daily returns", charts.returns(run)), ("Results of trades", charts.trade_results(run)))
    prices = _prices(result)
    made = Page(
        id=f"page{at}",
        name=result.name,
        subtitle=_subtitle(run),
        failure=run.failure if run.state == "failed" else "",
        cards=_cards(result),
        equity=charts.equity(run, lines),
        months=tuple(_month(row) for row in chart_data.monthly_returns(run.total, capital)),
        strategies=_strategies(result),
        strategy_chart=charts.strategies(run) if len(run.by_strategy) > 1 else None,
        prices=prices,
        prices_note=_prices_note(run, prices),
        histograms=tuple(Titled(title, chart) for title, chart in histograms if chart is not None),
        costs=charts.costs(rows, run.spec.currency),
        exposure=charts.exposure(run.total),
        cost_labels=("Trading before costs", "Dividends", "Commissions", "Borrowed shares", "Result"),
        cost_rows=_cost_rows(rows),
        trades=tuple(_trade_line(trade) for trade in extremes(run.trades)),
        facts=(*_facts(run), *result.facts),
    )
    return _with_unique_ids(made, at)


def compare(results: Sequence[Reported]) -> PageTable:
    """The results side by side: a column for each."""
    return PageTable(tuple(result.name for result in results), fmt.table(FIGURES, [result.total for result in results]))


def extremes(trades: Sequence[Trade], most: int = EXTREMES) -> tuple[Trade, ...]:
    """The best trades, best first, and then the worst, worst last; no trade twice."""
    ranked = sorted(trades, key=lambda trade: -net(trade))
    return tuple(ranked if len(ranked) <= 2 * most else (*ranked[:most], *ranked[-most:]))


def _with_unique_ids(made: Page, at: int) -> Page:
    def own(chart: Chart) -> Chart:
        return msgspec.structs.replace(chart, id=f"{chart.id}-{at}")

    return msgspec.structs.replace(
        made,
        equity=own(made.equity),
        costs=own(made.costs),
        exposure=own(made.exposure),
        strategy_chart=own(made.strategy_chart) if made.strategy_chart else None,
        prices=tuple(Price(one.instrument, own(one.chart)) for one in made.prices),
        histograms=tuple(Titled(one.title, own(one.chart)) for one in made.histograms),
    )


def _subtitle(run: BacktestRun) -> str:
    names = ", ".join(record.name for record in run.spec.strategies)
    return f"{names} · {fmt.day(run.spec.start)} to {fmt.day(run.spec.end)} · {run.bars:,} bars"


def _cards(result: Reported) -> tuple[Card, ...]:
    """Final equity, then the most important figures."""
    kinds = {figure.key: figure for figure in FIGURES}
    shown = [kinds[key] for key in CARDS if key in result.total]
    final = Card("Final equity", fmt.value(result.run.final_equity, fmt.amount), False, result.run.spec.currency)
    return (final, *(Card(k.label, fmt.value(result.total[k.key], k.write), k.signed) for k in shown))


def _month(row: chart_data.MonthlyReturns) -> Month:
    return Month(row.year, tuple(fmt.month(value) for value in row.months), fmt.month(row.total))


def _strategies(result: Reported) -> PageTable:
    """The figures of the account, and of each strategy where there are several."""
    several = result.by_strategy if len(result.by_strategy) > 1 else {}
    columns = {**several, "Account": result.total}
    return PageTable(tuple(columns), fmt.table(FIGURES, list(columns.values())))


def _prices(result: Reported) -> tuple[Price, ...]:
    by_instrument = sorted(result.run.trades, key=lambda trade: (trade.instrument, trade.entry_time))
    traded = {name: list(group) for name, group in groupby(by_instrument, key=lambda trade: trade.instrument)}
    busiest = sorted(result.prices, key=lambda name: (-len(traded.get(name, ())), name))[:SHOWN_INSTRUMENTS]
    most = max(300, min(chart_data.CANDLES, 12_000 // max(len(busiest), 1)))
    return tuple(
        Price(name, charts.prices(result.prices[name], chart_data.markers(traded.get(name, ()), most), name, at, most))
        for at, name in enumerate(busiest)
    )


def _prices_note(run: BacktestRun, shown: Sequence[Price]) -> str:
    note = "Lines lead from entry to exit; of very many trades those with the largest results are marked."
    traded = {trade.instrument for trade in run.trades}
    return f"{note} The {len(shown)} busiest of {len(traded)} instruments." if len(traded) > len(shown) else note


def _cost_rows(rows: Sequence[chart_data.CostRow]) -> tuple[TableRow, ...]:
    def cells(row: chart_data.CostRow) -> tuple[float, ...]:
        return row.trading, row.dividends, row.commissions, row.borrow, row.net

    lines = [(row.strategy, cells(row), False) for row in rows]
    lines.append(("All", tuple(sum(column) for column in zip(*(line[1] for line in lines), strict=True)), True))
    return tuple(
        TableRow(label=name, values=tuple(fmt.value(cell, fmt.amount) for cell in numbers), sum=is_sum)
        for name, numbers, is_sum in lines
    )


def _trade_line(trade: Trade) -> TradeLine:
    return TradeLine(
        strategy=trade.strategy,
        instrument=trade.instrument,
        side="Long" if trade.side.sign > 0 else "Short",
        quantity=f"{trade.quantity:,f}",
        entered=fmt.minute(trade.entry_time),
        entry=f"{trade.entry_price:,f}",
        left=fmt.minute(trade.exit_time),
        exit=f"{trade.exit_price:,f}",
        net=fmt.value(net(trade), fmt.amount),
    )


def _facts(run: BacktestRun) -> tuple[tuple[str, str], ...]:
    spec = run.spec
    models = ", ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in msgspec.structs.asdict(spec.models).items()
    )
    strategies = [
        (
            f"Strategy {record.name}",
            f"{record.class_name} of {record.file}, {record.target_weight:.0%} of the equity; "
            + (", ".join(f"{name} {value}" for name, value in record.params.items()) or "parameters as declared"),
        )
        for record in spec.strategies
    ]
    return (
        *strategies,
        ("Period", f"{fmt.minute(spec.start)} to {fmt.minute(spec.end)} UTC, bars of {spec.bar_seconds:,} s"),
        ("Capital", fmt.currency_amount(float(spec.capital), spec.currency)),
        ("Simulated market", models),
        ("Seed", str(spec.seed)),
    )
