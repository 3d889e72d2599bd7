"""Faults of wiring are type errors: each seeded fault is refused by mypy, on its line and for its reason."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

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


def module_of(fault: str) -> str:
    return re.sub(r"\W", "_", fault)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The errors of mypy by module: one run over the example and each of its faulty copies."""
    folder = tmp_path_factory.mktemp("wiring")
    (folder / "faultless.py").write_text(SHOP)
    for fault, (right, wrong, _) in FAULTS.items():
        assert SHOP.count(right) == 1, f"{fault}: {right!r} is not once in the example"
        (folder / f"{module_of(fault)}.py").write_text(SHOP.replace(right, wrong))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", "--no-pretty",
               "--cache-dir", str(folder / "cache"), *sorted(map(str, folder.glob("*.py")))]  # fmt: skip
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
    assert set(verdicts) <= {module_of(fault) for fault in FAULTS}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_wiring_is_a_type_error(verdicts: dict[str, list[str]], fault: str) -> None:
    right, wrong, code = FAULTS[fault]
    line = SHOP[: SHOP.index(right)].count("\n") + 1
    found = verdicts.get(module_of(fault), [])
    assert found, f"{fault} passes: {wrong!r}"
    assert any(error.endswith(f"[{code}]") and abs(int(error.split(":")[1]) - line) <= 3 for error in found), found
