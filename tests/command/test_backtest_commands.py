"""`mats data` and `mats backtest`: what the page says happens, every fault is one sentence, nothing is half-done."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from actors.cli import app
from mats.backtest.result.dataframes import digest
from mats.backtest.result.result import Record
from mats.backtest.result.storage import load_result, records
from mats.errors import UserError
from mats.store.tables.backtests import BacktestLibrary
from mats.store.tables.bars import BarStore
from mats.store.tables.connection import lmdb_uri
from tests.command.backtests_page import LINES, PAGE
from tests.command.command import PATIENCE, ROOT

WAITING = '''
import signal
from pathlib import Path
from mats.strategy import Bar, Strategy


class Waiting(Strategy):
    """Stops in the middle, and says so."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "SPY"
        bar_seconds: int = 60

    params: Params

    def on_start(self) -> None:
        self.seen = 0

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        self.signal(bar.instrument, self.seen % 2 / 2)
        if self.seen == 500:
            print("waiting", flush=True)
            signal.pause()
'''

Mats = Callable[..., Result]


@pytest.fixture
def mats(place: Path) -> Mats:
    """The command, in this process."""
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def uri(place: Path) -> str:
    return lmdb_uri(place / "data/arctic")


def test_the_commands_of_the_page_run(mats: Mats, uri: str) -> None:
    own = [line for line in LINES if line.startswith(("mats data", "mats backtest"))]
    assert len(own) >= 8
    for line in own:
        done = mats(*line.split()[1:])
        assert done.exit_code == 0, (line, done.output, done.exception)
    assert BacktestLibrary(uri).names() == ["ema_cross_20200103_free", "ema_cross_20200103_run"]
    assert [(bars.instrument, bars.count) for bars in BarStore(uri).contents()] == [("IBM", 2_000), ("SPY", 2_000)]


def test_the_notebook_of_the_page_runs(place: Path, uri: str) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert names["name"] == "ema_cross_20200103_run"
    assert BacktestLibrary(uri).names() == [names["name"]]


def test_an_import_says_what_was_wrong(mats: Mats, place: Path) -> None:
    lines = (place / "bars/SPY.csv").read_text().splitlines()
    lines[5] = re.sub(r",[^,]*$", ",", lines[5])
    (place / "bars/SPY.csv").write_text("\n".join([*lines[:9], lines[8], *lines[20:]]) + "\n")
    done = mats("data", "import", "bars/SPY.csv")
    assert "SPY 1min: 1,988 bars of 1,990 rows, 1,988 new or changed, 0 splits and dividends" in done.output
    assert "1 × no number, first in row 5 (2020-01-01T00:04:00.000Z)" in done.output
    assert "1 × repeated time, first in row 9 (2020-01-01T00:07:00.000Z)" in done.output
    assert "2 gaps, the longest from 2020-01-01T00:08:00.000Z to 2020-01-01T00:19:00.000Z" in done.output
    again = json.loads(mats("data", "import", "bars/SPY.csv", "--json").output)
    assert (again["bars"], again["changed"], again["findings"]["gaps"]) == (1_988, 0, 2)


def test_the_record_can_be_had_as_json(mats: Mats) -> None:
    done = mats("backtest", "examples/ema_cross.py", "--data", "bars", "--json", "--instruments", "SPY,IBM")
    record = msgspec.json.decode(done.output, type=Record)
    assert record.name == "ema_cross-SPY+ema_cross-IBM_20200103_run"
    assert record.by_strategy.keys() == {"ema_cross-SPY", "ema_cross-IBM"}
    assert record.data.keys() == {"SPY", "IBM"}
    (listed,) = mats("backtest", "list", "--json").output.splitlines()
    assert msgspec.json.decode(listed, type=Record) == record


def test_options_reach_the_run(mats: Mats, uri: str) -> None:
    options = "--from 2020-01-01T06:00:00Z --to 2020-01-02 --fees per-unit --fee-per-unit 0.01 --slippage-ticks 2"
    more = "--limits none --seed 7 --benchmark none"
    done = mats("backtest", "examples/ema_cross.py", "--data", "bars", *options.split(), *more.split())
    assert done.exit_code == 0, done.exception
    ((record,), _) = records(uri)
    assert (record.bars, record.spec.seed, record.benchmark, record.total.alpha) == (18 * 60, 7, "", None)
    assert (record.spec.models.slippage_ticks, str(record.spec.models.fee_per_unit)) == (2, "0.01")
    assert record.total.commissions == pytest.approx(load_result(uri, record.name).fills["quantity"].sum() * 0.01)


def test_rejected_orders_are_counted_under_the_result(mats: Mats, place: Path) -> None:
    done = mats("backtest", "examples/ema_cross.py", "--data", "bars", "--capital", "3000000")
    assert re.search(r"[1-9][\d,]* orders rejected: ", done.output)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("data import nowhere", ("data nowhere does not exist", "give a file")),
        ("data import notes.txt", ("notes.txt has an unknown format", "convert it")),
        ("data import bars --instrument SPY", ("cannot name 2 files", "one at a time")),
        ("data import bars --seconds 1w", ("unknown bar size '1w'", "1min")),
        ("data show", ("the store has no bars", "mats data import")),
        ("backtest none.py", ("none.py not found", "check the path")),
        ("backtest nobody", ("strategy 'nobody' is not in", "trend-spy", "FILE.py")),
        ("backtest examples/ema_cross.py", ("the store has no bars of SPY", "it has none", "mats data import")),
        ("backtest examples/ema_cross.py --data bars --param fast", ("'fast' cannot be read", "name=value")),
        ("backtest examples/ema_cross.py --data bars --param fast=50", ("are inconsistent", "fast 50")),
        ("backtest show x", ("there is no result x", "mats backtest list")),
        ("backtest verify x", ("there is no result x",)),
        ("backtest delete x", ("there is no result x",)),
    ],
)
def test_what_cannot_be_done_is_one_sentence(mats: Mats, place: Path, arguments: str, parts: tuple[str, ...]) -> None:
    (place / "notes.txt").touch()
    failed = mats(*arguments.split()).exception
    assert isinstance(failed, UserError), failed
    (sentence,) = failed.args
    assert "\n" not in sentence
    for part in parts:
        assert part in sentence


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (r"^(.*00:05:00[^,]*),[^,]*", r"\1,", "no number"),
        (r"^(.*00:05:00[^,]*),[^,]*", r"\1,-1", "negative price"),
        (r"^(.*00:05:00[^,]*),[^,]*", r"\1,0", "price of zero"),
        (r"00:06:00", "00:05:00", "repeated time"),
        (r"00:06:00", "00:01:00", "time before the row above"),
    ],
)
def test_bars_with_a_fault_are_not_run_on(mats: Mats, place: Path, uri: str, old: str, new: str, fault: str) -> None:
    path = place / "bars/SPY.csv"
    path.write_text(re.sub(old, new, path.read_text(), count=1, flags=re.MULTILINE))
    failed = mats("backtest", "examples/ema_cross.py", "--data", "bars").exception
    assert isinstance(failed, UserError)
    for part in (str(path), "row ", "2020-01-01T00:0", "SPY", fault, "mats data import"):
        assert part in str(failed)
    assert BacktestLibrary(uri).names() == []


def test_a_name_that_exists_is_known_before_the_run(mats: Mats, uri: str) -> None:
    command = ("backtest", "examples/ema_cross.py", "--data", "bars")
    assert mats(*command).exit_code == 0
    failed = mats(*command).exception
    assert "a result ema_cross_20200103_run exists; choose another --description, or replace it" in str(failed)
    assert mats(*command, "--replace", "--param", "fast=3").exit_code == 0
    assert records(uri)[0][0].spec.strategies[0].params["fast"] == 3


def test_a_strategy_that_raises_is_stored_as_failed_and_ends_with_an_error(mats: Mats, place: Path, uri: str) -> None:
    (place / "waiting.py").write_text(WAITING.replace('print("waiting", flush=True)', "raise RuntimeError(bar.close)"))
    done = mats("backtest", "waiting.py", "--data", "bars")
    assert done.exit_code == 1
    assert re.search(r"^mats: .*waiting.*2020-01-01T08:20.*RuntimeError", done.stderr, re.MULTILINE)
    ((record,), _) = records(uri)
    assert (record.state, record.bars, record.total.fills > 400) == ("failed", 500, True)
    assert "failed" in mats("backtest", "list").output
    assert record.name not in mats("backtest", "list", "--by", "total_return").output
    assert mats("backtest", "examples/ema_cross.py", "--data", "bars").exit_code == 0
    assert mats("backtest", "list", "--by", "total_return").output.count("_20200103_run") == 1
    assert "figure 'luck' is not known; name one of days" in str(mats("backtest", "list", "--by", "luck").exception)
    assert "FAILED" in mats("backtest", "show", record.name).output


def test_a_look_ahead_is_found_and_ends_with_an_error(mats: Mats, place: Path) -> None:
    (place / "peeking.py").write_text(
        "from mats.strategy import Strategy\n\n\nclass Peeking(Strategy):\n"
        "    class Params(Strategy.Params, frozen=True):\n        instrument: str = 'SPY'\n"
        "        bar_seconds: int = 60\n\n"
        "    def signals(self, frame):\n        return (frame['close'].shift(-1) > frame['close']) * 0.5\n"
    )
    done = mats("backtest", "peeking.py", "--data", "bars", "--check")
    assert done.exit_code == 1
    assert "strategy peeking looks ahead: at 2020-01-0" in done.stderr


def command_environment(place: Path, **changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MATS_")}
    return {**kept, "MATS_DATA_DIR": str(place / "data"), **changes}


def test_two_processes_with_two_hash_seeds_store_the_same_bytes(place: Path, uri: str) -> None:
    command = [sys.executable, str(ROOT / "run.py"), "backtest", "trend-spy", "revert-spy", "--param", "bar_seconds=60"]
    started = [
        subprocess.Popen(
            [*command, "--data", "bars", "--description", f"seed{seed}"],
            env=command_environment(place, PYTHONHASHSEED=str(seed)),
            stdout=subprocess.DEVNULL,
        )
        for seed in (1, 2)
    ]
    assert [process.wait(PATIENCE) for process in started] == [0, 0]
    library = BacktestLibrary(uri)
    one, two = library.names()
    for piece in ("trades", "equity_curve", "positions", "orders", "fills", "exact"):
        first, second = library.piece(one, piece), library.piece(two, piece)
        assert len(first) > 20
        assert digest(first) == digest(second), piece


def test_an_interrupt_stores_nothing_and_says_so(place: Path, uri: str) -> None:
    (place / "waiting.py").write_text(WAITING)
    with subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), "backtest", "waiting.py", "--data", "bars"],
        env=command_environment(place),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (130, "mats: interrupted; nothing was stored\n")
    assert BacktestLibrary(uri).names() == []


def test_the_command_does_not_import_what_it_does_not_need() -> None:
    heavy = ("ib_async", "exchange_calendars", "scipy", "matplotlib", "plotly", "actors.daemon", "actors.tree")
    code = f"import sys, run, mats.cli.research.backtest; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
