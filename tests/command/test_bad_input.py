"""Whatever is wrong, the command says it in one sentence with the fix, ends with an error, and harms nothing."""

import gzip
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mats.store.journal.journal import Journal
from tests.command.command import BUYER, PATIENCE, Ran, configure, row, run, started

FEW = "[gateway]\nstartup_timeout_seconds = 2.0\nconnect_timeout_seconds = 0.5\nsnapshot_timeout_seconds = 0.5\n"


def assert_refused(ran: Ran, *parts: str, code: int = 2) -> None:
    """One sentence at the end that has all the parts; an exit code; no traceback anywhere."""
    assert ran.code == code, ran.err
    assert "Traceback" not in ran.out + ran.err
    assert ran.err.splitlines()[-1].startswith("mats: "), ran.err
    for part in parts:
        assert part in ran.sentences[-1], ran.sentences


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data directory with something to lose; whatever the test does, it is still there afterwards."""
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    journal = Journal(directory / "journal.db")
    journal.set_halt("trend-spy", "a person said so", 7)
    journal.close()
    yield directory
    database = sqlite3.connect(directory / "journal.db")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("SELECT scope, reason, time FROM halts").fetchall() == [
        ("trend-spy", "a person said so", 7)
    ]
    database.close()


# Settings


def test_a_settings_file_that_is_missing_is_named(tmp_path: Path) -> None:
    assert_refused(run("--config", tmp_path / "no.toml"), f"{tmp_path}/no.toml does not exist", "--config")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("data_dir = [", ("not valid TOML", "correct")),
        ("colour = 1", ("setting colour", "unknown", "remove it")),
        ("[gateway]\nport = 'x'", ("gateway.port = x", "integer", "correct it")),
        ("[gateway]\nport = 0", ("gateway.port = 0", "greater than or equal to 1", "correct it")),
        (
            "[portfolio]\nbreak_confirmation_seconds = inf",
            ("portfolio.break_confirmation_seconds = inf", "finite", "correct it"),
        ),
    ],
    ids=["malformed", "unknown", "type", "range", "infinite"],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_file(
    text: str, parts: tuple[str, ...], tmp_path: Path
) -> None:
    path = configure(tmp_path, text)
    assert_refused(run("--config", path), str(path), *parts)


def test_a_fault_in_the_environment_or_the_command_line_is_not_blamed_on_the_file() -> None:
    assert_refused(run(MATS_GATEWAY__PORT="99999"), "gateway.port = 99999 (environment)", "correct it")
    assert_refused(run("--seed", "-1"), "paper_gateway.seed = -1 (command line)", "correct it")
    assert_refused(run(MATS_PAPER_GATEWAY__ACCOUNTS="DU1"), "environment variable", "paper_gateway", "write lists")


def test_an_option_that_does_not_exist_is_told_with_the_way_to_help() -> None:
    ran = run("--frequency", "7")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "mats: No such option: --frequency; `mats --help` shows the usage\n"
    assert run("gatway").err == "mats: No such command 'gatway'; `mats --help` shows the usage\n"


@pytest.mark.parametrize("group", ["backtest", "data", "store", "strategy"])
def test_a_group_without_a_command_is_told_with_the_way_to_help(group: str) -> None:
    ran = run(group)
    assert (ran.code, ran.err) == (2, f"mats: Missing command; `mats {group} --help` shows the usage\n")


# Strategies


def test_a_strategy_table_that_is_missing_or_malformed_is_named(tmp_path: Path) -> None:
    path = configure(tmp_path, strategies="[[strategy")
    ran = run("--config", path, "--data-dir", tmp_path / "d")
    assert_refused(ran, f"{tmp_path}/strategies.toml", "correct that line")
    (tmp_path / "strategies.toml").unlink()
    assert_refused(run("--config", path, "--data-dir", tmp_path / "d"), f"{tmp_path}/strategies.toml", "create it")
    assert not (tmp_path / "d").exists()


def test_when_no_strategy_can_run_each_fault_is_told_and_the_start_is_refused(data: Path, tmp_path: Path) -> None:
    table = row("torn", "torn.py") + row("lost", "lost.py") + row("classless", class_name="Nobody")
    table += row("odd", params='{ strength = "much" }') + row("extra", params="{ speed = 3 }")
    path = configure(tmp_path, strategies=table, torn="import no_such_module\n", buyer=BUYER)
    ran = run("--config", path, "--data-dir", data)
    assert_refused(ran, "no strategy can run", "correct a file, or the table")
    told = "\n".join(ran.sentences)
    assert f"{tmp_path}/strategies/torn.py does not import: ModuleNotFoundError at line 1" in told
    assert "lost.py not found at" in told and "check the path" in told
    assert "has no class 'Nobody'; it has Buyer" in told
    assert "'strength': expected float, got str 'much'" in told
    assert "has no parameter 'speed'; it has instrument, strength" in told


def test_one_broken_strategy_is_named_and_the_others_run(data: Path, tmp_path: Path) -> None:
    table = row("torn", "torn.py") + row("good")
    path = configure(tmp_path, strategies=table, torn="1 / 0\n", buyer=BUYER)
    ran = run("--config", path, "--data-dir", data, "--for", "1", "--json")
    assert ran.code == 0
    assert len(ran.sentences) == 1 and "torn.py does not import: ZeroDivisionError at line 1" in ran.sentences[0]
    assert [line["strategy"] for line in ran.log if line["event"] == "strategy started"] == ["good"]
    assert "Traceback" not in ran.out + ran.err


def test_weights_that_sum_above_one_start_nothing(data: Path, tmp_path: Path) -> None:
    path = configure(tmp_path, strategies=row("one", weight=0.7) + row("two", weight=0.7), buyer=BUYER)
    ran = run("--config", path, "--data-dir", data)
    assert_refused(ran, "no strategy can run")
    assert "sum to 1.4 (one 0.7, two 0.7); lower them" in ran.sentences[0]


# Data directory


def test_a_file_in_place_of_the_data_directory_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert_refused(run("--data-dir", tmp_path / "file"), f"{tmp_path}/file cannot be used", "--data-dir")
    assert_refused(run("--data-dir", tmp_path / "file" / "below"), f"{tmp_path}/file/below cannot", "--data-dir")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_in_place_of_the_store_is_named(data: Path) -> None:
    (data / "arctic").write_text("mine")
    assert_refused(run("--data-dir", data), f"{data}/arctic cannot be used", "store.uri")
    assert (data / "arctic").read_text() == "mine"


def test_a_damaged_journal_is_refused_and_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"no database at all " * 300)
    assert_refused(run("--data-dir", tmp_path), f"{tmp_path}/journal.db cannot be opened", "restore it from a backup")
    assert (tmp_path / "journal.db").read_bytes() == b"no database at all " * 300


@pytest.mark.parametrize("begin", [0, 100], ids=["header", "pages"])
def test_a_journal_that_is_overwritten_ends_in_the_remedy(begin: int, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    Journal(tmp_path / "journal.db").close()
    with (tmp_path / "journal.db").open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(begin)
        file.write(b"\xff" * (size - begin))
    ran = run("--data-dir", tmp_path)
    assert_refused(ran, f"{tmp_path}/journal.db", "restore it from a backup, or move it away")
    assert len(ran.sentences) == 1


def test_a_damaged_file_of_the_store_is_said_and_never_opened_and_trading_goes_on(data: Path, tmp_path: Path) -> None:
    file = data / "arctic" / "fills" / "data.mdb"
    file.parent.mkdir(parents=True, mode=0o700)
    file.write_bytes(b"no store at all " * 1_000)
    path = configure(tmp_path, strategies=row("good"), buyer=BUYER)
    ran = run("--config", path, "--data-dir", data, "--for", "1", "--json")
    assert ran.code == 0
    assert f"{file} is damaged (it does not begin as a file of LMDB does)" in ran.sentences[0]
    assert "move its folder away and start again" in ran.sentences[0] and "trading goes on" in ran.sentences[0]
    assert file.read_bytes() == b"no store at all " * 1_000
    assert "Traceback" not in ran.out + ran.err


def test_a_data_directory_that_others_may_use_is_narrowed_and_that_is_said(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    path = configure(tmp_path, FEW + 'host = "127.0.0.1"\nport = 1\n')
    ran = run("--config", path, "--data-dir", data)
    assert f"data directory {data} was open to other users" in ran.sentences[0]
    assert not [file for file in (data, *data.rglob("*")) if file.stat().st_mode & 0o077]


def test_a_journal_of_a_newer_version_is_refused(data: Path) -> None:
    database = sqlite3.connect(data / "journal.db")
    database.execute("UPDATE meta SET value = 99 WHERE key = 'schema_version'")
    database.commit()
    database.close()
    assert_refused(run("--data-dir", data), "schema version 99", "start the newer program")


def test_a_data_directory_in_use_is_refused_and_its_holder_goes_on(data: Path, tmp_path: Path) -> None:
    path = configure(tmp_path, strategies=row("good"), buyer=BUYER)
    with started("--config", path, "--data-dir", data, "--json") as first:
        assert first.stderr is not None
        next(line for line in first.stderr if "strategy started" in line)
        ran = run("--config", path, "--data-dir", data)
        assert_refused(ran, f"{data} is in use by process {first.pid}", "stop that process")
        assert first.poll() is None
        first.terminate()
        out, err = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, err
    assert '"restarts":0' in out and '"dead_letters":0' in out


# The gateway


def test_a_gateway_that_nobody_serves_is_named(data: Path, tmp_path: Path) -> None:
    path = configure(tmp_path, FEW + 'host = "127.0.0.1"\nport = 1\n')
    ran = run("--config", path, "--data-dir", data)
    assert_refused(ran, "no connection to the gateway within 2 s", "127.0.0.1:1", "refuses", "start it")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["silence", "garbage"])
def test_a_gateway_that_speaks_another_language_is_named(answer: bytes, data: Path, tmp_path: Path) -> None:
    with stranger(answer) as port:
        path = configure(tmp_path, FEW + f'host = "127.0.0.1"\nport = {port}\n')
        ran = run("--config", path, "--data-dir", data)
    assert_refused(
        ran, "no connection to the gateway", f"127.0.0.1:{port}", "accepted but did not finish", "restart it"
    )


@contextmanager
def stranger(answer: bytes) -> Iterator[int]:
    """The port of something that accepts everybody, says `answer`, and nothing else."""
    guests: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:

        def serve() -> None:
            while True:
                try:
                    guest, _ = server.accept()
                except OSError:
                    return
                guests.append(guest)
                guest.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)
    for guest in guests:
        guest.close()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("gateway", "--port", str(port), "--state", tmp_path / "gateway.db")
    assert_refused(ran, f"127.0.0.1:{port}", "choose another port")


def test_what_a_gateway_cannot_run_with_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"no database at all " * 300)
    assert_refused(
        run("gateway", "--port", "0", "--state", tmp_path / "state"), f"{tmp_path}/state", "fix it or choose"
    )
    assert_refused(run("gateway", "--port", "0", "--accounts", "DU1,"), "'DU1,'", "empty name")
    assert_refused(run("gateway", "--port", "0", "--instruments", "no.toml"), "no.toml", "choose another")


# Replay


def _without_columns(folder: Path) -> None:
    (folder / "SPY.csv").write_text("timestamp,open\n2024-01-02T14:30:00Z,100\n")


def _with_words(folder: Path) -> None:
    (folder / "SPY.csv").write_text("timestamp,open,high,low,close,volume\n2024-01-02T14:30:00Z,1,1,1,much,1\n")


def _torn(folder: Path) -> None:
    (folder / "SPY.csv.gz").write_bytes(gzip.compress(b"timestamp,open,high,low,close,volume\n" * 99)[:-12])


def _unlisted(folder: Path) -> None:
    (folder / "NOBODY.csv").write_text("timestamp,open,high,low,close,volume\n")


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (Path.rmdir, ("not found", "check the path")),
        (Path.exists, ("has no bars", "add NAME.csv")),
        (_without_columns, ("SPY.csv has no column 'high'", "add it")),
        (_with_words, ("SPY.csv: line 2", "'much'", "fix it")),
        (_torn, ("SPY.csv.gz", "fix it")),
        (_unlisted, ("NOBODY.csv", "not listed", "list it or remove the file")),
    ],
    ids=["missing", "empty", "columns", "words", "torn", "unlisted"],
)
def test_a_replay_that_cannot_be_played_is_named_at_once(
    spoil: object, parts: tuple[str, ...], data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bars"
    folder.mkdir()
    assert callable(spoil)
    spoil(folder)
    ran = run("--replay", folder, "--data-dir", data)
    assert_refused(ran, "the gateway cannot start", str(folder), *parts)
