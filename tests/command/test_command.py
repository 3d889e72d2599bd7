"""The command: it runs for a time, ends with a summary, replays bars, draws on a terminal and logs in a pipe."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from actors.daemon.plan import gateway_command
from mats.settings import load_settings
from mats.store.journal.journal import Journal
from tests.command.command import BUYER, PATIENCE, ROOT, Ran, configure, row, run, started

DATA = Path(os.environ.get("MATS_DATA", ROOT.parent / "shared" / "data"))
REAL = DATA / "bars_1min" / "aapl_2014-06"
KEYS = {"orders", "fills", "fills_stored", "gateway_executions", "positions", "breaks", "dead_letters", "restarts"}


def write_bars(folder: Path, minutes: int) -> Path:
    """Bar files of two instruments that rise a cent a minute."""
    folder.mkdir()
    for name, price in (("SPY", 100.0), ("IBM", 50.0)):
        rows = [
            f"2024-01-02T{14 + (30 + i) // 60}:{(30 + i) % 60:02d}:00Z,{price + i / 100},{price + i / 100 + 0.02},"
            f"{price + i / 100 - 0.02},{price + i / 100 + 0.01},60000"
            for i in range(minutes)
        ]
        (folder / f"{name}.csv").write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    return folder


def assert_clean(ran: Ran) -> None:
    """It ended well: as many fills stored as booked as executed, books equal to the broker's, nothing lost."""
    assert ran.code == 0, ran.err
    summary = ran.summary
    assert summary.keys() >= KEYS
    assert summary["fills"] == summary["fills_stored"] == summary["gateway_executions"]
    assert (summary["breaks"], summary["dead_letters"], summary["restarts"]) == (0, 0, 0)
    assert isinstance(summary["positions"], list)
    for place in summary["positions"]:
        assert place.keys() == {"account", "symbol", "strategies", "discretionary", "broker"}
        assert sum(place["strategies"].values()) + place["discretionary"] == place["broker"]


def test_a_replay_trades_and_ends_with_books_that_equal_the_broker(tmp_path: Path) -> None:
    params = '{ instrument = "%s", bar_seconds = 60 }'
    table = row("one", params=params % "SPY") + row("two", params=params % "IBM", weight=0.1)
    path = configure(tmp_path, strategies=table, buyer=BUYER)
    bars = write_bars(tmp_path / "bars", 60)
    arguments = ("--config", path, "--data-dir", tmp_path / "data", "--json", "--bar-seconds", "0.1")
    ran = run(*arguments, "--replay", bars, "--for", "4")
    assert_clean(ran)
    assert isinstance(ran.summary["fills"], int) and ran.summary["fills"] >= 2
    held = {place["symbol"]: place["strategies"] for place in ran.summary["positions"]}  # type: ignore[attr-defined]
    assert held["SPY"]["one"] > 0 and held["IBM"]["two"] > 0
    assert (tmp_path / "data" / "logs" / "mats.log").stat().st_size > 0
    journal = Journal(tmp_path / "data" / "journal.db")
    assert journal.totals() == (ran.summary["orders"], ran.summary["fills"])
    journal.close()


@pytest.mark.skipif(not REAL.is_dir(), reason="no stored bars on this machine")
def test_real_bars_are_replayed(tmp_path: Path) -> None:
    path = configure(tmp_path, strategies=row("one", params='{ instrument = "AAPL", bar_seconds = 60 }'), buyer=BUYER)
    arguments = ("--config", path, "--data-dir", tmp_path / "data", "--json", "--bar-seconds", "0.1")
    ran = run(*arguments, "--replay", REAL, "--for", "4")
    assert_clean(ran)
    assert [place["symbol"] for place in ran.summary["positions"]] == ["AAPL"]  # type: ignore[attr-defined]


def test_a_run_in_a_pipe_logs_json_lines_and_ends_with_a_report_for_people(tmp_path: Path) -> None:
    path = configure(tmp_path, strategies=row("calm"), buyer=BUYER)
    begun = time.monotonic()
    ran = run("--config", path, "--data-dir", tmp_path / "data", "--for", "1")
    assert ran.code == 0 and time.monotonic() - begun > 1.0
    assert {"event", "level", "timestamp"} <= set.intersection(*(set(line) for line in ran.log))
    assert [line["strategy"] for line in ran.log if line["event"] == "strategy started"] == ["calm"]
    assert re.search(r"^orders +\d+ *$", ran.out, re.MULTILINE) and "Positions" in ran.out
    assert "\x1b" not in ran.out + ran.err


