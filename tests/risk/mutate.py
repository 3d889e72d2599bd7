"""Drops one condition at a time and asks the near tests: `python tests/risk/mutate.py [--workers N] [FILE ...]`.

A mutant has one operand of an `and` or `or` less, a comparison flipped at its boundary, an `if` or a `case` that never
holds, a guard or an alternative of a `case` less, a choice turned around, or one check less in a list. It is written to
a copy of the sources and the tests run against that: first those beside the file, then, where they notice nothing, the
others. What survives is a condition without a test, or one that changes nothing and should go; what is right either
way has its reason in `EQUIVALENT`. A survivor without one is an error.
"""

import argparse
import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "mats/risk/checks.py",
    "mats/risk/sizing.py",
    "mats/risk/market_state.py",
    "mats/risk/exposure.py",
    "mats/orders/pretrade.py",
    "mats/orders/flow.py",
    "mats/orders/order_state.py",
)
TESTS = ("tests/risk", "tests/orders", "tests/backtest/engine/test_order_flow.py")
BOUNDARY = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
EQUIVALENT = {
    ("mats/risk/checks.py", "flipped limit > price"): "of two equal prices either is the higher one",
    ("mats/risk/exposure.py", "never if not position.orders"): "no order adds nothing; it only spares the walk",
    ("mats/risk/exposure.py", "flipped left <= ZERO"): "an order of which nothing is left adds nothing",
    ("mats/risk/market_state.py", "never if not troubled"): "the texts would be empty; it only spares making them",
    ("mats/orders/pretrade.py", "flipped quantity > ZERO"): "zero was sorted out before",
    ("mats/orders/flow.py", "without isinstance(order, OrderView)"): "the view of a rejection is final",
    ("mats/orders/order_state.py", "flipped time > order.updated"): "the same time is set again",
}
NEVER = ast.Constant(value=False)
TIMEOUT = 120.0


def mutations(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What can be changed at a node, and the node that takes its place."""
    match node:
        case ast.BoolOp(values=values):
            for number, dropped in enumerate(values):
                rest = [value for other, value in enumerate(values) if other != number]
                left = rest[0] if len(rest) == 1 else ast.BoolOp(op=node.op, values=rest)
                yield f"without {ast.unparse(dropped)}", left
        case ast.Compare(ops=ops):
            for number, operator in enumerate(ops):
                flipped = [*ops[:number], BOUNDARY[type(operator)](), *ops[number + 1 :]]
                yield f"flipped {ast.unparse(node)}", ast.Compare(node.left, flipped, node.comparators)
        case ast.If():
            yield f"never if {ast.unparse(node.test)}", ast.If(NEVER, node.body, node.orelse)
        case ast.IfExp():
            yield f"turned {ast.unparse(node)}", ast.IfExp(node.test, node.orelse, node.body)
        case ast.comprehension(ifs=filters):
            for number, dropped in enumerate(filters):
                rest = [*filters[:number], *filters[number + 1 :]]
                without = ast.comprehension(node.target, node.iter, rest, node.is_async)
                yield f"every one, without {ast.unparse(dropped)}", without
        case ast.match_case(pattern=pattern, guard=guard):
            yield f"never case {ast.unparse(pattern)}", ast.match_case(pattern, NEVER, node.body)
            if guard is not None:
                what = f"case {ast.unparse(pattern)} without if {ast.unparse(guard)}"
                yield what, ast.match_case(pattern, None, node.body)
        case ast.MatchOr(patterns=patterns):
            for number, dropped in enumerate(patterns):
                rest = [*patterns[:number], *patterns[number + 1 :]]
                yield f"case without {ast.unparse(dropped)}", rest[0] if len(rest) == 1 else ast.MatchOr(rest)
        case ast.AnnAssign(target=ast.Name(id="SOUNDNESS" | "RISK_TAKING"), value=ast.Tuple(elts=checks)):
            for number, dropped in enumerate(checks):
                rest = ast.Tuple([*checks[:number], *checks[number + 1 :]], ast.Load())
                yield f"without {ast.unparse(dropped)}", ast.AnnAssign(node.target, node.annotation, rest, node.simple)


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, what was changed, and the whole source with it."""
    tree = ast.parse(source)
    for number, node in enumerate(_nodes(tree)):
        for what, changed in mutations(node):
            other = copy.deepcopy(tree)
            replaced = _Replace(_nodes(other)[number], changed).visit(other)
            yield _line(node), what, ast.unparse(ast.fix_missing_locations(replaced))


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """All nodes but those of assertions, which only tell the type checker what is so."""
    asserted = {inner for node in ast.walk(tree) if isinstance(node, ast.Assert) for inner in ast.walk(node)}
    return [node for node in ast.walk(tree) if node not in asserted]


def _line(node: ast.AST) -> int:
    match node:
        case ast.match_case(pattern=located) | ast.comprehension(target=located):
            return located.lineno
        case _:
            return node.lineno


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, changed: ast.AST) -> None:
        self._target, self._changed = target, changed

    def visit(self, node: ast.AST) -> ast.AST:
        return copy.deepcopy(self._changed) if node is self._target else self.generic_visit(node)


