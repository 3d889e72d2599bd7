"""The operator's commands as a person runs them, against one daemon that trades on the paper gateway."""

import json
import re
import shlex
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.command.command import BUYER, PATIENCE, ROOT, Ran, configure, row, run, started
from tests.system.harness import until

RESTING = '''
from mats.strategy import Bar, Side, Strategy, limit


class Resting(Strategy):
    """Rests one order far below the market."""

    class Params(Strategy.Params, frozen=True):
        instrument: str = "BAC"
        bar_seconds: int = 5

    params: Params

    def on_bar(self, bar: Bar) -> None:
        if not self.broker.orders():
            self.broker.place_order(bar.instrument, limit(1.0), Side.BUY, quantity=7)
'''


class Daemon:
    """A daemon that runs, and its data directory."""

    def __init__(self, options: tuple[str | Path, ...], process: subprocess.Popen[str]) -> None:
        self.options, self.process = options, process

    def mats(self, *arguments: str) -> Ran:
        place = arguments.index("--") if "--" in arguments else len(arguments)
        return run(*arguments[:place], *self.options, *arguments[place:])

    def told(self, *arguments: str) -> dict[str, Any]:
        """The answer as a machine gets it."""
        ran = self.mats(*arguments, "--json")
        assert ran.code == 0, ran.err
        answer: dict[str, Any] = json.loads(ran.out)
        return answer

    def books(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(book["strategy"], book["instrument"]): book for book in self.told("books")["books"]}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Strategies `one` (SPY) and `two` (IBM) hold something; `calm` is not active; `resting` has an order at work."""
    folder = tmp_path_factory.mktemp("operated")
    table = (
        row("one")
        + row("two", weight=0.1, params='{ instrument = "IBM" }')
        + row("calm", weight=0.1, params='{ instrument = "AIG" }')
        + "active = false\n"
        + row("resting", "resting.py", "Resting", weight=0.1)
    )
    path = configure(
        folder, "[portfolio]\nbreak_confirmation_seconds = 1.0\n", strategies=table, buyer=BUYER, resting=RESTING
    )
    options = ("--config", path, "--data-dir", folder / "data")
    with started(*options, "--json") as process:
        running = Daemon(options, process)
        assert process.stderr is not None
        next(line for line in process.stderr if '"strategy started"' in line)
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        until(lambda: len(_executions(folder)) >= 2 and _working(running), PATIENCE, "two fills and an order at work")
        yield running
        process.terminate()
        drain.wait(PATIENCE)


def _executions(folder: Path) -> list[tuple[str]]:
    database = folder / "data" / "journal.db"
    if not database.is_file():
        return []
    connection = sqlite3.connect(database)
    try:
        return connection.execute("SELECT exec_id FROM executions").fetchall()
    finally:
        connection.close()


def _working(daemon: Daemon) -> list[dict[str, Any]]:
    return [order for order in daemon.told("status")["orders"] if order["state"] == "WORKING"]


def test_status_shows_actors_strategies_orders_and_that_the_books_agree(daemon: Daemon) -> None:
    answer = daemon.told("status")
    actors = {actor["name"]: actor for actor in answer["actors"]}
    assert {actors[name]["state"] for name in ("core/risk", "brokers/ib-0", "store/writer")} == {"running"}
    assert actors["core/risk"].keys() >= {"depth", "restarts", "last_failure"}
    assert {line["name"]: line["running"] for line in answer["strategies"]} == {
        "one": True,
        "two": True,
        "calm": False,
        "resting": True,
    }
    assert (answer["breaks"], answer["halts"]) == (0, {}) and answer["compared_seconds_ago"] is not None
    drawn = daemon.mats("status").out
    assert "books = broker" in drawn and "brokers/ib-99" in drawn and "Working order" in drawn


def test_books_show_quantity_cost_results_and_commissions(daemon: Daemon) -> None:
    book = daemon.books()["one", "SPY"]
    assert float(book["quantity"]) > 0 and float(book["average_cost"]) > 0 and book["currency"] == "USD"
    assert book["realized"] is not None and book["unrealized"] is not None and float(book["commissions"]["USD"]) > 0
    drawn = daemon.mats("books", "--strategy", "one").out
    assert "average cost" in drawn and "SPY" in drawn and "IBM" not in drawn


def test_an_account_shows_cash_equity_exposure_and_the_result_of_each_strategy(daemon: Daemon) -> None:
    (view,) = daemon.told("account")["accounts"]
    assert view["account"] == "DU1000001" and view["base"] == "USD" and set(view["cash"]) == {"USD"}
    assert abs(float(view["equity"]) - float(view["own_equity"])) < 0.001 * float(view["equity"])
    assert float(view["unexplained"]["USD"]) == pytest.approx(1_000_000, abs=0.1)
    one = next(line for line in view["strategies"] if line["strategy"] == "one")
    assert float(one["result"]["gross"]) == abs(float(one["result"]["net"])) > 0
    assert float(view["result"]["gross"]) >= float(one["result"]["gross"])
    drawn = daemon.mats("account", "DU1000001").out
    assert "own figure" in drawn and "total" in drawn and "not from fills" in drawn


def test_a_comparison_on_demand_finds_no_difference(daemon: Daemon) -> None:
    answer = daemon.told("reconcile")
    assert answer["open"] == [] and answer["compared_seconds_ago"] < 10
    assert "books = broker" in daemon.mats("breaks").out


def test_why_leads_from_the_signal_to_the_fill_and_back_from_the_execution(daemon: Daemon) -> None:
    folder = Path(daemon.options[-1]).parent
    exec_id = _executions(folder)[0][0]
    by_execution = daemon.told("why", exec_id)
    intent = by_execution["intent"]["intent_id"]
    assert daemon.told("why", intent) == by_execution
    assert by_execution["fills"][0]["execution"]["exec_id"] == exec_id and by_execution["order"]["state"] == "FILLED"
    links = [line.split()[0] for line in daemon.mats("why", intent).out.splitlines() if not line.startswith(" ")]
    assert links[:5] == ["signal", "intent", "order", "state", "execution"]


def test_a_halt_holds_until_it_is_lifted(daemon: Daemon) -> None:
    daemon.told("halt", "calm", "--reason", "lunch")
    assert daemon.told("status")["halts"] == {"calm": "lunch"}
    assert "until `mats resume calm`" in daemon.mats("halt", "calm", "--reason", "a long lunch").out
    daemon.told("resume", "calm")
    assert daemon.told("status")["halts"] == {}


def test_an_equity_of_its_own_counts_at_once_and_ends_with_clear(daemon: Daemon) -> None:
    shares = {line["strategy"]: line["equity"] for line in daemon.told("equity")["lines"]}
    assert float(shares["two"]) == pytest.approx(100_000, rel=0.05)
    assert "two works with 1234.5 in DU1000001 from now on" in daemon.mats("equity", "two", "1234.5").out
    assert [line["equity"] for line in daemon.told("equity", "two")["lines"]] == ["1234.5"]
    daemon.told("equity", "two", "--clear")
    until(lambda: daemon.told("equity", "two")["lines"][0]["equity"] != "1234.5", 10, "the weight's share")


def test_a_strategy_is_started_and_stopped(daemon: Daemon) -> None:
    assert "calm is running" in daemon.mats("strategy", "start", "calm").out
    assert "calm has stopped" in daemon.mats("strategy", "stop", "calm").out
    assert daemon.mats("strategy", "stop", "calm").sentences == ["mats: calm is not running: stopped"]


def test_quantity_moves_between_books_after_a_preview_and_comes_back_exactly(daemon: Daemon) -> None:
    daemon.told("strategy", "stop", "one", "--reason", "the books are to rest")
    daemon.told("strategy", "stop", "two", "--reason", "the books are to rest")
    before = daemon.books()
    what = ("--from", "one", "--to", "two", "--instrument", "SPY", "--quantity", "10", "--reason", "it was hers")
    asked = daemon.mats("books", "assign", *what)
    assert asked.code != 0 and ("two", "SPY") not in daemon.books()
    assert "broker's total" in asked.out and "before" in asked.out and "after" in asked.out
    moved = daemon.told("books", "assign", *what, "--yes")
    name = moved["text"].split()[0]
    after = daemon.books()
    assert float(after["two", "SPY"]["quantity"]) == 10
    assert float(after["two", "SPY"]["average_cost"]) == float(moved["preview"]["assignment"]["price"])
    assert [leg["strategy"] for leg in daemon.told("why", name)["legs"]] == ["one", "two"]
    daemon.told("books", "assign", "--reverse", name, "--reason", "it was not", "--yes")
    figures = ("quantity", "average_cost", "realized")
    restored = daemon.books()["one", "SPY"]
    assert [float(restored[x]) for x in figures] == [float(before["one", "SPY"][x]) for x in figures]
    assert (
        daemon.mats("books", "assign", "--reverse", name, "--reason", "x", "--yes")
        .sentences[0]
        .startswith(f"mats: {name} has already been reversed by A")
    )


def test_a_resting_order_is_cancelled_by_its_name_and_its_instrument_is_left_alone_till_then(daemon: Daemon) -> None:
    daemon.told("strategy", "stop", "resting")
    (order,) = _working(daemon)
    certificate = daemon.told("cancel", order["intent_id"], "--reason", "enough")
    assert [gone["state"] for gone in certificate["cancelled"]] == ["CANCELLED"] and certificate["remains"] == []
    again = daemon.mats("cancel", order["intent_id"])
    assert (again.code, again.sentences) == (
        2,
        [f"mats: order {order['intent_id']} is CANCELLED already; there is nothing to cancel"],
    )


def test_a_strategy_is_flattened_with_a_certificate_and_stays_halted(daemon: Daemon) -> None:
    certificate = daemon.told("flatten", "two", "--reason", "a bad feeling")
    assert {order["state"] for order in certificate["closing"]} == {"FILLED"}
    assert [(one["strategy"], one["instrument"]) for one in certificate["flat"]] == [("two", "IBM")]
    assert (certificate["remains"], certificate["halted"]) == ([], ["two"])
    assert daemon.books()["two", "IBM"]["quantity"] == "0"
    assert daemon.told("status")["halts"] == {"two": "flattened: a bad feeling"}
    assert "nothing remains" in daemon.mats("flatten", "two").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("halt", "nix", "--reason", "x"), "there is no strategy nix; there are one, two, calm, resting"),
        (("resume", "calm"), "no halt of calm is in force"),
        (("cancel",), "give exactly one of INTENT, --strategy NAME and --all"),
        (("cancel", "nix"), "there is no order nix"),
        (("flatten",), "give exactly one of STRATEGY and --all"),
        (("strategy", "start", "nix"), "general/strategies has no nix"),
        (("equity", "one", "lots"), "the amount 'lots' is not a number; give it as 50000 or 50000.50"),
        (("equity", "one", "--", "-5"), "an equity of -5 cannot be used"),
        (("books", "assign", "--yes"), "a transfer needs a --reason"),
        (("books", "assign", "--reason", "x", "--yes"), "a transfer needs --from, --to, --instrument, --quantity"),
        (("books", "assign", "--reverse", "A999", "--reason", "x", "--yes"), "the journal has no transfer A999"),
        (("equity", "one", "-5"), "No such option: -5; `mats equity --help` shows the usage"),
        (("why", "nix"), "nix is not an intent, execution or transfer of this journal"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(daemon: Daemon, arguments: tuple[str, ...], sentence: str) -> None:
    ran = daemon.mats(*arguments)
    assert ran.code != 0 and ran.out == ""
    assert len(ran.sentences) == 1 and sentence in ran.sentences[0] and "Traceback" not in ran.err


def test_every_command_of_the_pages_runs(daemon: Daemon) -> None:
    """Line by line and in order, with the names of this daemon for those of the pages."""
    pages = (ROOT / "README.md").read_text() + (ROOT / "docs/operations.md").read_text()
    names = {"trend-spy": "one", "trend-ibm": "two", "balance": "calm", "revert-bac": "resting"}
    names["EXECUTION"] = _executions(Path(daemon.options[-1]).parent)[0][0]
    daemon.mats("strategy", "start", "calm")
    daemon.mats("strategy", "stop", "one")
    mine = ("one", "calm")
    until(lambda: not [o for o in _working(daemon) if o["strategy"] in mine], PATIENCE, "the end of the last orders")
    blocks = re.findall(r"^```sh daemon\n(.*?)^```", pages, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) >= 25
    for line in lines:
        program, *arguments = shlex.split(line)
        ran = daemon.mats(*(names.get(word, word) for word in arguments))
        assert (program, ran.code, ran.err) == (".venv/bin/mats", 0, ""), line
        if booked := re.search(r"^(A\d+) is booked", ran.out, re.MULTILINE):
            names["ASSIGNMENT"] = booked[1]


def test_the_audit_has_every_command_with_who_what_why_and_outcome_also_after_the_end(daemon: Daemon) -> None:
    daemon.told("halt", "calm", "--reason", "for the record")
    daemon.mats("halt", "nix", "--reason", "for the record")
    daemon.process.terminate()
    out, _ = daemon.process.communicate(timeout=PATIENCE)
    assert daemon.process.returncode == 0 and msgspec.json.decode(out)["dead_letters"] == 0
    done, refused = daemon.told("audit", "--last", "2")["lines"]
    assert (done["what"], done["why"]) == ("halt calm", "for the record") and done["who"] and done["time"]
    assert done["outcome"] == "no new risk is taken by calm until `mats resume calm`"
    assert refused["outcome"].startswith("refused: there is no strategy nix")
    assert "for the record" in daemon.mats("audit").out
    gone = daemon.mats("status")
    assert gone.code == 2 and gone.sentences[0].startswith(f"mats: no daemon runs on {daemon.options[-1]}; start it")
