"""Backtests from Python: `from mats import backtest; result = backtest.run("examples/ema_cross.py", data="bars")`.

What a function needs is imported when it is called, so that `import mats.backtest.spec` stays cheap.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from mats.backtest.bar_sources import DataSource
    from mats.backtest.preparation import Prepared
    from mats.backtest.result import BacktestResult, Benchmark
    from mats.backtest.spec import ModelSettings, Style
    from mats.risk import Limits
    from mats.settings import Settings


def run(
    strategy: str | Sequence[str],
    *,
    data: str | Path = "store",
    start: str | None = None,
    end: str | None = None,
    params: Mapping[str, Any] | None = None,
    instruments: Sequence[str] = (),
    bar_seconds: int = 0,
    capital: float | Decimal | None = None,
    description: str = "run",
    models: "ModelSettings | None" = None,
    limits: "Limits | None" = None,
    style: "Style" = "bars",
    seed: int = 1,
    benchmark: "str | pd.Series" = "",
    zone: str | None = None,
    config: Path | None = None,
    data_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> "BacktestResult":
    """Run strategies over bars; nothing is stored until `backtest.save(result)`.

    `strategy` is FILE.py, FILE.py:Class or a name in the strategy table, or several of them in one account. `data` is
    `store`, or a bar file or a folder of them. `start` and `end` are ISO 8601, UTC where they name no zone; bars that
    start at `end` or later are left out. `models` and `limits` are those of the settings unless given. `benchmark` is
    an instrument of the data, `none`, or values by time; empty holds what the strategies trade in equal parts.
    Raises UserError, one sentence that says what to do.
    """
    from mats.backtest.preparation import Request, instant, prepare
    from mats.model import exact
    from mats.store.tables import MAX_TIME

    settings = _settings(config, data_dir)
    request = Request(
        strategies=(strategy,) if isinstance(strategy, str) else tuple(strategy),
        params=params or {},
        instruments=tuple(instruments),
        bar_seconds=bar_seconds,
        source=source_of(data, zone, settings),
        start=instant(start) if start else 0,
        end=instant(end) if end else MAX_TIME,
        capital=exact(capital) if capital is not None else settings.backtest.capital,
        currency=settings.portfolio.base_currency,
        description=description,
        models=models or models_of(settings),
        limits=limits or limits_of(settings),
        style=style,
        seed=seed,
    )
    return finish(prepare(request, settings), request.source, benchmark, uri_of(settings), progress)


def finish(
    prepared: "Prepared",
    source: "DataSource",
    benchmark: "str | pd.Series",
    uri: str,
    progress: Callable[[int, int], None] | None,
) -> "BacktestResult":
    """Run what was prepared, and measure the result."""
    from mats.backtest.engine import run_backtest
    from mats.backtest.result import make_result, result_name
    from mats.runtime import SystemClock

    now = SystemClock().now()
    result_name(prepared.spec, now)  # an invalid description is reported before the run, not after it
    compared = _benchmark(prepared, source, benchmark, uri)
    done = run_backtest(prepared.spec, prepared.data, progress)
    return make_result(done, prepared.data, source, compared, now)


def save(
    result: "BacktestResult", *, replace: bool = False, config: Path | None = None, data_dir: Path | None = None
) -> str:
    """Store a result under its name, which is returned; with `replace` in place of one that has that name."""
    from mats.backtest.result import replace_result, store_result

    (replace_result if replace else store_result)(uri_of(_settings(config, data_dir)), result)
    return result.name


def load(name: str, *, config: Path | None = None, data_dir: Path | None = None) -> "BacktestResult":
    """A stored result, as it was. Raises ResultError."""
    from mats.backtest.result import load_result

    return load_result(uri_of(_settings(config, data_dir)), name)


def source_of(data: str | Path, zone: str | None, settings: "Settings") -> "DataSource":
    """Where bars come from, by an absolute path, so that the run can be repeated from anywhere."""
    from mats.backtest.bar_sources import STORE, DataSource

    terms = settings.instruments.file
    return DataSource(
        place=STORE if str(data) == STORE else str(Path(data).resolve()),
        zone=zone,
        terms=str(terms) if terms.is_file() else "",
    )


def models_of(settings: "Settings") -> "ModelSettings":
    """The models that the settings name."""
    from mats.backtest.spec import ModelSettings

    assumed = settings.backtest
    return ModelSettings(
        fees=assumed.fees,
        fee_per_unit=assumed.fee_per_unit,
        spread_ticks=assumed.spread_ticks,
        slippage_ticks=assumed.slippage_ticks,
        participation=assumed.max_volume_fraction,
        latency=assumed.latency_seconds,
        borrow_rate=assumed.borrow_rate,
    )


def limits_of(settings: "Settings") -> "Limits":
    """The limits of the live system, or limits that no order reaches."""
    from mats.risk import UNLIMITED

    return UNLIMITED if settings.backtest.limits == "none" else settings.risk.limits()


def uri_of(settings: "Settings") -> str:
    """The address of the store."""
    from mats.store.tables import store_uri

    return store_uri(settings.store.uri, settings.data_dir)


def _settings(config: Path | None, data_dir: Path | None) -> "Settings":
    from mats.settings import settings_of

    return settings_of(config, data_dir=data_dir)


def _benchmark(
    prepared: "Prepared", source: "DataSource", benchmark: "str | pd.Series", uri: str
) -> "Benchmark | None":
    from mats.backtest.bar_sources import Wanted, load_data
    from mats.backtest.result import given, hold, hold_all, nanoseconds

    spec, data = prepared.spec, prepared.data
    if not isinstance(benchmark, str):
        return given(str(benchmark.name or "benchmark"), nanoseconds(benchmark.index), benchmark.to_numpy(dtype=float))
    if benchmark == "none":
        return None
    if not benchmark:
        return hold_all(data, prepared.instruments, spec.start)
    if benchmark not in data.bars:
        wanted = Wanted(instruments=(benchmark,), seconds=spec.bar_seconds, start=spec.start, end=spec.end)
        data = load_data(source, uri, wanted)
    return hold(data, benchmark, spec.start)