class Copy:
    """A copy of the sources and their tests, in which one mutant after the other is tried.

    Only the run without a mutant leaves bytecode behind; the runs with one find that of all other files.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        for part in ("mats", "tests"):
            shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", place)
        if not self._passes(TESTS, {}):
            sys.exit("the near tests fail without any mutant; make them pass first")

    def misses(self, file: str, source: str) -> bool:
        """Whether all tests pass with this source of a file."""
        beside = str(Path("tests") / Path(file).parent.relative_to("mats") / f"test_{Path(file).name}")
        (self._place / file).write_text(source)
        try:
            return all(self._passes(tests, {"PYTHONDONTWRITEBYTECODE": "1"}) for tests in ((beside,), TESTS))
        finally:
            shutil.copy2(ROOT / file, self._place / file)

    def _passes(self, tests: Sequence[str], environment: dict[str, str]) -> bool:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
        try:
            done = subprocess.run(
                command, cwd=self._place, capture_output=True, timeout=TIMEOUT, check=False,
                env={**os.environ, "PYTHONPATH": str(self._place), **environment},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def main() -> None:
    """Try every mutant, and print which the tests missed."""
    parser = argparse.ArgumentParser(description="Which conditions could go without a test noticing.")
    parser.add_argument("files", nargs="*", default=FILES, metavar="FILE")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="how many mutants to try at a time")
    chosen = parser.parse_args()
    tried: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    spared: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mats-mutants-") as folder:
        copies = [Copy(Path(folder) / f"copy-{number}") for number in range(chosen.workers)]

        def survives(work: tuple[str, int, str, str]) -> bool:
            file, _, _, source = work
            place = copies.pop()
            try:
                return place.misses(file, source)
            finally:
                copies.append(place)

        work = [(file, *mutant) for file in chosen.files for mutant in mutants((ROOT / file).read_text())]
        with ThreadPoolExecutor(chosen.workers) as pool:
            for (file, line, what, _), alive in zip(work, pool.map(survives, work), strict=True):
                tried[file] += 1
                if not alive:
                    continue
                if (reason := EQUIVALENT.get((file, what))) is None:
                    missed[file] += 1
                    print(f"survived    {file}:{line}  {what}", flush=True)
                else:
                    spared[file] += 1
                    print(f"equivalent  {file}:{line}  {what}: {reason}", flush=True)
    print(f"\n{'file':32} mutants killed equivalent survived")
    for file in chosen.files:
        killed = tried[file] - missed[file] - spared[file]
        print(f"{file:32} {tried[file]:7} {killed:6} {spared[file]:10} {missed[file]:8}")
    if missed:
        sys.exit("conditions without a test: state each in one, or remove it")


if __name__ == "__main__":
    main()
