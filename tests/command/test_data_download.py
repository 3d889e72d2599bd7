"""`mats data download`, `map` and `repair` as a person runs them, on a paper gateway that keeps New York's hours."""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mats.model import MINUTE, from_datetime
from mats.sessions import exchange_calendar
from mats.store import data_directory
from mats.store.tables import BarStore, store_uri
from tests.command.command import Ran, configure, run, started

FROM, TO = "2026-09-01", "2026-10-01"
SPAN = tuple(from_datetime(datetime.fromisoformat(day).replace(tzinfo=UTC)) for day in (FROM, TO))


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    with started("gateway", "--port", "0", "--calendar", "XNYS", "--strict") as gateway:
        assert gateway.stdout is not None
        yield gateway.stdout.readline().strip().rpartition(":")[2]


@pytest.fixture
def options(tmp_path: Path, port: str) -> list[str | Path]:
    config = configure(tmp_path)
    return ["--config", config, "--data-dir", tmp_path / "data", "--host", "127.0.0.1", "--port", port]


def expected() -> list[int]:
    """The starts of all minute bars of September."""
    sessions = exchange_calendar("XNYS").sessions(*SPAN, "extended")
    return [at for s in sessions for at in range(max(s.extended_open, SPAN[0]), min(s.extended_close, SPAN[1]), MINUTE)]


def stored(folder: Path, name: str) -> list[int]:
    bars = BarStore(store_uri("", folder / "data")).read(name, 60)
    return [] if bars is None else bars.start.tolist()


def known(options: list[str | Path], *names: str) -> list[dict[str, object]]:
    done = run("data", "map", *names, *options[:4], "--json")
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_download_that_is_killed_twice_has_every_bar_once_and_the_map_says_so(
    options: list[str | Path], tmp_path: Path
) -> None:
    command = ("data", "download", "SPY", "IBM", "--from", FROM, "--to", TO, *options)
    for line in (1, 2):
        with started(*command) as process:
            assert process.stderr is not None
            said = [process.stderr.readline() for _ in range(line)]
            assert "requests" in said[-1], said
            process.send_signal(signal.SIGKILL)
            process.communicate()
    done: Ran = run(*command, "--json")
    assert done.code == 0, done.err
    assert done.summary["violations"] == 0
    assert stored(tmp_path, "SPY") == stored(tmp_path, "IBM") == expected()
    lines = known(options, "SPY")
    assert all(before["end"] == after["start"] for before, after in pairwise(lines))
    assert (lines[0]["start"], lines[-1]["end"]) == SPAN
    again = run(*command, "--json")
    assert (again.summary["requests"], again.summary["bars"]) == (0, 0)


def test_a_hole_is_shown_and_repaired(options: list[str | Path], tmp_path: Path) -> None:
    for day in (("2026-09-01", "2026-09-03"), ("2026-09-09", "2026-09-11")):
        assert run("data", "download", "SPY", "--from", day[0], "--to", day[1], *options).code == 0
    shown = run("data", "map", "SPY", *options[:4]).out
    assert "never asked" in shown
    done = run("data", "repair", "SPY", *options, "--json")
    assert done.code == 0, done.err
    assert 3 <= int(str(done.summary["requests"])) <= 4, "the sessions in between: Labor Day is none"
    bars = np.array(stored(tmp_path, "SPY"))
    sessions = exchange_calendar("XNYS").sessions(int(bars[0]), int(bars[-1]))
    assert len(sessions) == 7
    assert all(np.isin(np.arange(s.open, s.close, MINUTE), bars).all() for s in sessions[:-1])
    assert run("data", "repair", "SPY", *options, "--json").summary["requests"] == 0


def test_an_unknown_name_is_left_out_and_the_others_are_loaded(options: list[str | Path], tmp_path: Path) -> None:
    done = run("data", "download", "NOSUCHTHING", "IBM", "--from", "2026-09-01", "--to", "2026-09-02", *options)
    assert done.code == 1
    assert any(line.startswith("mats: NOSUCHTHING is left out: contract of NOSUCHTHING") for line in done.sentences)
    assert len(stored(tmp_path, "IBM")) == 16 * 60


def test_beside_a_daemon_it_is_refused_with_the_remedy(options: list[str | Path], tmp_path: Path) -> None:
    with data_directory(tmp_path / "data"):
        done = run("data", "download", "SPY", *options)
    assert done.code == 2
    assert "is in use by process" in done.err
    assert "one process writes the store at a time; stop it" in done.err


def test_without_a_gateway_it_says_what_to_do(tmp_path: Path) -> None:
    config = configure(tmp_path)
    done = run("data", "download", "SPY", "--config", config, "--data-dir", tmp_path / "data")
    assert (done.code, "give --host and --port" in done.err) == (2, True)
    gone = run("data", "download", "SPY", "--config", config, "--data-dir", tmp_path / "data", "--host", "127.0.0.1",
               "--port", "1")  # fmt: skip
    assert (gone.code, "the download cannot begin" in gone.err) == (2, True)
    assert run("data", "map", "SPY", "--config", config, "--data-dir", tmp_path / "data").code == 2
