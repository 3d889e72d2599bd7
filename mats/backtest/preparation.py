"""From a request to what the engine runs: strategies, bars, period."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from mats.backtest.bar_sources import DataSource, Wanted, load_data
from mats.backtest.spec import BacktestSpec, ModelSettings, Style
from mats.backtest.warm_up import Counts, first_row, ready
from mats.data import data_calendar
from mats.errors import DataError, StrategyError
from mats.model import ZERO, Currency, InstrumentId, Nanos, StrategyRecord, exact, floor_to, from_datetime, read_records
from mats.model.bar_columns import BarData
from mats.risk import Limits
from mats.sessions import Hours
from mats.settings import Settings
from mats.store.tables import MAX_TIME, store_uri
from mats.strategy.hosting import LocalHost, StrategyRunner, find_file, load_class, make_runner, only_class

MAX_NAME_LENGTH = 20
SHARE_INCREMENT = Decimal("1e-12")
"""Shares are rounded down to this, so that they never add up to more than the capital."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A backtest as requested.

    Each of `strategies` is a name in the strategy table, or FILE.py or FILE.py:Class. `params` apply to all of them,
    `NAME.key` only to strategy NAME. `instruments` replace those that the parameters name; a strategy of one
    instrument is run once for each. `bar_seconds` 0 leaves the size to the strategies.
    """

    strategies: tuple[str, ...]
    params: Mapping[str, Any] = {}
    instruments: tuple[InstrumentId, ...] = ()
    bar_seconds: int = 0
    source: DataSource = DataSource()
    start: Nanos = 0
    end: Nanos = MAX_TIME
    capital: Decimal = Decimal(1_000_000)
    currency: Currency = "USD"
    description: str = "run"
    models: ModelSettings = ModelSettings()
    limits: Limits = Limits()
    style: Style = "bars"
    seed: int = 1


class Prepared(NamedTuple):
    """What the engine is given, and which instruments the strategies watch."""

    spec: BacktestSpec
    data: BarData
    instruments: tuple[InstrumentId, ...]


def prepare(request: Request, settings: Settings) -> Prepared:
    """The spec and its bars. Raises StrategyError and DataError, each one sentence."""
    records = choose(request, settings)
    spec = BacktestSpec(
        strategies=records,
        folder=str(settings.strategies.folder),
        bar_seconds=request.bar_seconds,
        start=request.start,
        end=request.end,
        capital=request.capital,
        currency=request.currency,
        description=request.description,
        models=request.models,
        limits=request.limits,
        style=request.style,
        seed=request.seed,
    )
    data = data_for(spec, request.source, store_uri(settings.store.uri, settings.data_dir))
    runners = _runners(spec)
    if not spec.start:
        spec, data = _warmed_up(spec, data, runners)
    return Prepared(_bounded(spec, data), data, _watched(runners))


def _bounded(spec: BacktestSpec, data: BarData) -> BacktestSpec:
    """The period is that of the bars, so that the same run sees the same bars when the data has grown."""
    first = min(int(bars.start[0]) for bars in data.bars.values())
    last = max(int(bars.end[-1]) for bars in data.bars.values())
    seconds = next(iter(data.bars.values())).seconds
    return replace(spec, start=max(spec.start, first), end=min(spec.end, last), bar_seconds=seconds)


def _warmed_up(spec: BacktestSpec, data: BarData, runners: Sequence[StrategyRunner]) -> tuple[BacktestSpec, BarData]:
    """A run whose start is not given begins when its strategies have the history that they ask for."""
    calendars = {name: data_calendar(data, name) for name in _watched(runners)}
    start = max(
        ready(data.bars[name], calendars[name], _counts([runner])) for runner in runners for name in runner.instruments
    )
    counts = _counts(runners)
    needed = {name: first_row(data.bars[name], calendars[name], counts, start) for name in calendars}
    cut = {name: data.bars[name].between(int(data.bars[name].start[row]), 2**62) for name, row in needed.items()}
    return replace(spec, start=start), replace(data, bars={**data.bars, **cut})


def data_for(spec: BacktestSpec, source: DataSource, uri: str) -> BarData:
    """The bars that the strategies of a spec watch, of a size that all of theirs can be built from."""
    runners = _runners(spec)
    wanted = Wanted(
        instruments=_watched(runners),
        seconds=math.gcd(*(size for runner in runners for size in (runner.bar_seconds, *runner.larger))),
        start=spec.start,
        end=spec.end,
        hours="extended" if any(runner.hours == "extended" for runner in runners) else "regular",
        before=_counts(runners),
        currency=spec.currency,
    )
    return load_data(source, uri, wanted)


def _counts(runners: Sequence[StrategyRunner]) -> Counts:
    """How many bars of each size are needed before the start."""
    counts: dict[tuple[int, Hours], int] = {}
    for runner in runners:
        for size, count in {**runner.larger, runner.bar_seconds: runner.warmup}.items():
            counts[size, runner.hours] = max(count, counts.get((size, runner.hours), 0))
    return counts


def choose(request: Request, settings: Settings) -> tuple[StrategyRecord, ...]:
    """The records of a request's strategies; their weights add up to 1. Raises StrategyError."""
    folder = settings.strategies.folder
    table: dict[str, StrategyRecord] = {}
    if any(not _is_file(text) for text in request.strategies):
        table = {record.name: record for record in read_records(settings.strategies.seed_file)}
    chosen: list[StrategyRecord] = []
    for text in request.strategies:
        record = _from_file(text, folder) if _is_file(text) else _from_table(text, table, settings)
        chosen += _spread(replace(record, params=_params(record, request, folder)), request.instruments, folder)
    return _weighed(chosen)


