"""What a report is made of: a stored result, and its bars if they have not changed since the run."""

from mats.backtest import data_for
from mats.backtest.result import (
    BacktestResult,
    Benchmark,
    Record,
    data_fingerprints,
    hold,
    hold_all,
    load_result,
    minute,
)
from mats.errors import StrategyError, UserError
from mats.model import InstrumentId
from mats.model.bar_columns import BarData, Floats, Instants
from mats.report.pages import Reported


def stored(uri: str, name: str) -> Reported:
    """A stored result with all that can be shown of it. Raises ResultError where there is none."""
    result = load_result(uri, name)
    try:
        data: BarData | None = data_for(result.record.spec, result.record.source, uri)
    except (UserError, StrategyError) as error:
        return _reported(result, None, f"not shown: the bars cannot be read: {error}")
    if data is not None and data_fingerprints(data) != result.record.data:
        return _reported(result, None, "not shown: the bars have changed since the run")
    return _reported(result, data, "")


def _reported(result: BacktestResult, data: BarData | None, missing: str) -> Reported:
    record, run = result.record, result.run
    traded = {trade.instrument for trade in run.trades} | {fill.fill.execution.instrument for fill in run.fills}
    start, end = record.spec.start, record.spec.end
    shown = [] if data is None else [name for name in sorted(data.bars) if name in traded]
    benchmark = _benchmark(record, data, shown) if data is not None else None
    return Reported(
        name=record.name,
        run=run,
        total=record.total.figures(),
        by_strategy={name: metrics.figures() for name, metrics in record.by_strategy.items()},
        prices={name: data.bars[name].between(start, end) for name in shown} if data is not None else {},
        benchmarks={benchmark.name: _benchmark_values(benchmark, run.total.time, float(record.spec.capital))}
        if benchmark
        else {},
        facts=facts(record) + ((("Prices", missing),) if missing else ()),
    )


def facts(record: Record) -> tuple[tuple[str, str], ...]:
    """Provenance: time, data, code."""
    files = ", ".join(f"{name} {digest}" for name, digest in record.code.files.items())
    rejected = ", ".join(f"{reason} ({count:,})" for reason, count in record.denied.items())
    return (
        ("Run on", f"{minute(record.created)} UTC"),
        ("Data", record.source.place),
        ("Data fingerprint", record.data_fingerprint),
        ("Code", f"mats {record.code.package} {record.code.commit}".strip()),
        ("Strategy files", files),
        *([("Orders rejected", rejected)] if rejected else []),
    )


def _benchmark(record: Record, data: BarData, traded: list[InstrumentId]) -> Benchmark | None:
    """The recorded benchmark, if these bars reproduce it."""
    held, _, _ = record.benchmark.partition(" held")
    if held in data.bars:
        return hold(data, held, record.spec.start)
    names = [name for name in sorted(data.bars) if name in traded]
    found = hold_all(data, names, record.spec.start) if names else None
    return found if found is not None and found.name == record.benchmark else None


def _benchmark_values(benchmark: Benchmark, times: Instants, capital: float) -> tuple[Instants, Floats]:
    return times, benchmark.at(times) * capital
