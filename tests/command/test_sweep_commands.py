"""`mats report` and `mats sweep`: what the page says happens, every fault is one sentence, Ctrl-C loses nothing."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from actors.cli import app
from mats.backtest.result.storage import records
from mats.report.sweeps.stored_sweep import stored
from mats.store.tables.connection import lmdb_uri
from mats.sweep.results_table import SweepTable
from mats.sweep.trials import ranked
from tests.command.backtests_page import LINES, write_bars
from tests.command.command import PATIENCE, ROOT

RUNS = [line for line in LINES if line.startswith("mats backtest examples") and "--check" not in line]
OWN = [line for line in LINES if line.startswith(("mats report", "mats sweep"))]

HELD = '''
import os
import signal
from pathlib import Path
from mats.strategy import Bar, Strategy


class Held(Strategy):
    """Buys after some bars; with 3 of them it waits for a file."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        after: int = 1
        bar_seconds: int = 60

    params: Params

    def on_start(self) -> None:
        self.seen = 0
        if self.params.after == 3 and not Path("go").exists():
            Path("waiting").touch()
            signal.pause()

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        if self.params.after == 5:
            raise ValueError("five is too many")
        if self.seen == self.params.after:
            self.signal(bar.instrument, 0.5)
'''


def mats(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_the_commands_of_the_page_run(place: Path) -> None:
    pytest.importorskip("optuna")
    assert len(OWN) >= 7
    for line in (*RUNS, *OWN):
        done = mats(*line.split()[1:])
        assert done.exit_code == 0, (line, done.output, done.exception)
    for page in ("ema_cross_20200103_run.html", "both.html", "sweep.html", "again.html"):
        assert (place / page).stat().st_size > 4_000_000
    assert len(list((place / "charts").glob("*.png"))) == 7
    uri = lmdb_uri(place / "data/arctic")
    swept = stored(uri, "sweep_ema_cross_20200103_run")
    best = ranked(swept.trained, "sharpe")[0]
    (again,) = [record for record in records(uri)[0] if record.name == "ema_cross_20200103_run-best1"]
    assert {name: value for name, value in again.total.figures().items() if best.metrics[name] is not None} == {
        name: value for name, value in best.metrics.items() if value is not None
    } | {name: again.total.figures()[name] for name in ("benchmark_return", "alpha", "beta") if best.metrics[name]}
    assert stored(uri, "sweep_ema_cross_20200103_walk").curve is not None
    assert len(SweepTable(uri, "sweep_ema_cross_20200103_search").read()[1]) == 8


def test_a_report_does_without_prices_that_are_not_those_of_the_run(place: Path) -> None:
    assert mats(*RUNS[0].split()[1:]).exit_code == 0
    page = place / "ema_cross_20200103_run.html"
    assert mats("report", "ema_cross_20200103_run").exit_code == 0
    assert "Trades on price" in page.read_text() and "SPY held" in page.read_text()
    write_bars(place / "bars/SPY.csv", 99)
    assert mats("report", "ema_cross_20200103_run").exit_code == 0
    assert "Trades on price" not in page.read_text()
    assert "the bars have changed since the run" in page.read_text()
    (place / "bars/SPY.csv").unlink()
    assert mats("report", "ema_cross_20200103_run").exit_code == 0
    assert "the bars cannot be read" in page.read_text()


def test_what_is_ranked_is_told_as_json_and_failures_apart(place: Path) -> None:
    (place / "held.py").write_text(HELD)
    (place / "go").touch()
    done = mats("sweep", "held.py", "--data", "bars", "--param", "after=1,2,5", "--metric", "final_equity", "--json")
    told = json.loads(done.output.splitlines()[-1])
    assert (told["runs"], told["ranked"], told["failed"]) == (3, 2, 1)
    equities = [best["metrics"]["final_equity"] for best in told["best"]]
    assert equities == sorted(equities, reverse=True)
    assert {best["parameters"]["after"] for best in told["best"]} == {1, 2}
    shown = mats("sweep", "--resume", told["name"])
    assert "five is too many" in shown.output


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ("sweep", "a sweep needs a strategy"),
        ("sweep examples/ema_cross.py --data bars", "needs parameters to vary"),
        ("sweep examples/ema_cross.py --data bars --param fast", "cannot be read"),
        ("sweep examples/ema_cross.py --data bars --param pace=1:5", "no parameter 'pace'"),
        ("sweep examples/ema_cross.py --data bars --param fast=90 --param slow=20", "must be from 1 to below slow"),
        ("sweep examples/ema_cross.py --data bars --param fast=2:4 --metric luck", "metric 'luck' is not known"),
        ("sweep examples/ema_cross.py --data none --param fast=2:4", "none"),
        ("sweep examples/ema_cross.py --data bars --param fast=2:4 --walk-forward 90", "write TRAIN:TEST"),
        ("sweep examples/ema_cross.py --data bars --param fast=2:4 --walk-forward 90d:1d", "no time to test"),
        (
            "sweep examples/ema_cross.py --data bars --param fast=2:4 --instruments SPY,IBM",
            "a sweep takes one strategy",
        ),
        ("sweep --resume sweep_x", "no sweep sweep_x"),
        ("report nothing_20200103_run", "nothing_20200103_run"),
        ("report sweep_x", "no sweep sweep_x"),
        ("report sweep_x other", "report it alone"),
    ],
)
def test_every_fault_is_one_sentence(place: Path, arguments: str, fault: str) -> None:
    done = mats(*arguments.split())
    assert done.exit_code == 1 and done.exception is not None
    (sentence,) = done.exception.args
    assert fault in sentence
    assert "\n" not in sentence


def test_ctrl_c_keeps_what_is_there_and_the_sweep_goes_on(place: Path) -> None:
    (place / "held.py").write_text(HELD)
    environment = {**os.environ, "MATS_DATA_DIR": str(place / "data")}
    command = [sys.executable, str(ROOT / "run.py"), "sweep", "held.py", "--data", "bars", "--param", "after=1:4"]
    with subprocess.Popen(
        [*command, "--workers", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        wait_for(place / "waiting", process)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    (name,) = re.findall(r"mats sweep --resume (\S+)`", told)
    uri = lmdb_uri(place / "data/arctic")
    assert [outcome.task.parameters["after"] for outcome in SweepTable(uri, name).read()[1]] == [1, 2]
    (place / "go").touch()
    assert mats("sweep", "--resume", name).exit_code == 0
    outcomes = SweepTable(uri, name).read()[1]
    assert [(o.task.parameters["after"], o.state) for o in outcomes] == [(at, "complete") for at in (1, 2, 3, 4)]


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Until the worker has made the file."""
    import threading

    again = threading.Event()
    for _ in range(int(PATIENCE * 20)):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()
        again.wait(0.05)
    raise AssertionError(f"{path} was not made")