def _is_file(text: str) -> bool:
    return ".py" in text


def _from_table(name: str, table: Mapping[str, StrategyRecord], settings: Settings) -> StrategyRecord:
    if name not in table:
        known = ", ".join(table) or "none"
        raise StrategyError(
            f"strategy {name!r} is not in {settings.strategies.seed_file} (it has {known}); name one, or a FILE.py"
        )
    return table[name]


def _from_file(text: str, folder: Path) -> StrategyRecord:
    file, _, class_name = text.partition(":")
    here = Path(file).resolve()
    path = str(here) if here.is_file() else file
    name = re.sub(r"[^A-Za-z0-9_-]", "_", class_name or Path(file).stem)[:MAX_NAME_LENGTH]
    find_file(path, folder)
    return StrategyRecord(name=name, file=path, class_name=class_name or only_class(path, folder))


def _params(record: StrategyRecord, request: Request, folder: Path) -> dict[str, Any]:
    """The record's parameters with those of the request laid over them."""
    params = dict(record.params)
    for key, value in request.params.items():
        owner, dot, name = key.rpartition(".")
        if not dot or owner == record.name:
            params[name] = value
    if request.bar_seconds:
        has = load_class(record.file, record.class_name, folder).Params.__struct_fields__
        if "bar_seconds" in has:
            params["bar_seconds"] = request.bar_seconds
    return params


def _spread(record: StrategyRecord, instruments: Sequence[InstrumentId], folder: Path) -> list[StrategyRecord]:
    """The record on given instruments: as its parameter `instruments`, or once for each as `instrument`."""
    fields = load_class(record.file, record.class_name, folder).Params.__struct_fields__
    if not instruments:
        return [record]
    if "instruments" in fields:
        return [replace(record, params={**record.params, "instruments": list(instruments)})]
    if "instrument" not in fields:
        raise StrategyError(
            f"strategy {record.name} has no parameter for --instruments; name them in its own parameters with --param"
        )
    if len(instruments) == 1:
        return [replace(record, params={**record.params, "instrument": instruments[0]})]
    return [
        replace(record, name=_name(record.name, name), params={**record.params, "instrument": name})
        for name in instruments
    ]


def _name(strategy: str, instrument: InstrumentId) -> str:
    tail = re.sub(r"[^A-Za-z0-9_-]", "_", instrument)[: MAX_NAME_LENGTH - 2]
    return f"{strategy[: MAX_NAME_LENGTH - 1 - len(tail)]}-{tail}"


def _weighed(records: Sequence[StrategyRecord]) -> tuple[StrategyRecord, ...]:
    """The capital is shared in proportion to the weights, equally where there are none."""
    weights = [record.target_weight for record in records]
    if not sum(weights):
        weights = [1.0] * len(records)
    total = sum(map(exact, weights), ZERO)
    shares = [floor_to(exact(weight) / total, SHARE_INCREMENT) for weight in weights]
    return tuple(
        replace(record, target_weight=float(share), account="", active=True)
        for record, share in zip(records, shares, strict=True)
    )


def _runners(spec: BacktestSpec) -> list[StrategyRunner]:
    """Runners that are never started: they have the instruments and settings of the strategies."""
    unused = LocalHost(lambda command: None, str, int, lambda level, text: None)
    return [make_runner(record, Path(spec.folder), unused) for record in spec.strategies]


def _watched(runners: Sequence[StrategyRunner]) -> tuple[InstrumentId, ...]:
    return tuple(sorted({name for runner in runners for name in runner.instruments}))


def instant(text: str) -> Nanos:
    """A date or time of the command line; UTC where it names no zone. Raises DataError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"time {text!r} cannot be read; write 2013-10-04 or 2013-10-04T13:30:00Z") from None
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
