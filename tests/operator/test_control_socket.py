"""The control socket: only its owner's, at any depth of folders, and not to be brought down by what is sent to it."""

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from actors.operator.control_socket import MAX_CLIENTS, MAX_LINE_BYTES, ControlSocket, ControlSocketError
from mats.operator import protocol
from mats.operator.client import OperatorError, ask
from mats.operator.socket import NAME, connect

SECONDS = 5.0


class Core:
    """In the place of the operator core: it keeps what it was asked, waits if told to, and fails at a resume."""

    def __init__(self) -> None:
        self.asked: list[tuple[protocol.Request, str]] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, request: protocol.Request, who: str) -> protocol.BaseResponse:
        self.asked.append((request, who))
        assert self.go.wait(SECONDS)
        match request:
            case protocol.HaltRequest(strategy="nix"):
                return protocol.RequestRefused(reason="there is no strategy nix")
            case protocol.ResumeRequest():
                raise LookupError("a fault of ours")
        return protocol.Done(text="halted")


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.fixture
def port(tmp_path: Path, core: Core) -> Iterator[Path]:
    with ControlSocket(tmp_path, core):
        yield tmp_path


def say(connection: socket.socket, line: bytes) -> protocol.Reply:
    connection.sendall(line)
    with connection.makefile("rb") as answers:
        return msgspec.json.decode(answers.readline(), type=protocol.Reply)


def test_a_command_reaches_the_core_with_the_name_of_its_user(port: Path, core: Core) -> None:
    command = protocol.HaltRequest(strategy="trend", reason="lunch")
    assert ask(port, command, protocol.Done) == protocol.Done(text="halted")
    ((request, who),) = core.asked
    assert request == command and who in ("root", os.environ.get("USER", who))


def test_only_the_owner_may_open_it_and_it_is_gone_with_the_daemon(tmp_path: Path, core: Core) -> None:
    with ControlSocket(tmp_path, core):
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert not (tmp_path / NAME).exists()
    with pytest.raises(
        OperatorError, match=f"no daemon runs on {tmp_path}; start it with `mats --data-dir {tmp_path}`"
    ):
        ask(tmp_path, protocol.StatusRequest(), protocol.DaemonStatus)


def test_what_a_killed_daemon_left_is_no_daemon_and_does_not_stand_in_the_way(tmp_path: Path, core: Core) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / NAME))
    with pytest.raises(OperatorError, match="no daemon runs on"):
        ask(tmp_path, protocol.StatusRequest(), protocol.DaemonStatus)
    with ControlSocket(tmp_path, core):
        assert ask(tmp_path, protocol.HaltRequest(), protocol.Done).text == "halted"


def test_a_path_longer_than_an_address_can_hold_works_as_well(tmp_path: Path, core: Core) -> None:
    deep = tmp_path / ("a" * 120) / ("b" * 60)
    deep.mkdir(parents=True)
    with ControlSocket(deep, core):
        assert ask(deep, protocol.HaltRequest(), protocol.Done).text == "halted"


def test_a_refusal_is_an_error_and_a_wrong_answer_too(port: Path) -> None:
    with pytest.raises(OperatorError, match="there is no strategy nix"):
        ask(port, protocol.HaltRequest(strategy="nix"), protocol.Done)
    with pytest.raises(OperatorError, match="the daemon answered with Done"):
        ask(port, protocol.StatusRequest(), protocol.DaemonStatus)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b"nonsense\n",
        b'{"ask":"sell everything"}\n',
        b'{"ask":"halt","strategy":7}\n',
        b'{"ask":"status","more":1}\n',
        b"\xff\xfe\n",
        b"[" * 5_000 + b"\n",
    ],
)
def test_what_cannot_be_read_is_refused_and_the_talk_goes_on(port: Path, line: bytes) -> None:
    with connect(port, SECONDS) as connection:
        first = say(connection, line)
        assert isinstance(first, protocol.RequestRefused) and "the request cannot be decoded" in first.reason
        assert isinstance(say(connection, b'{"ask":"halt"}\n'), protocol.Done)


def test_a_line_without_an_end_is_cut_off(port: Path) -> None:
    with connect(port, SECONDS) as connection:
        answer = say(connection, b" " * MAX_LINE_BYTES)
        assert answer == protocol.RequestRefused(reason=f"a line is longer than {MAX_LINE_BYTES} bytes")
        assert connection.recv(1) == b""
    assert ask(port, protocol.HaltRequest(), protocol.Done).text == "halted"


def test_one_caller_too_many_is_told_so_and_the_others_are_served(port: Path, core: Core) -> None:
    core.go.clear()
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(connect(port, SECONDS)) for _ in range(MAX_CLIENTS)]
        for caller in callers:
            caller.sendall(b'{"ask":"halt"}\n')
        with connect(port, SECONDS) as last, last.makefile("rb") as answers:
            told = msgspec.json.decode(answers.readline(), type=protocol.Reply)
        assert told == protocol.RequestRefused(reason=f"{MAX_CLIENTS} clients are connected; try again later")
        core.go.set()
        for caller in callers:
            with caller.makefile("rb") as answers:
                assert isinstance(msgspec.json.decode(answers.readline(), type=protocol.Reply), protocol.Done)


def test_a_caller_who_goes_away_and_a_fault_of_the_core_harm_nobody(port: Path) -> None:
    connect(port, SECONDS).close()
    with pytest.raises(OperatorError, match=r"the request failed in the daemon \(LookupError: a fault of ours\)"):
        ask(port, protocol.ResumeRequest(), protocol.Done)
    assert ask(port, protocol.HaltRequest(), protocol.Done).text == "halted"


def test_a_command_is_described_for_the_audit_in_a_few_words() -> None:
    described = {
        protocol.HaltRequest(strategy="trend", reason="x"): "halt trend",
        protocol.HaltRequest(reason="x"): "halt all",
        protocol.ReverseTransferRequest(id="A7"): "reverse A7",
        protocol.SetEquityRequest(strategy="trend", amount=None): "equity of trend: by its weight",
        protocol.CancelOrdersRequest(): "cancel every order of all",
        protocol.ReconcileRequest(): "reconcile",
        protocol.TraceRequest(actor="core/risk", switch="on"): "trace core/risk on",
    }
    assert {command: protocol.described(command) for command in described} == described


def test_the_address_of_a_living_daemon_is_not_taken(port: Path, core: Core) -> None:
    with pytest.raises(ControlSocketError, match="another daemon listens"), ControlSocket(port, core):
        pass
    assert ask(port, protocol.HaltRequest(strategy="trend", reason="lunch"), protocol.Done).text == "halted"


def test_a_daemon_whose_directory_was_renamed_leaves_the_address_of_its_successor(tmp_path: Path, core: Core) -> None:
    place = tmp_path / "data"
    place.mkdir()
    with ControlSocket(place, core):
        place.rename(tmp_path / "moved")
        place.mkdir()
        successor = ControlSocket(place, core).__enter__()
    try:
        assert ask(place, protocol.HaltRequest(strategy="trend", reason="lunch"), protocol.Done).text == "halted"
    finally:
        successor.__exit__(None, None, None)
    assert not (place / NAME).exists()
