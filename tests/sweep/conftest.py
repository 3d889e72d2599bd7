"""Sweeps of a made market; workers find the functions of these tests by name."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from mats.backtest.spec import BacktestSpec
from mats.model.bar_columns import BarData
from mats.model.strategy_table import StrategyRecord
from mats.sweep.grid import parse_axes
from mats.sweep.plan import SweepPlan
from tests.backtest.engine.made import NO_LIMITS, PLAIN, market, walk

HERE = str(Path(__file__).parent)


class OneByOne:
    """An engine without processes, which counts what it runs."""

    def __init__(self, workers: int = 1) -> None:
        self.workers, self.ran = workers, 0

    def __enter__(self) -> "OneByOne":
        return self

    def __exit__(self, *_: object) -> None: ...

    def map_tasks(self, fn, tasks: Sequence[object], shared: object) -> Iterator[tuple[int, object]]:
        for at, task in enumerate(tasks):
            self.ran += 1
            yield at, fn(shared, task)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HERE)


@pytest.fixture
def work() -> ModuleType:
    import work_for_pools

    return work_for_pools


@pytest.fixture
def sweeps() -> ModuleType:
    import work_for_sweeps

    return work_for_sweeps


@pytest.fixture(scope="session")
def data() -> BarData:
    return market(walk(2_000, 4))


def plan_of(data: BarData, *axes: str, **more: object) -> SweepPlan:
    """A sweep of the trend follower over all of the data."""
    record = StrategyRecord(
        name="ema", file="examples/ema_cross.py", class_name="EmaCross", target_weight=1.0,
        params={"instrument": "SYN", "warmup": 0},
    )  # fmt: skip
    bars = next(iter(data.bars.values()))
    spec = BacktestSpec(
        strategies=(record,), folder=HERE, bar_seconds=bars.seconds, start=int(bars.start[0]), end=int(bars.end[-1]),
        models=PLAIN, limits=NO_LIMITS,
    )  # fmt: skip
    return SweepPlan(**({"spec": spec, "axes": parse_axes(axes), "metric": "sharpe"} | more))


@pytest.fixture
def one_by_one() -> OneByOne:
    return OneByOne()