def test_a_signal_stops_the_daemon_in_order_even_while_it_starts(tmp_path: Path) -> None:
    quiet = configure(tmp_path, "[gateway]\nhost = '127.0.0.1'\nport = 1\nstartup_timeout_seconds = 60.0\n")
    with started("--config", quiet, "--data-dir", tmp_path / "data", "--json") as daemon:
        assert daemon.stderr is not None
        next(line for line in daemon.stderr if "GatewayRefused" in line)
        daemon.send_signal(signal.SIGINT)
        out, err = daemon.communicate(timeout=PATIENCE)
    assert daemon.returncode == 0 and "Traceback" not in err
    assert '"gateway_executions":null' in out and '"broker":0' not in out


def test_the_seed_of_the_command_line_reaches_the_paper_gateway(tmp_path: Path) -> None:
    """A market of one seed is the same at the same time (tests/venue); here: it is this seed that it gets."""
    settings = load_settings(configure(tmp_path), {"paper_gateway": {"seed": 5}})
    arguments = gateway_command(settings, 4002).arguments
    assert arguments[arguments.index("--seed") + 1] == "5"
    with started("--config", configure(tmp_path), "--data-dir", tmp_path / "data", "--seed", "77") as daemon:
        assert daemon.stderr is not None
        next(line for line in daemon.stderr if '"brokers/gateway"' in line and "ChildStarted" in line)
        told = [Path(f"/proc/{task}/cmdline").read_text() for task in _children(daemon.pid)]
        assert any("\0--seed\x0077\0" in command for command in told), told


def _children(process: int) -> list[str]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def test_the_gateway_says_where_it_listens_and_stops_when_told() -> None:
    with started("gateway", "--port", "0") as gateway:
        assert gateway.stdout is not None
        assert re.fullmatch(r"listening 127\.0\.0\.1:\d+\n", gateway.stdout.readline())
        gateway.send_signal(signal.SIGTERM)
        _, err = gateway.communicate(timeout=PATIENCE)
    assert (gateway.returncode, err) == (0, "")


def test_a_terminal_gets_a_live_table_and_at_the_end_a_report(tmp_path: Path) -> None:
    table = row("calm") + row("torn", "torn.py")
    path = configure(tmp_path, strategies=table, buyer=BUYER, torn="1 / 0\n")
    screen, code = on_terminal("--config", path, "--data-dir", tmp_path / "data", "--for", "2")
    assert code == 0
    live, _, report = screen.rpartition("\x1b[?1049l")
    for words in ("Strategies", "Positions", "Working orders", "Connections", "calm", "books = broker", "starting: "):
        assert words in live, live[-3000:]
    assert re.search(r"fault +torn: strategy file .*…", live)
    plain = " ".join(re.sub(r"\x1b\[[\d;]*m", "", report).split())
    assert "torn.py does not import: ZeroDivisionError" in plain
    assert "fills" in report and "in the store" in report
    assert '"event"' not in screen and "Traceback" not in screen


def on_terminal(*arguments: str | Path) -> tuple[str, int]:
    """Everything the program draws on a terminal of 30 lines of 100 columns, and its exit code."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (30, 100))
    environment = {**os.environ, "TERM": "xterm-256color"}
    command = [sys.executable, str(ROOT / "run.py"), *map(str, arguments)]
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    drawn = b""
    while select.select([leader], [], [], PATIENCE)[0]:
        try:
            part = os.read(leader, 65_536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        drawn += part
    os.close(leader)
    return drawn.decode(), process.wait(PATIENCE)


def test_the_strategy_table_is_shown_and_changed_while_the_daemon_does_not_run(tmp_path: Path) -> None:
    path = configure(tmp_path, strategies=row("one") + row("two"))
    options = ("--config", path, "--data-dir", tmp_path / "data")
    assert run("strategies", *options).out == ""
    assert [line["name"] for line in _rows(run("strategies", *options, "--load", tmp_path / "strategies.toml"))] == [
        "one",
        "two",
    ]
    (tmp_path / "more.toml").write_text(row("two", weight=0.4) + row("three"))
    shown = _rows(run("strategies", *options, "--load", tmp_path / "more.toml"))
    assert {line["name"]: line["target_weight"] for line in shown} == {"one": 0.2, "two": 0.4, "three": 0.2}
    assert _rows(run("strategies", *options)) == shown


def test_weights_above_one_are_not_stored(tmp_path: Path) -> None:
    path = configure(tmp_path, strategies=row("one") + row("two", weight=0.9))
    options = ("--config", path, "--data-dir", tmp_path / "data")
    ran = run("strategies", *options, "--load", tmp_path / "strategies.toml")
    assert ran.code != 0 and ran.out == ""
    assert "nothing is stored: target weights of the first account sum to 1.1 (one 0.2, two 0.9)" in ran.err
    assert run("strategies", *options).out == ""


def _rows(ran: Ran) -> list[dict[str, object]]:
    assert (ran.code, ran.err) == (0, "")
    return [json.loads(line) for line in ran.out.splitlines()]
