"""Faults of wiring are type errors: each seeded fault is refused by mypy, on its line and for its reason."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)
"""Without mypy's cache the whole of actors and mats is checked first."""

SHOP = """
from typing import assert_never

import msgspec

from mats.runtime import Actor, Address, ChildSpec, Down, Question, Ref, Runtime, SupervisorSpec


class Sell(msgspec.Struct, frozen=True):
    what: str


class ReadStock(Question[dict[str, int]], frozen=True):
    what: str = ""


class Sold(msgspec.Struct, frozen=True):
    what: str


class Record(msgspec.Struct, frozen=True):
    what: str
    reply_to: Ref[Sold]


class CountSales(Question[int], frozen=True):
    pass


class Close(msgspec.Struct, frozen=True):
    pass


ShopMessage = Sell | ReadStock | Sold
LedgerMessage = Record | CountSales
SHOP = Address[ShopMessage]("shop")
LEDGER = Address[LedgerMessage]("ledger")


class Shop(Actor[ShopMessage | Close | Down]):
    class Args(msgspec.Struct, frozen=True, kw_only=True):
        ledger: Ref[LedgerMessage]
        size: int

    def __init__(self, args: Args) -> None:
        self._ledger, self._stock = args.ledger, {"apple": args.size}

    def on_start(self) -> None:
        self.watch(self._ledger)
        self.after(60.0, Close())

    def on_receive(self, message: ShopMessage | Close | Down) -> object:
        match message:
            case Sell(what=what):
                self._ledger.tell(Record(what, self.ref))
            case ReadStock():
                return message.answer(self._stock)
            case Sold() | Down():
                pass
            case Close():
                self.stop()
            case _:
                assert_never(message)
        return None


class Ledger(Actor[LedgerMessage]):
    class Args(msgspec.Struct, frozen=True, kw_only=True):
        shop: Ref[ShopMessage]

    def __init__(self, args: Args) -> None:
        self._shop, self._sales = args.shop, 0

    def on_receive(self, message: LedgerMessage) -> object:
        match message:
            case Record(what=what, reply_to=reply_to):
                self._sales += 1
                reply_to.tell(Sold(what))
            case CountSales():
                return message.answer(self._sales)
            case _:
                assert_never(message)
        return None


def tree(shop: Ref[ShopMessage], ledger: Ref[LedgerMessage]) -> SupervisorSpec:
    return SupervisorSpec(
        name="root",
        children=(
            ChildSpec(name="ledger", actor=Ledger, args=Ledger.Args(shop=shop)),
            ChildSpec(name="shop", actor=Shop, args=Shop.Args(ledger=ledger, size=3)),
        ),
    )


def use(runtime: Runtime) -> dict[str, int]:
    shop, ledger = runtime.ref(SHOP), runtime.ref(LEDGER)
    runtime.start(tree(shop, ledger))
    shop.tell(Sell("apple"))
    shop.offer(Sell("pear"))
    sales: int = ledger.ask(CountSales(), timeout=1.0)
    assert sales >= 0
    return shop.ask(ReadStock(), timeout=1.0)
"""

FAULTS = {
    "a misspelt argument": ("size=3)),", "sice=3)),", "call-arg"),
    "a missing argument": ("ledger=ledger, size=3", "ledger=ledger", "call-arg"),
    "a number for a ref": ("ledger=ledger, size=3", "ledger=42, size=3", "arg-type"),
    "swapped refs": ("ledger=ledger, size=3", "ledger=shop, size=3", "arg-type"),
    "a ref of another address": ("runtime.start(tree(shop, ledger))", "runtime.start(tree(ledger, shop))", "arg-type"),
    "the arguments of another actor": ('actor=Shop, args=Shop.Args(', 'actor=Ledger, args=Shop.Args(', "misc"),
    "an actor that takes other arguments": ("args=Ledger.Args(shop=shop)", 'args={"shop": shop}', "misc"),
    "a message to the wrong actor": ('shop.tell(Sell("apple"))', "shop.tell(Close())", "arg-type"),
    "an offer to the wrong actor": ('shop.offer(Sell("pear"))', "ledger.offer(Sell('pear'))", "arg-type"),
    "a question to the wrong actor": ("shop.ask(ReadStock(),", "ledger.ask(ReadStock(),", "arg-type"),
    "an ask of a message that has no answer": ("ledger.ask(CountSales(),", "shop.ask(Sell('apple'),", "arg-type"),
    "an answer taken for another type": ("sales: int = ledger", "sales: str = ledger", "assignment"),
    "an answer of another type": ("message.answer(self._sales)", "message.answer(str(self._sales))", "arg-type"),
    "a deleted case": ("            case Close():\n                self.stop()\n", "", "arg-type"),
    "a reply that is not understood": ("reply_to.tell(Sold(what))", "reply_to.tell(Sell(what))", "arg-type"),
    "a reply_to of an actor that does not understand the reply": (
        "self._ledger.tell(Record(what, self.ref))", "self._ledger.tell(Record(what, self._ledger))", "arg-type",
    ),
    "a timer of a foreign message": ("self.after(60.0, Close())", "self.after(60.0, CountSales())", "arg-type"),
    "a watch without Down among the messages": (
        "        self._shop, self._sales = args.shop, 0\n",
        "        self._shop, self._sales = args.shop, 0\n        self.watch(args.shop)\n", "misc",
    ),
}  # fmt: skip


