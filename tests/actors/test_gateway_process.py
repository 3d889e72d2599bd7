"""The process of the gateway: started means that it listens, its end is a failure, and it never stays behind."""

import os
from textwrap import dedent

import pytest

from actors import gateway_process
from actors.gateway_process import GatewayCommand, GatewayDied, GatewayProcess, GatewayUnusable
from mats.runtime import Crash, ThreadRuntime
from tests.patience import PATIENCE

LISTENS = """
    import os, sys
    open("pid", "w").write(str(os.getpid()))
    print("listening on 4002", flush=True)
    open("go").read()
    sys.exit(0)
"""
"""A gateway that writes down its id, listens, and ends when the test lets it go."""
ENDS_IN_ORDER = """
    import os, signal
    signal.signal(signal.SIGTERM, lambda *_: (open("farewell", "w").close(), os._exit(0)))
    print("listening on 4002", flush=True)
    open("go").read()
"""


def start(runtime, folder, code):
    """Start a gateway that is this program."""
    command = GatewayCommand(arguments=("-c", dedent(code)), log=folder / "gateway.log")
    runtime.launch("gateway", GatewayProcess, GatewayProcess.Args(command), supervised=True)
    return runtime.ref("gateway")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the process runs: `go` lets it go on, `pid` has its id."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("go")
    return tmp_path


@pytest.fixture
def watcher(probe):
    return probe("watcher")


def pid(folder):
    return int((folder / "pid").read_text())


def lives(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def let_go(folder):
    """The process goes on, and has ended when this returns; its parent may still ask how."""
    (folder / "go").write_text("")
    os.waitid(os.P_PID, pid(folder), os.WEXITED | os.WNOWAIT)


def state(runtime):
    return next(line.state for line in runtime.status() if line.name == "gateway")


def test_it_is_up_when_the_gateway_listens_and_a_stop_ends_the_process(runtime, folder, watcher):
    ref = start(runtime, folder, LISTENS)
    watcher.watch(ref)
    runtime.run_until_idle()
    assert state(runtime) == "running"
    assert lives(pid(folder))
    ref.stop()
    assert watcher.expect_down(ref).reason == "normal"
    assert not lives(pid(folder))


def test_a_stop_lets_the_gateway_end_in_order(runtime, folder, watcher):
    ref = start(runtime, folder, ENDS_IN_ORDER)
    watcher.watch(ref)
    runtime.run_until_idle()
    ref.stop()
    watcher.expect_down(ref)
    assert (folder / "farewell").exists()


def test_while_the_gateway_lives_all_is_well(runtime, folder):
    start(runtime, folder, LISTENS)
    runtime.advance(60.0)
    assert state(runtime) == "running"


def test_a_gateway_that_ends_by_itself_is_a_failure_within_half_a_second_in_its_own_words(runtime, folder, watcher):
    ending = LISTENS.replace("sys.exit(0)", 'print("mats: out of luck", file=sys.stderr); sys.exit(3)')
    ref = start(runtime, folder, ending)
    watcher.watch(ref)
    runtime.run_until_idle()
    let_go(folder)
    down = watcher.expect_down(ref, timeout=0.5)
    assert (down.reason, type(down.error)) == ("failed", GatewayDied)
    assert str(down.error) == "the paper gateway ended with code 3: out of luck"


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        ('sys.stderr.write("mats: port 80 is taken"); sys.exit(2)', GatewayUnusable, "port 80 is taken"),
        ('sys.stderr.write("oops"); sys.exit(1)', GatewayDied, "the paper gateway did not start: oops"),
        ("sys.exit(1)", GatewayDied, "the paper gateway did not start: {log} is empty"),
    ],
)
def test_a_gateway_that_does_not_listen_says_why_and_whether_it_is_of_use_to_try_again(
    runtime, folder, watcher, code, error, text
):
    ref = start(runtime, folder, f"import sys; {code}")
    watcher.watch(ref)
    down = watcher.expect_down(ref)
    assert (down.reason, type(down.error)) == ("start_failed", error)
    assert str(down.error) == text.format(log=folder / "gateway.log")


def test_a_crash_leaves_no_process_behind_and_the_next_one_can_start(runtime, folder, watcher):
    ref = start(runtime, folder, LISTENS)
    watcher.watch(ref)
    runtime.run_until_idle()
    first = pid(folder)
    ref.signal(Crash())
    assert watcher.expect_down(ref).reason == "failed"
    assert not lives(first)
    start(runtime, folder, LISTENS)
    runtime.run_until_idle()
    assert (state(runtime), pid(folder) == first) == ("running", False)


def test_a_gateway_that_does_not_say_that_it_listens_ends_with_its_abandoned_actor(folder):
    """Its actor hangs in the read of that line."""
    os.mkfifo("up")
    threads = ThreadRuntime()
    start(
        threads,
        folder,
        """
        import os
        open("pid", "w").write(str(os.getpid()))
        open("up", "w").close()
        open("go").read()
    """,
    )
    (folder / "up").read_text()
    threads.abandon("gateway")
    threads.stop(PATIENCE)
    assert not lives(pid(folder))


def test_a_gateway_that_will_not_end_is_killed(runtime, folder, watcher, monkeypatch):
    monkeypatch.setattr(gateway_process, "STOP_SECONDS", 0.1)
    ref = start(
        runtime, folder, LISTENS.replace("import os, sys", "import os, signal; signal.signal(15, signal.SIG_IGN)")
    )
    watcher.watch(ref)
    runtime.run_until_idle()
    ref.stop()
    assert watcher.expect_down(ref).reason == "normal"
    assert not lives(pid(folder))
