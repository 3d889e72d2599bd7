"""The result of a backtest, for notebooks, the command line and reports."""

import re
from collections.abc import Mapping
from functools import cached_property

import msgspec
import pandas as pd

from mats.backtest.bar_sources import DataSource
from mats.backtest.engine import BacktestRun, RunState
from mats.backtest.provenance import Code, code_of
from mats.backtest.result import dataframes
from mats.backtest.result.benchmark import Benchmark
from mats.backtest.result.metric_names import Metrics
from mats.backtest.result.metrics import measure
from mats.backtest.result.text_view import result_html, result_text
from mats.backtest.spec import BacktestSpec
from mats.errors import UserError
from mats.model import InstrumentId, Nanos, StrategyName, to_datetime
from mats.model.bar_columns import BarData

DESCRIPTION = re.compile(r"[A-Za-z0-9_.-]{1,60}")
NAMED_STRATEGIES = 3


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a result but its tables: spec, data, code and metrics."""

    name: str
    created: Nanos
    spec: BacktestSpec
    source: DataSource
    state: RunState
    failure: str
    bars: int
    total: Metrics
    by_strategy: Mapping[StrategyName, Metrics]
    benchmark: str
    denied: Mapping[str, int]
    """Orders that were rejected, by reason."""
    data_fingerprint: str
    data: Mapping[InstrumentId, str]
    """The fingerprint of each instrument's bars and actions."""
    code: Code
    seconds: Mapping[str, float]
    """Run time by step; not part of the result."""


class BacktestResult:
    """One finished run with its record; tables are built on first access."""

    def __init__(self, record: Record, run: BacktestRun) -> None:
        self.record, self.run = record, run

    @property
    def name(self) -> str:
        """`{strategy}_{YYYYMMDD}_{description}`, under which it is stored."""
        return self.record.name

    @property
    def metrics(self) -> Metrics:
        """The metrics of the account; those of strategies are in `record.by_strategy`."""
        return self.record.total

    @cached_property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """All tables by name: equity_curve, trades, positions, orders, fills, cash_events."""
        return dataframes.frames(self.run)

    @property
    def equity(self) -> pd.Series:
        """Equity at each close, UTC."""
        return self.tables["equity_curve"]["equity"]

    @property
    def drawdown(self) -> pd.Series:
        """How far equity is below its highest so far, as a share of that: -0.1 is a tenth."""
        below: pd.Series = self.equity / self.equity.cummax() - 1
        return below.rename("drawdown")

    @property
    def trades(self) -> pd.DataFrame:
        """Completed round trips by the time of their end."""
        return self.tables["trades"]

    @property
    def positions(self) -> pd.DataFrame:
        """What was held after each change."""
        return self.tables["positions"]

    @property
    def orders(self) -> pd.DataFrame:
        """Orders in their final states, rejected ones too."""
        return self.tables["orders"]

    @property
    def fills(self) -> pd.DataFrame:
        """Executions, each with the market rule that filled it."""
        return self.tables["fills"]

    @property
    def cash_events(self) -> pd.DataFrame:
        """Dividends, the cost of borrowed shares, cash in place of fractions."""
        return self.tables["cash_events"]

    def metrics_table(self) -> pd.DataFrame:
        """A row for each figure; a column for the account, and one for each strategy. NaN where it is not defined."""
        columns = {"total": self.record.total, **self.record.by_strategy}
        return pd.DataFrame({name: metrics.figures() for name, metrics in columns.items()}, dtype=float)

    def __repr__(self) -> str:
        return result_text(self.record.name, self.run, self.record.total)

    def _repr_html_(self) -> str:
        return result_html(self.record.name, self.run, {"total": self.record.total, **self.record.by_strategy})


def make_result(
    run: BacktestRun, data: BarData, source: DataSource, benchmark: Benchmark | None, now: Nanos
) -> BacktestResult:
    """Measure a run and record its inputs. `now` gives the date in its name."""
    total, by_strategy = measure(run, benchmark)
    record = Record(
        name=result_name(run.spec, now),
        created=now,
        spec=run.spec,
        source=source,
        state=run.state,
        failure=run.failure,
        bars=run.bars,
        total=total,
        by_strategy=by_strategy,
        benchmark=benchmark.name if benchmark else "",
        denied=dataframes.rejections(run.orders),
        data_fingerprint=data.fingerprint(),
        data=data_fingerprints(data),
        code=code_of(run.spec),
        seconds=run.seconds,
    )
    return BacktestResult(record, run)


def result_name(spec: BacktestSpec, now: Nanos) -> str:
    """`{strategy}_{YYYYMMDD}_{description}`; several strategies are joined by `+`, many are counted."""
    if not DESCRIPTION.fullmatch(spec.description):
        raise UserError(
            f"description {spec.description!r} cannot be part of a name; use 1 to 60 letters, digits, '_', '.' and '-'"
        )
    names = [record.name for record in spec.strategies]
    label = "+".join(names) if len(names) <= NAMED_STRATEGIES else f"{names[0]}+{len(names) - 1}"
    return f"{label}_{to_datetime(now):%Y%m%d}_{spec.description}"


def data_fingerprints(data: BarData) -> dict[InstrumentId, str]:
    """The fingerprint of each instrument alone, so that a difference can be attributed."""
    return {
        name: BarData({name: bars}, {name: data.instruments[name]}, {name: data.actions.get(name, ())}).fingerprint()
        for name, bars in data.bars.items()
    }
