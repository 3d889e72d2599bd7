"""What a sweep found is stored as it comes, survives an interruption, and is shown as it was."""

from itertools import islice
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mats.backtest.bar_sources import DataSource
from mats.backtest.provenance import code_of
from mats.errors import SweepError
from mats.model.bar_columns import BarData
from mats.model.timestamp import HOUR
from mats.report.sweeps.heatmap import surfaces
from mats.report.sweeps.page import best_table, failure_table, html, window_table
from mats.report.sweeps.png import write_png
from mats.report.sweeps.stored_sweep import stored
from mats.store.tables.backtests import BacktestLibrary
from mats.store.tables.connection import lmdb_uri
from mats.sweep import resumable_run
from mats.sweep.plan import SweepPlan
from mats.sweep.results_table import Manifest, SweepTable
from mats.sweep.resumable_run import run_and_store
from mats.sweep.run import run_sweep
from mats.sweep.trials import Trial
from tests.sweep.conftest import OneByOne, plan_of

NOW = 1_795_240_000 * 10**9


class Stumbling(OneByOne):
    """Ctrl-C in the middle."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def map_tasks(self, fn, tasks, shared):
        yield from islice(super().map_tasks(fn, tasks, shared), self.after)
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def hills(monkeypatch: pytest.MonkeyPatch, sweeps: ModuleType) -> None:
    monkeypatch.setattr(
        resumable_run,
        "run_sweep",
        lambda plan, data, engine, known: run_sweep(plan, data, engine, known, run=sweeps.hill),
    )


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return lmdb_uri(tmp_path / "arctic")


def manifest_of(plan: SweepPlan, data: BarData, name: str = "sweep_ema_20261121_run") -> Manifest:
    return Manifest(
        name=name, plan=plan, source=DataSource(), data_fingerprint=data.fingerprint(), code=code_of(plan.spec),
        started=NOW,
    )  # fmt: skip


def results_of(outcomes: list[Trial]) -> dict[int, tuple[object, ...]]:
    """`calmar` is undefined on the hill, and so are figures it does not have."""
    return {
        o.task.number: (o.task, o.state, o.reason, {k: v for k, v in o.metrics.items() if v is not None})
        for o in outcomes
    }


def test_an_interrupted_sweep_keeps_what_it_had_and_ends_as_if_it_had_not_been(uri: str, data: BarData) -> None:
    plan = plan_of(data, "fast=5:12", "slow=8,60")
    manifest, reported = manifest_of(plan, data), []
    with pytest.raises(KeyboardInterrupt):
        run_and_store(manifest, data, Stumbling(5), SweepTable(uri, manifest.name), {}, reported.append)
    again = SweepTable(uri, manifest.name)
    found, known = again.read()
    assert found == manifest
    assert results_of(known) == results_of(reported)
    assert len(known) == 5 + 5
    run_and_store(manifest, data, OneByOne(), again, {o.task.number: o for o in known}, reported.append)
    _, complete = SweepTable(uri, manifest.name).read()
    assert results_of(complete) == results_of(list(run_sweep(plan, data, OneByOne(), run=hill_of())))
    assert len(reported) == len(complete) == 16


def hill_of():
    import work_for_sweeps

    return work_for_sweeps.hill


def test_a_name_that_is_taken_is_refused_and_another_write_replaces_it(uri: str, data: BarData) -> None:
    manifest = manifest_of(plan_of(data, "fast=5:8", "slow=60"), data)
    run_and_store(manifest, data, OneByOne(), SweepTable(uri, manifest.name), {}, lambda outcome: None)
    with pytest.raises(SweepError, match=r"exists; resume it with --resume sweep_ema_20261121_run"):
        SweepTable(uri, manifest.name).check_free()
    smaller = manifest_of(plan_of(data, "fast=5", "slow=60"), data)
    run_and_store(smaller, data, OneByOne(), SweepTable(uri, manifest.name), {}, lambda outcome: None)
    assert len(SweepTable(uri, manifest.name).read()[1]) == 1


def test_a_sweep_that_is_not_there_is_named_with_those_that_are(uri: str, data: BarData) -> None:
    with pytest.raises(SweepError, match="there is none"):
        SweepTable(uri, "sweep_x").read()
    manifest = manifest_of(plan_of(data, "fast=5", "slow=60"), data)
    run_and_store(manifest, data, OneByOne(), SweepTable(uri, manifest.name), {}, lambda outcome: None)
    with pytest.raises(SweepError, match="there are sweep_ema_20261121_run"):
        SweepTable(uri, "sweep_x").read()


def test_a_sweep_is_not_taken_for_a_backtest(uri: str, data: BarData) -> None:
    manifest = manifest_of(plan_of(data, "fast=5", "slow=60"), data)
    run_and_store(manifest, data, OneByOne(), SweepTable(uri, manifest.name), {}, lambda outcome: None)
    assert BacktestLibrary(uri).names() == []


def test_a_walk_forward_is_reported_with_its_stitched_curve(uri: str, data: BarData, tmp_path: Path) -> None:
    plan = plan_of(data, "fast=7:16", "slow=8,60", walk=(12 * HOUR, 6 * HOUR))
    manifest = manifest_of(plan, data)
    run_and_store(manifest, data, OneByOne(), SweepTable(uri, manifest.name), {}, lambda outcome: None)
    swept = stored(uri, manifest.name)
    assert swept.curve is not None and (np.diff(swept.curve[0]) > 0).all()
    assert swept.curve[1][0] == pytest.approx(1_000_000, rel=0.01)
    page = html(swept, NOW)
    assert "Out of sample" in page and page.count("2020-09-1") >= 4
    assert len(window_table(swept).rows) == 4


def test_a_report_ranks_maps_and_tells_what_failed(uri: str, data: BarData, tmp_path: Path) -> None:
    manifest = manifest_of(plan_of(data, "fast=5:12", "slow=8,60,90"), data)
    run_and_store(manifest, data, OneByOne(), SweepTable(uri, manifest.name), {}, lambda outcome: None)
    swept = stored(uri, manifest.name)
    best = best_table(swept, 3)
    assert [row.values[0].text for row in best.rows] == ["10", "9", "11"]
    assert best.names[:4] == ("Rank", "fast", "slow", "Sharpe ratio")
    failures = {row.label: row.values[0].text for row in failure_table(swept).rows}
    assert failures["strategy ema raised ValueError"] == "3"
    page = html(swept, NOW)
    assert all(
        word in page
        for word in ("Best combinations", "Not ranked", manifest.data_fingerprint, "prefer plateaus to peaks")
    )
    files = write_png(swept, tmp_path / "png")
    assert [path.read_bytes()[:4] for path in files] == [b"\x89PNG"]


def test_a_surface_holds_the_best_over_the_other_parameters(data: BarData, sweeps: ModuleType) -> None:
    plan = plan_of(data, "fast=5:12", "slow=8,60", "strength=0.1,0.2")
    outcomes = list(run_sweep(plan, data, OneByOne(), run=sweeps.hill))
    maps = surfaces(outcomes, plan.axes, "sharpe")
    assert [(one.y.name, one.x.name) for one in maps] == [("fast", "slow"), ("fast", "strength"), ("slow", "strength")]
    first = maps[0].value
    assert first.shape == (8, 2)
    assert np.isnan(first[2]).all(), "fast 7 fails"
    assert np.isnan(first[4, 0]), "fast 9 is refused beside slow 8"
    assert first[5, 1] == pytest.approx(2.0)
    single = surfaces(outcomes, plan.axes[:1], "sharpe")
    assert single[0].y is None and single[0].value.shape == (1, 8)