REAL_FAULTS = {
    "a misspelt argument in the tree": (
        "actors/tree.py", "keep_days=plan.keep_days", "keep_dais=plan.keep_days", "call-arg",
    ),
    "swapped refs in the tree": (
        "actors/tree.py", "store=refs.store, pool=refs.pool", "store=refs.pool, pool=refs.store", "arg-type",
    ),
    "a number for a ref in the tree": (
        "actors/tree.py", "store=refs.store, pool=refs.pool", "store=refs.store, pool=42", "arg-type",
    ),
    "the arguments of another actor in the tree": (
        "actors/tree.py", "actor=RiskManager, args=risk", "actor=RiskManager, args=orders", "misc",
    ),
    "a message to the wrong actor in the order manager": (
        "actors/order_manager.py", "self._pool.tell(Republish())", "self._pool.tell(ReportCursor())", "arg-type",
    ),
    "a deleted case in the order manager": (
        "actors/order_manager.py",
        "            case NotSent(intent_id=intent_id, reason=reason):\n"
        "                self._tracker.not_sent(intent_id, reason, self.clock.now())\n", "", "arg-type",
    ),
}  # fmt: skip


class Seeded(NamedTuple):
    """A source with one fault; its error is in the lines `first` to `last`: near the fault, or where its match ends."""

    text: str
    first: int
    last: int
    code: str


def seeded(fault: str, source: str, right: str, wrong: str, code: str) -> Seeded:
    assert source.count(right) == 1, f"{fault}: {right!r} is not once in the source"
    line = source[: source.index(right)].count("\n") + 1
    return Seeded(source.replace(right, wrong), line - 8, line + (3 if wrong else 60), code)


def module_of(fault: str) -> str:
    return re.sub(r"\W", "_", fault)


SEEDED = {fault: seeded(fault, SHOP, *change) for fault, change in FAULTS.items()} | {
    fault: seeded(fault, (REPOSITORY / path).read_text(), *change) for fault, (path, *change) in REAL_FAULTS.items()
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The errors of mypy by module: one run over the example, the actors, and each faulty copy.

    The cache is the repository's own, so that only the copies are checked where the types were checked before.
    """
    folder = tmp_path_factory.mktemp("wiring")
    (folder / "faultless.py").write_text(SHOP)
    for fault, faulty in SEEDED.items():
        (folder / f"{module_of(fault)}.py").write_text(faulty.text)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", "--no-pretty",
               *sorted(map(str, folder.glob("*.py")))]  # fmt: skip
    done = subprocess.run(
        command, cwd=REPOSITORY, env={"MYPYPATH": str(REPOSITORY)}, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr + done.stdout
    errors: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if ": error: " in line:
            errors.setdefault(Path(line.partition(":")[0]).stem, []).append(line)
    return errors


def test_the_faultless_wiring_passes(verdicts: dict[str, list[str]]) -> None:
    assert verdicts.get("faultless", []) == []
    assert set(verdicts) <= {module_of(fault) for fault in SEEDED}


@pytest.mark.parametrize("fault", SEEDED)
def test_a_fault_of_wiring_is_a_type_error(verdicts: dict[str, list[str]], fault: str) -> None:
    faulty, found = SEEDED[fault], verdicts.get(module_of(fault), [])
    assert found, f"{fault} passes"
    lines = range(faulty.first, faulty.last + 1)
    assert any(error.endswith(f"[{faulty.code}]") and int(error.split(":")[1]) in lines for error in found), found
